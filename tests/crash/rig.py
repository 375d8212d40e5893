# SPDX-License-Identifier: Apache-2.0
"""The world that crash scenarios share: a daemon that may die, a tool server that tells the truth,
work for them, and what the daemon has acknowledged.

    with rig.World(random.Random(7)) as world:
        with world.life() as daemon:         # one life of the daemon, however it ends
            world.submit(daemon)
            daemon.kill()
        world.settle_down()                  # left alone until every run has ended
        world.judge()                        # the oracles; see oracle.py
"""
import json
import mmap
import os
import random
import signal
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import lib  # noqa: E402
import oracle  # noqa: E402

FINAL = ("succeeded", "failed", "cancelled")
PRICES = {"local/m": {"input_usd_per_million": "3", "output_usd_per_million": "15"},
          "exa": {"request_usd": "0.01"}, "firecrawl": {"request_usd": "0.01"}}
NO_HALT = "halt_00000000-0000-0000-0000-000000000000"  # the call is named instead
GONE = (ConnectionError, OSError, lib.http.client.HTTPException)
# What a run of each family sends to the tool server; a job leaves a line in a file.
PATHS = {"model": "/v1/chat/completions", "search": "/search", "extract": "/v2/scrape",
         "idempotent": "/effect", "once": "/effect-plain"}
FAMILIES = (*PATHS, "job")


