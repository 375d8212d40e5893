# SPDX-License-Identifier: Apache-2.0
"""What end-to-end tests share: a store, a daemon on it, requests, waiting, a tool server.

    with lib.Place() as place:                       # a folder of its own, removed at the end
        place.init()                                 # stint init: place.store, place.token
        with place.serve() as daemon:
            admin = daemon.client(place.token)
            run = admin.post("/v1/runs", definition).expect(201).json
            daemon.wait_state(run["id"], "succeeded")
"""
import functools
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

SKIP = 77
PATIENCE = 30  # seconds for things that normally take milliseconds


def binary(variable="STINT"):
    path = os.environ.get(variable)
    if not path or not os.path.exists(path):
        print(f"skipped: ${variable} names no program")
        sys.exit(SKIP)
    return path


@functools.lru_cache(maxsize=None)
def why_no_box():
    """Why jobs cannot be isolated on this machine; None: they can. Said once a program."""
    done = subprocess.run([binary(), "doctor", "--store", "sqlite:/nonexistent/stint.db"], text=True,
                          capture_output=True, timeout=PATIENCE, check=False,
                          env={"PATH": os.environ.get("PATH", "")})
    for line in done.stdout.splitlines():
        if "jobs cannot be isolated here" in line:
            print(f"jobs run with isolation none: {line}", flush=True)
            return line
    return None


class Answer:
    """An HTTP answer that has been read to its end."""

    def __init__(self, status, headers, body, asked=""):
        self.status, self.headers, self.body, self.asked = status, headers, body, asked

    @property
    def json(self):
        return json.loads(self.body)

    def expect(self, *statuses):
        assert self.status in statuses, f"{self.asked}: {self.status}, not {statuses}: {self.body[:600]}"
        if self.status >= 400:
            kind = self.headers.get("content-type")
            assert kind == "application/problem+json", f"{self.asked}: {self.status} as {kind}"
            problem = self.json
            assert problem["status"] == self.status and problem["type"] and problem["title"], problem
        return self


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Client:
    """Requests with one token. A body that is not bytes is sent as JSON."""

    def __init__(self, url, token=None):
        self.url, self.token = url, token

    def connection(self, timeout=PATIENCE):
        if self.url.startswith("unix:"):
            return UnixConnection(self.url[5:], timeout)
        host, port = self.url[len("http://"):].rsplit(":", 1)
        return http.client.HTTPConnection(host, int(port), timeout=timeout)

    def head(self, headers, body):
        sent = {}
        if self.token is not None:
            sent["Authorization"] = f"Bearer {self.token}"
        if body is not None:
            sent["Content-Type"] = "application/json"
        for name, value in headers.items():
            if value is None:
                sent.pop(name, None)
            else:
                sent[name] = value
        return sent

    def ask(self, method, path, body=None, headers=None):
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        connection = self.connection()
        try:
            connection.request(method, path, data, self.head(headers or {}, data))
            answer = connection.getresponse()
            names = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, names, answer.read(), f"{method} {path}")
        finally:
            connection.close()

    def get(self, path, headers=None):
        return self.ask("GET", path, None, headers)

    def post(self, path, body=None, headers=None, key=None):
        headers = dict(headers or {})
        if key is not None:
            headers["Idempotency-Key"] = key
        return self.ask("POST", path, body, headers)

    def delete(self, path, headers=None):
        return self.ask("DELETE", path, None, headers)

    def follow(self, path, last=None):
        """Yields (id, event) of a stream until the server ends it."""
        headers = {"Accept": "text/event-stream"}
        if last is not None:
            headers["Last-Event-ID"] = str(last)
        connection = self.connection()
        try:
            connection.request("GET", path, None, self.head(headers, None))
            answer = connection.getresponse()
            if answer.status == 204:
                return
            assert answer.status == 200, (answer.status, answer.read())
            assert answer.getheader("Content-Type") == "text/event-stream"
            seq = None
            for line in answer:
                text = line.decode().rstrip("\n")
                if text.startswith("id: "):
                    seq = int(text[4:])
                elif text.startswith("data: "):
                    yield seq, json.loads(text[6:])
        finally:
            connection.close()

    def run(self, run):
        return self.get(f"/v1/runs/{run}").expect(200).json

    def wait_state(self, run, *states):
        """Follows the run until it is in one of the states; gives the run."""
        end = time.monotonic() + PATIENCE
        while True:
            found = self.run(run)
            if found["state"] in states:
                return found
            assert time.monotonic() < end, f"{run} is {found['state']}, not {states}: {found}"
            time.sleep(0.01)


class NotReady(AssertionError):
    """The daemon ended before it was ready."""

    def __init__(self, code, log):
        super().__init__(f"no ready line; exit {code}: {log}")
        self.code, self.log = code, log


