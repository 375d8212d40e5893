# SPDX-License-Identifier: Apache-2.0
"""How do the tests reach programs that nobody here wrote?

The starters stand in ../shared/counterparts beside the source. What they install by name through
npm is kept between runs in $ST_COUNTERPARTS, else in the user's cache folder. Everything listens on
127.0.0.1, on a port that was free a moment ago, and ends with the test.
"""
import contextlib
import ctypes
import fcntl
import http.client
import http.server
import json
import os
import platform
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

import lib

INSTALL_SECONDS = 240
START_SECONDS = 60
RUN_SECONDS = 60
PACKAGES = {"prism": "prism", "llm": "llama", "sdk": "sdk"}


def skip(reason):
    print(f"skipped: {reason}", flush=True)
    sys.exit(lib.SKIP)


def folder():
    """Where the starters are. Skips the test when something it needs is not there."""
    source = os.environ.get("ST_SOURCE_DIR") or os.path.join(os.path.dirname(__file__), "../../..")
    path = os.path.normpath(os.path.join(source, "..", "shared", "counterparts"))
    if not os.path.isdir(path):
        skip("../shared/counterparts is not beside the source")
    for program in ("bash", "node", "npm"):
        if shutil.which(program) is None:
            skip(f"there is no {program} here")
    lib.binary()
    return path


def scratch():
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    path = os.environ.get("ST_COUNTERPARTS") or os.path.join(cache, "stint", "counterparts")
    os.makedirs(path, exist_ok=True)
    return path


def is_installed(name):
    package = PACKAGES.get(name)
    return package is None or os.path.exists(os.path.join(scratch(), "npm", package, ".ok"))


def without_gpus(environment):
    """llama.cpp comes prebuilt for every graphics card, 600 MB in all; the tests use none."""
    build = {"x86_64": "linux-x64", "aarch64": "linux-arm64"}.get(platform.machine())
    with open(os.path.join(folder(), "llm", "up"), encoding="utf-8") as file:
        version = re.search(r"node-llama-cpp@([0-9.]+)", file.read())
    if platform.system() != "Linux" or build is None or version is None:
        return environment
    place = os.path.join(scratch(), "npm", "llama")
    os.makedirs(place, exist_ok=True)
    with open(os.path.join(place, "package.json"), "w", encoding="utf-8") as file:
        json.dump({"private": True, "dependencies": {f"@node-llama-cpp/{build}": version[1]}}, file)
    return {**environment, "npm_config_omit": "optional"}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


@contextlib.contextmanager
def installing():
    """Two checkouts that test at once must not install into one folder at once."""
    with open(os.path.join(scratch(), "lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class Program:
    """One started counterpart."""

    def __init__(self, name, *arguments):
        self.name, self.port = name, free_port()
        self.cold = not is_installed(name)
        environment = {**os.environ, "SCRATCH": scratch()}
        if name == "llm" and self.cold:
            environment = without_gpus(environment)
        self.output = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")
        self.process = subprocess.Popen(
            [os.path.join(folder(), name, "up"), str(self.port), *arguments], env=environment,
            stdin=subprocess.DEVNULL, stdout=self.output, stderr=self.output,
            start_new_session=True, preexec_fn=die_with_parent)
        self.url = f"http://127.0.0.1:{self.port}"

    def said(self):
        self.output.seek(0)
        return self.output.read()

    def wait(self):
        end = time.monotonic() + START_SECONDS + (INSTALL_SECONDS if self.cold else 0)
        while f"READY {self.port} " not in self.said():
            code = self.process.poll()
            late = time.monotonic() > end
            if (code == 3 or late) and not is_installed(self.name):
                self.stop()
                skip(f"npm cannot install {self.name}: {self.said().strip()[-300:]}")
            assert code is None and not late, f"{self.name} does not start: {self.said()}"
            time.sleep(0.05)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()


@contextlib.contextmanager
def running(*wanted):
    """running(("prism", "exa"), ("llm",)): started programs, in that order."""
    programs = []
    folder()
    try:
        with installing():
            for name, *arguments in wanted:
                programs.append(Program(name, *arguments))
                if programs[-1].cold:
                    programs[-1].wait()
            for program in programs:
                program.wait()
        yield programs
    finally:
        for program in programs:
            program.stop()


def run_starter(path, *arguments):
    """Runs a starter that ends by itself; gives its text."""
    name = path.split("/")[0]
    cold = not is_installed(name)
    with installing():
        try:
            done = subprocess.run([os.path.join(folder(), path), *arguments],
                                  env={**os.environ, "SCRATCH": scratch()}, capture_output=True,
                                  text=True, check=False, stdin=subprocess.DEVNULL,
                                  timeout=START_SECONDS + (INSTALL_SECONDS if cold else 0))
        except subprocess.TimeoutExpired:
            if not is_installed(name):
                skip(f"npm does not install {name} within {INSTALL_SECONDS} s")
            raise
    if not is_installed(name):
        skip(f"npm cannot install {name}: {done.stderr.strip()[-300:]}")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def ask(url, path, body, headers=None):
    """One POST; gives (status, JSON)."""
    host, port = url[len("http://"):].split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=RUN_SECONDS)
    try:
        text = body if isinstance(body, (str, bytes)) else json.dumps(body)
        connection.request("POST", path, text, {"content-type": "application/json", **(headers or {})})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or b"null")
    finally:
        connection.close()


