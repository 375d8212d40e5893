# SPDX-License-Identifier: Apache-2.0
"""The table of bad inputs: what a row is, what is true after each, and what is not reachable yet.

The numbers B1 to B84 are those of docs/reliability.md. A row says how it is sent and what has to come
back; after every row the same questions are asked: is the daemon alive, was nothing stored, was nobody
called, did its memory stay within 64 MiB of what it was at rest?
"""
import dataclasses
import json
import os
import re
import socket
import sqlite3
import sys
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

import lib  # noqa: E402  pylint: disable=wrong-import-position

GROWTH_MAX = 64 * 2**20
RUN = "r_01890000-0000-7000-8000-000000000000"
HALT = "halt_01890000-0000-7000-8000-000000000000"
CALL = "c_01890000-0000-7000-8000-000000000000"
ROLES = ("viewer", "submitter", "approver")

# What no row can meet today, and why. A number that has rows and stands here is met in part.
UNREACHED = {
    "B26": "the dashboard's half: there is no dashboard",
    "B27": "there is no CSV: exports are JSON lines",
    "B32": "there is no cron", "B33": "there is no time zone field", "B34": "there is no cron",
    "B35": "there are no daily limits",
    "B37": "ranges of exports: an export takes no range",
    "B43": "batches: there is no request with several items",
    "B54": "an answer of DNS that changes: the check is on the connected address, in tests/unit/steps_http_reach_test.c",
    "B55": "a hop from a public to a private address: needs a public server; the rows go from an allowed to a refused one",
    "B60": "usage that comes late, twice or for an unknown id: tests/e2e/client_calls.py",
    "B66": "effects of kinds that are in doubt: tests/crash and tests/e2e/api.py",
    "B69": "tool calls: there is no agent.loop; the rows send them to model.generate",
    **{f"B{number}": "repositories: they are made on the spot in tests/e2e/git_hostile.py"
       for number in range(71, 76)},
    "B76": "archives: none is unpacked; the rows are about artifacts of jobs",
    "B77": "a fork bomb without a bound: the rows start 30 processes, the machine is shared",
    "B79": "dates and currencies: a price has neither",
    "B81": "there are no webhooks",
    "B82": "a jump while leases are held: there are no leases",
    "B83": "a disk that is full: tests/crash; the row limits the size of files",
}


@dataclasses.dataclass
class Row:
    id: str
    what: str
    send: object  # called with the world; gives an Answer, whose status may be an exit code
    expect: tuple  # statuses
    pointer: str = None  # of the problem
    says: str = None  # somewhere in the answer
    runs: int = 0  # stored by it
    events: bool = False  # whether it may leave events in timelines that are there
    tokens: int = 0
    calls: int = 0  # that reach the tool server; None: some
    check: object = None  # called with the world and the answer


class World:
    """A daemon, somebody of each role, a tool server, and what was true before the row."""

    def __init__(self, place, config=None, allow=True, **how):
        place.init()
        self.place = place
        self.tool = lib.ToolServer(place)
        config = dict(config or {})
        if allow:
            config["outgoing"] = {"allow": [f"127.0.0.1/32:{self.tool.ready['port']}"]}
        self.daemon = place.serve(config=config, **how)
        self.url = self.daemon.url
        self.host = self.url[len("http://"):]
        self.admin = self.daemon.client(place.token)
        self.nobody = self.daemon.client()
        for role in ROLES:
            setattr(self, role, self.make(role))
        self.rest_bytes = self.peak_bytes()

    def make(self, role, tenant=None, name=None):
        asked = {"role": role, "name": name or role, **({"tenant": tenant} if tenant else {})}
        return self.daemon.client(self.admin.post("/v1/tokens", asked).expect(201).json["token"])

    def peak_bytes(self):
        with open(f"/proc/{self.daemon.process.pid}/status", encoding="ascii") as file:
            return int(re.search(r"VmHWM:\s+(\d+) kB", file.read())[1]) * 1024

    def stored(self):
        path = self.place.store[len("sqlite:"):]
        database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            return {table: database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
                    for table in ("v_run", "v_event", "v_grant", "token")}
        finally:
            database.close()

    def calls(self):
        return len(self.tool.lines("request"))

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.tool.stop()
        self.daemon.__exit__(kind, value, trace)

    def end(self):
        """Stops it as an operator would; then its log is looked through."""
        assert self.daemon.stop() == 0, self.daemon.log[-40:]
        for line in self.daemon.log:
            assert {"at", "level", "event", "text"} == set(json.loads(line)), line