def write_synced(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


class Skip(Exception):
    """This machine cannot do it; why."""


class Faults:
    """The control page of faultio.c."""
    NAMES = {"none": 0, "sync": 1, "write": 2, "short": 3, "lie": 4, "open": 5, "alloc": 6,
             "fold": 7}
    FIELDS = ("fault", "nth", "times", "error", "fired", "syncs", "writes", "opens", "allocs",
              "folds")

    def __init__(self, folder, watch):
        self.path = os.path.join(folder, "faults")
        self.watch = watch
        with open(self.path, "wb") as file:
            file.write(bytes(4096))
        with open(self.path, "r+b") as file:
            self.page = mmap.mmap(file.fileno(), 4096)

    def env(self):
        return {"LD_PRELOAD": lib.binary("FAULTIO"), "FAULTIO_CONTROL": self.path,
                "FAULTIO_WATCH": self.watch}

    def put(self, name, value):
        struct.pack_into("<q", self.page, 8 * self.FIELDS.index(name), value)

    def get(self, name):
        return struct.unpack_from("<q", self.page, 8 * self.FIELDS.index(name))[0]

    def plan(self, fault, nth=0, times=1, error=0):
        """Counts from here on; the fault is set last."""
        self.put("fault", 0)
        for name, value in (("nth", nth), ("times", times), ("error", error), ("fired", 0),
                            ("syncs", 0), ("writes", 0), ("opens", 0), ("allocs", 0),
                            ("folds", 0)):
            self.put(name, value)
        self.put("fault", self.NAMES[fault])

    def close(self):
        self.page.close()


class Books:
    """What was acknowledged, and what was ever seen."""

    def __init__(self):
        self.runs = {}        # id -> {"family", "key", "definition"}
        self.granted = set()  # (run, halt)
        self.resolved = set()
        self.cancelled = set()
        self.succeeded = {}   # run -> steps that were said to have succeeded
        self.used = {}        # (run, meter) -> the most that was said to be settled
        self.asked = 0        # operations tried
        self.answered = 0     # operations that succeeded


class World:
    """A store, a tool server, tokens, and runs of every family."""

    def __init__(self, rng, rules=(), folder=None, faults=False, sleepy=False):
        self.rng = rng
        self.place = lib.Place()
        self.folder = folder or self.place.folder
        self.db = os.path.join(self.folder, "stint.db")
        self.place.store = "sqlite:" + self.db
        self.tool = lib.ToolServer(self.place, rules)
        self.jobs = self.place.path("jobs")  # all that a job shares with us
        os.mkdir(self.jobs, 0o700)
        self.jobs_log = os.path.join(self.jobs, "log")
        self.faults = Faults(self.place.folder, self.db) if faults else None
        self.books = Books()
        self.tokens = {}
        self.number = 0
        self.sleepy = sleepy
        self.config = {
            "providers": {"local": {"api": "openai", "base_url": self.tool.url + "/v1"},
                          "exa": {"api": "exa", "base_url": self.tool.url},
                          "firecrawl": {"api": "firecrawl", "base_url": self.tool.url + "/v2"}},
            "prices": PRICES, "outgoing": {"allow": ["127.0.0.1/32"]},
            "sandbox": {"workdirs": [self.jobs]}}
        try:
            self.begin()
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def begin(self):
        """The store, and who may use it."""
        self.place.init()
        with self.life(shim=False) as daemon:
            admin = daemon.client(self.place.token)
            for role in ("submitter", "approver"):
                made = admin.post("/v1/tokens", {"role": role, "name": role}, key=role)
                self.tokens[role] = made.expect(201).json["token"]
            assert daemon.stop() == 0

    # the daemon

    def life(self, shim=True, env=None):
        """Starts a daemon, with the shim if there are faults. lib.NotReady when it does not come up."""
        kept = dict(self.place.env)
        if self.faults is not None and shim:
            self.place.env.update(self.faults.env())
        self.place.env.update(env or {})
        try:
            return self.place.serve(config=self.config)
        finally:
            self.place.env = kept

    def submitter(self, daemon):
        return daemon.client(self.tokens["submitter"])

    def approver(self, daemon):
        return daemon.client(self.tokens["approver"])

    # work

    def step(self, step, family, needs=()):
        """One step that makes one call."""
        url = self.tool.url + PATHS.get(family, "/")
        with_ = {
            "model": {"model": "local/m", "prompt": "hello", "max_output_tokens": 50},
            "search": {"provider": "exa", "query": "things", "results": 3},
            "extract": {"provider": "firecrawl", "url": "https://example.org/1"},
            "idempotent": {"method": "POST", "url": url, "idempotent": True, "body": {"s": step}},
            "once": {"method": "POST", "url": url, "body": {"s": step}},
            "job": {"run": [f"echo {{mark}}-{step} >> log"], "workdir": self.jobs,
                    "timeout_seconds": 20},
            "noop": {},
        }[family]
        uses = {"model": "model.generate", "search": "web.search", "extract": "web.extract",
                "job": "sandbox.job", "noop": "noop"}.get(family, "http.request")
        return {"id": step, "uses": uses, "needs": list(needs), "with": with_}

    def definition(self, family):
        self.number += 1
        mark = f"run-{self.number}"
        if family == "mixed":
            order = self.rng.sample(FAMILIES, len(FAMILIES))
            steps = [self.step(f"s{i}", name, [f"s{i - 1}"] if i else [])
                     for i, name in enumerate(order)]
        elif family == "plain":
            steps = [self.step(f"s{i}", "noop", [f"s{i - 1}"] if i else []) for i in range(8)]
        elif family == "halting":
            steps = [self.step("a", "noop"), self.step("b", "idempotent", ["a"])]
        elif family == "sleeping":
            steps = [self.step("a", "noop"),
                     {"id": "w", "uses": "sleep", "needs": ["a"], "with": {"seconds": 1}},
                     self.step("b", "idempotent", ["w"])]
        else:
            steps = [self.step("a", family), self.step("b", "noop", ["a"])]
        budget = {"tool_steps": 1} if family == "halting" else {}
        text = json.dumps({"stint": 1, "name": mark, "kind": "implementation", "budget": budget,
                           "steps": steps})
        return json.loads(text.replace("{mark}", mark))

    def submit(self, daemon, family=None):
        """Tries; gives the run's id when it was acknowledged."""
        names = (*FAMILIES, "mixed", "plain", "halting", *(("sleeping",) if self.sleepy else ()))
        return self.send(daemon, self.definition(family or self.rng.choice(names)))

    def submit_steps(self, daemon, steps):
        self.number += 1
        text = json.dumps({"stint": 1, "name": f"run-{self.number}", "kind": "implementation",
                           "steps": steps})
        return self.send(daemon, json.loads(text.replace("{mark}", f"run-{self.number}")))

    def send(self, daemon, definition):
        key = f"crash-{self.number}"
        self.books.asked += 1
        try:
            answer = self.submitter(daemon).post("/v1/runs", definition, key=key)
        except GONE:
            return None
        if answer.status != 201:
            return None
        self.books.answered += 1
        self.books.runs[answer.json["id"]] = {"key": key, "definition": definition,
                                              "name": definition["name"]}
        return answer.json["id"]

    def look(self, daemon, run):
        """Reads the run, and holds it against what was read before (I9, I20)."""
        found = self.submitter(daemon).run(run)
        done = {step["id"] for step in found["steps"] if step["state"] == "succeeded"}
        before = self.books.succeeded.setdefault(run, set())
        assert before <= done, f"I9: {run}: {before - done} had succeeded and has not any more"
        before |= done
        for meter, account in found["envelope"].items():
            settled = account["settled"]
            most = self.books.used.get((run, meter), 0)
            assert settled >= most, f"I20: {run} {meter}: {settled} used, it was {most}"
            self.books.used[run, meter] = settled
        return found

    def decide(self, daemon, halt, decision, name):
        self.books.asked += 1
        try:
            answer = self.approver(daemon).post(f"/v1/runs/{halt['run']}/halts/{halt['id']}",
                                                decision, key=f"{name}-{halt['id']}")
        except GONE:
            return False
        self.books.answered += answer.status == 200
        return answer.status == 200

    def halts(self, daemon, *kinds):
        found = self.approver(daemon).get("/v1/approvals").expect(200).json
        found = found if isinstance(found, list) else found["approvals"]
        return [halt for halt in found if halt["kind"] in kinds]

    def approve(self, daemon, most=100):
        for halt in self.halts(daemon, "budget", "approval")[:most]:
            done = self.decide(daemon, halt, {"decision": "grant"}, "approve")
            if done and halt["kind"] == "budget":
                self.books.granted.add((halt["run"], halt["id"]))

    def marks(self):
        """What jobs have really done: how often each mark was written."""
        found = {}
        if os.path.exists(self.jobs_log):
            with open(self.jobs_log, encoding="utf-8") as file:
                for line in file:
                    found[line.strip()] = found.get(line.strip(), 0) + 1
        return found

    def resolve(self, daemon, runs):
        """Calls in doubt, also of cancelled runs: the tool server and the jobs' file know."""
        doubts = [(run, hold) for run in runs
                  for hold in self.submitter(daemon).get(f"/v1/runs/{run}/holds").expect(200).json
                  if hold["state"] == "in_doubt"]
        if not doubts:
            return
        sent = {line["idempotency_key"].rsplit("-", 1)[0] for line in self.tool.lines("request")
                if line.get("idempotency_key")}
        marks = self.marks()
        for run, hold in doubts:
            name = self.submitter(daemon).run(run)["name"]
            happened = hold["call"] in sent or f"{name}-{hold['step']}" in marks
            decision = {"decision": "resolve", "call": hold["call"],
                        "outcome": "happened" if happened else "did_not_happen"}
            if self.decide(daemon, {"run": run, "id": NO_HALT}, decision, f"resolve-{hold['id']}"):
                self.books.resolved.add((run, hold["call"]))

    def post(self, daemon, path):
        """A change of a run; true when it was acknowledged."""
        self.books.asked += 1
        try:
            answer = self.submitter(daemon).post(path, {"reason": "chaos"})
        except GONE:
            return False
        self.books.answered += answer.status == 200
        return answer.status == 200

    def cancel(self, daemon, run):
        if self.post(daemon, f"/v1/runs/{run}/cancel"):
            self.books.cancelled.add(run)

    # the end

    def all_runs(self, daemon):
        """Also those whose submit was not answered."""
        runs, cursor = [], ""
        while cursor is not None:
            page = self.submitter(daemon).get(f"/v1/runs?limit=100{cursor}").expect(200).json
            runs += [run["id"] for run in page["runs"]]
            cursor = f"&cursor={page['next_cursor']}" if page.get("next_cursor") else None
        return runs

    def settle(self, daemon, patience=60):
        """Decides what waits, until every run has ended and no hold is left."""
        end = time.monotonic() + patience
        left = self.all_runs(daemon)
        while left:
            assert time.monotonic() < end, \
                f"not all runs ended: {json.dumps([self.look(daemon, r) for r in left][:1])[:1500]}"
            self.resolve(daemon, left)
            self.approve(daemon)
            for halt in self.halts(daemon, "paused"):
                self.post(daemon, f"/v1/runs/{halt['run']}/resume")
            left = [run for run in left if self.look(daemon, run)["state"] not in FINAL
                    or self.submitter(daemon).get(f"/v1/runs/{run}/holds").json]
            time.sleep(0.01)

    def settle_down(self, patience=60):
        with self.life(shim=False) as daemon:
            self.settle(daemon, patience)
            self.ask_again(daemon)
            assert daemon.stop() == 0

    def ask_again(self, daemon):
        """I18: what was acknowledged is answered the same, and is not made a second time."""
        before = len(self.all_runs(daemon))
        for run, known in self.rng.sample(sorted(self.books.runs.items()),
                                          min(5, len(self.books.runs))):
            answer = self.submitter(daemon).post("/v1/runs", known["definition"], key=known["key"])
            assert answer.expect(201).json["id"] == run, f"I18: {run} came back as {answer.json['id']}"
        assert len(self.all_runs(daemon)) == before, "I18: a run was made twice"

    def judge(self, path=None, at_rest=True, lines=None, clock=True):
        """The oracles; raises when an invariant is broken. Gives how often each was checked."""
        lines = self.tool.lines() if lines is None else lines
        return oracle.judge(path or self.db, lines, self.books, self.marks(), at_rest, clock)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.tool.stop()
        if self.faults is not None:
            self.faults.close()
        if kind is None or not os.environ.get("STINT_KEEP"):
            self.place.__exit__(kind, value, trace)
        else:
            print(f"kept: {self.place.folder}", file=sys.stderr)