class Exchange:
    """What went through a relay."""

    def __init__(self, path, headers, body):
        self.path, self.headers, self.body = path, headers, body
        self.status, self.answer = None, None

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def answer_json(self):
        return json.loads(self.answer)


class Relay:
    """Stands between stint and a counterpart, keeps what passes, and changes it when told to.

    on_request(exchange) may change .headers and .body, on_answer(exchange) may change .answer.
    """

    HOP = {"host", "connection", "content-length", "transfer-encoding", "accept-encoding", "expect"}

    def __init__(self, target, on_request=None, on_answer=None):
        self.target, self.on_request, self.on_answer = target, on_request, on_answer
        self.exchanges = []
        relay = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):  # pylint: disable=invalid-name
                relay.pass_on(self)

            def log_message(self, *_):  # pylint: disable=arguments-differ
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def pass_on(self, handler):
        body = handler.rfile.read(int(handler.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in handler.headers.items()
                   if name.lower() not in self.HOP}
        exchange = Exchange(handler.path, headers, body)
        self.exchanges.append(exchange)
        if self.on_request is not None:
            self.on_request(exchange)
        host, port = self.target[len("http://"):].split(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=RUN_SECONDS)
        try:
            connection.request("POST", exchange.path, exchange.body, exchange.headers)
            answer = connection.getresponse()
            kind = answer.getheader("content-type", "application/json")
            exchange.status, exchange.answer = answer.status, answer.read()
        finally:
            connection.close()
        if self.on_answer is not None:
            self.on_answer(exchange)
        handler.send_response(exchange.status)
        handler.send_header("content-type", kind)
        handler.send_header("content-length", str(len(exchange.answer)))
        handler.end_headers()
        handler.wfile.write(exchange.answer)

    def last(self):
        assert self.exchanges, "nothing came by"
        return self.exchanges[-1]

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


class Run:
    """A run that stint has driven to where it stops, as its store tells it."""

    def __init__(self, stint, done):
        self.stint, self.code, self.stderr = stint, done.returncode, done.stderr
        self.events = [json.loads(line) for line in done.stdout.splitlines()]
        self.id = self.events[0]["run"] if self.events else None

    def expect(self, code):
        assert self.code == code, f"exit {self.code}, not {code}: {self.stderr}{self.failures()}"
        return self

    def of(self, kind, step=None):
        return [event["data"] for event in self.events
                if event["type"] == kind and step in (None, event["step"])]

    def one(self, kind, step=None):
        found = self.of(kind, step)
        assert len(found) == 1, f"{len(found)} {kind} of {step}: {found} {self.failures()}"
        return found[0]

    def failures(self):
        return json.dumps(self.of("step.failed") + self.of("run.failed"), ensure_ascii=False)

    def output(self, step):
        rows = self.stint.query("SELECT output FROM v_step WHERE run = ? AND id = ?", self.id, step)
        assert len(rows) == 1, rows
        return json.loads(rows[0][0])

    def account(self, meter):
        """(limit, granted, settled, held, overrun, remaining) of the run; held to promise 3."""
        rows = self.stint.query("SELECT \"limit\", granted, settled, held, overrun, remaining "
                                "FROM v_account WHERE run = ? AND scope = 'run' AND meter = ?",
                                self.id, meter)
        assert len(rows) == 1, rows
        limit, granted, settled, held, overrun, remaining = rows[0]
        assert remaining >= 0, rows
        assert limit + granted + max(0, settled + held - limit - granted) == settled + held + remaining
        return rows[0]


class Stint(lib.Place):
    """A store and a config of their own, and `stint run` on them."""

    def __init__(self, config, **variables):
        super().__init__()
        self.config = self.write("config.json", config)
        self.env.update(variables)

    def command(self, *arguments):
        return self.stint(*arguments, "--store", self.store, "--config", self.config, "--json",
                          timeout=RUN_SECONDS)

    def run(self, *steps, budget=None):
        budgets = {} if budget is None else {"budget": budget}
        definition = lib.definition(*steps, **budgets)
        return Run(self, self.command("run", self.write("run.json", definition)))

    def query(self, sql, *values):
        with contextlib.closing(sqlite3.connect(self.path("stint.db"))) as connection:
            return connection.execute(sql, values).fetchall()


def generate(step, model, **more):
    """A step that asks a model once."""
    outer = {name: more.pop(name) for name in ("continue_on_error", "needs", "retry") if name in more}
    return {"id": step, "uses": "model.generate", **outer, "with": {"model": model, **more}}


def report(check, *arguments):
    """Runs a check, says how long it took."""
    begun = time.monotonic()
    check(*arguments)
    told = " ".join([check.__name__, *(str(x) for x in arguments if isinstance(x, (int, str)))])
    print(f"ok {told} {time.monotonic() - begun:.1f} s", flush=True)