def is_sanitized():
    with open(lib.binary(), "rb") as file:
        return b"__asan_init" in file.read()


def meet(row, world):
    """Sends one row and asks all questions; raises AssertionError."""
    before, calls = world.stored(), world.calls()
    answer = row.send(world)
    status, text = answer.status, answer.body.decode(errors="replace")
    assert status in row.expect, f"answered {status}, not {row.expect}: {text[:400]}"
    if status is not None and status >= 400:
        answer.expect(status)
        assert answer.json.get("detail") or status in (401, 404, 405, 415), text
    if row.pointer is not None:
        assert answer.json.get("pointer") == row.pointer, text
    if row.says is not None:
        assert row.says in text, text[:600]
    if row.check is not None:
        row.check(world, answer)
    assert world.daemon.process.poll() is None, f"the daemon is gone: {world.daemon.process.returncode}"
    world.nobody.get("/healthz").expect(200)
    after = world.stored()
    assert row.runs is None or after["v_run"] - before["v_run"] == row.runs, (before, after)
    assert row.tokens is None or after["token"] - before["token"] == row.tokens, (before, after)
    if row.runs == 0 and not row.events:
        assert after == {**before, "token": after["token"]}, (before, after)
    if row.calls is not None:
        assert world.calls() - calls == row.calls, world.tool.lines()[-4:]
    if not is_sanitized():
        grown = world.peak_bytes() - world.rest_bytes
        assert grown <= GROWTH_MAX, f"{grown / 2**20:.0f} MiB above rest"


class Count:
    """Which rows were met, of which numbers."""

    def __init__(self):
        self.passed, self.failed = [], []

    def run(self, rows, world, met=meet):
        for row in rows:
            if len(sys.argv) > 1 and row.id not in sys.argv[1:]:
                continue
            try:
                met(row, world)
                self.passed.append(row)
            except Exception:  # pylint: disable=broad-except
                traceback.print_exc()
                print(f"FAIL {row.id} {row.what}", flush=True)
                self.failed.append(row)

    def end(self):
        numbers = {row.id for row in self.passed + self.failed}
        print(f"{len(self.passed)} of {len(self.passed) + len(self.failed)} rows passed, of "
              f"{len(numbers)} numbers", flush=True)
        sys.exit(1 if self.failed else 0)


# ---- how a row is sent


def raw(text):
    return text if isinstance(text, bytes) else text.encode()


def talk(url, text, patience=10, source=None):
    """Sends bytes as they are and reads to the end; gives an Answer, status None when none came."""
    host, port = url[len("http://"):].rsplit(":", 1)
    got = b""
    where = (source, 0) if source else None
    with socket.create_connection((host, int(port)), timeout=patience, source_address=where) as sock:
        try:
            sock.sendall(raw(text))
        except OSError:
            pass  # refused while it was still being sent
        try:
            while chunk := sock.recv(65536):
                got += chunk
        except OSError:
            pass
    head, _, body = got.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    if not lines[0].startswith("HTTP/1.1 "):
        return lib.Answer(None, {}, got, "raw")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    return lib.Answer(int(lines[0].split(" ")[1]), headers, body, "raw")


def submit(body, by="submitter", headers=None, path="/v1/runs"):
    return lambda world: getattr(world, by).post(path, body, headers)


def ask(method, path, body=None, by="viewer", headers=None):
    return lambda world: getattr(world, by).ask(method, path, body, headers)


def get(path, by="viewer", headers=None):
    return ask("GET", path, None, by, headers)


def wire(text, body=""):
    """Bytes for the socket; HOST, AUTH (with Host and Connection: close) and LENGTH are put in."""
    def send(world):
        auth = (f"Host: {world.host}\r\nAuthorization: Bearer {world.submitter.token}\r\n"
                "Connection: close\r\n")
        made = text.replace("AUTH", auth).replace("HOST", world.host).replace("LENGTH", str(len(body)))
        head = made.encode("latin-1" if max(map(ord, made)) < 256 else "utf-8")
        return talk(world.url, head + raw(body))
    return send


def stint(*words, stdin=None, env=None):
    """A command; STORE, and the names of files of the place as @name, are put in."""
    def send(world):
        place = world.place
        argv = [place.store if word == "STORE" else place.path(word[1:]) if word.startswith("@") else word
                for word in words]
        kept = dict(place.env)
        place.env.update(env or {})
        try:
            done = place.stint(*argv, stdin=stdin)
        finally:
            place.env = kept
        return lib.Answer(done.returncode, {}, (done.stdout + done.stderr).encode(), " ".join(argv)[:200])
    return send