class Daemon:
    """A running stint serve. Its log lines gather in .log."""

    def __init__(self, place, arguments):
        self.process = subprocess.Popen([binary(), "serve", "--store", place.store, *arguments],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=place.env)
        self.log = []
        self.reader = threading.Thread(target=self.read_log, daemon=True)
        self.reader.start()
        line = self.process.stdout.readline()
        if not line:
            self.process.wait(PATIENCE)
            self.reader.join(PATIENCE)
            self.process.stdout.close()
            raise NotReady(self.process.returncode, self.log)
        self.ready = json.loads(line)
        assert self.ready["event"] == "ready", self.ready
        self.url = self.ready["url"]

    def read_log(self):
        for line in self.process.stderr:
            self.log.append(line.decode(errors="replace").rstrip("\n"))

    def client(self, token=None):
        return Client(self.url, token)

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self):
        code = self.process.wait(PATIENCE)
        self.reader.join(PATIENCE)
        self.process.stdout.close()
        return code

    def stop(self):
        """Drains; gives the exit code."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self):
        """As a power cut for the process: kill -9."""
        self.process.kill()
        return self.wait()

    def rss_bytes(self):
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if self.process.poll() is None:
            self.kill()
        if kind is not None:
            print("\n".join(self.log[-40:]), file=sys.stderr)


class Place:
    """A folder with a store, a config and what else a test puts there."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="stint-e2e-")
        self.store = "sqlite:" + os.path.join(self.folder, "stint.db")
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("STINT_")}
        self.env["XDG_STATE_HOME"] = os.path.join(self.folder, "state")
        self.token = None
        if why_no_box():
            self.env["STINT_CONFIG"] = self.write("config-no-box.json", {})

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, content):
        """A file that only its owner can write; JSON unless it is text. Gives its path. A config lets
        jobs run without a box where none can be made."""
        if name.startswith("config") and isinstance(content, dict) and why_no_box():
            content = {**content, "sandbox": {"isolation": "none", **content.get("sandbox", {})}}
        with open(os.open(self.path(name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w",
                  encoding="utf-8") as file:
            file.write(content if isinstance(content, str) else json.dumps(content))
        return self.path(name)

    def stint(self, *arguments, stdin=None, timeout=PATIENCE):
        """Runs a command to its end; gives the finished process with text in stdout, stderr."""
        return subprocess.run([binary(), *arguments], input=stdin, capture_output=True, text=True,
                              env=self.env, timeout=timeout, check=False)

    def init(self):
        done = self.stint("init", "--store", self.store)
        assert done.returncode == 0, done.stderr
        self.token = json.loads(done.stdout)["token"]
        return self.token

    def serve(self, *arguments, config=None, listen="127.0.0.1:0"):
        more = ["--config", self.write("config.json", config)] if config is not None else []
        return Daemon(self, ["--listen", listen, *more, *arguments])

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        shutil.rmtree(self.folder, ignore_errors=True)


class ToolServer:
    """The outside world that fails on purpose; see tests/tools/toolserver.c."""

    def __init__(self, place, rules=(), name="tool"):
        self.log = place.path(name + ".log")
        script = place.write(name + ".script.json", {"rules": list(rules)})
        self.process = subprocess.Popen([binary("TOOLSERVER"), "--log", self.log, "--script", script],
                                        stdout=subprocess.PIPE)
        self.ready = json.loads(self.process.stdout.readline())
        self.url = f"http://127.0.0.1:{self.ready['port']}"
        self.client = Client(self.url)

    def lines(self, event=None):
        """What it wrote down before it did it, as JSON."""
        with open(self.log, encoding="utf-8") as file:
            found = [json.loads(line) for line in file if line.endswith("\n")]
        return [line for line in found if event is None or line["event"] == event]

    def open_gate(self, name):
        return self.client.post(f"/__gate/{name}/open")

    def wait_gate(self, name):
        return self.client.get(f"/__gate/{name}/wait")

    def stop(self):
        self.process.terminate()
        self.process.wait(PATIENCE)
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.stop()


def definition(*steps, **more):
    """A run definition; without steps, one that does nothing."""
    return {"stint": 1, "name": "e2e", "kind": "research", **more,
            "steps": list(steps) or [{"id": "one", "uses": "noop"}]}


def main(tests):
    """Runs the functions named test_* of a module's globals(), in order, and says which failed."""
    chosen = sys.argv[1:]
    failed = 0
    for name, test in list(tests.items()):
        if not name.startswith("test_") or (chosen and name not in chosen):
            continue
        begun = time.monotonic()
        try:
            test()
            print(f"ok   {name} {time.monotonic() - begun:.2f} s", flush=True)
        except Exception:  # pylint: disable=broad-except
            import traceback
            traceback.print_exc()
            print(f"FAIL {name}", flush=True)
            failed += 1
    sys.exit(1 if failed else 0)
