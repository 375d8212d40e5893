# SPDX-License-Identifier: Apache-2.0
"""Does the demo keep its promises: a halt, nothing in between, an approval, a test that passes,
and nothing left behind; and does it say so when it could not?"""
import fcntl
import http.server
import json
import os
import pty
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time

import lib

SOURCE = os.environ["ST_SOURCE_DIR"]
STINT = lib.binary()
DEMO = ["sh", os.path.join(SOURCE, "orchestrator", "demo")]
KEYS = ("ANTHROPIC_API_KEY", "OPENAI_API_KEY")
SECONDS_MAX = 30
NOBODY = 65534


def expect(true, what):
    assert true, what


def environment(folder, **more):
    env = {k: v for k, v in os.environ.items() if not k.startswith("STINT") and k not in KEYS}
    return {**env, "STINT_BIN": STINT, "TMPDIR": folder, "NO_COLOR": "1", **more}


class Folder:
    """A place for the demo's directory, which has to be empty again afterwards."""

    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix="stint-e2e-")
        os.chmod(self.path, 0o700)
        return self.path

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)


def run_quietly(folder, **more):
    """Without a terminal. (exit code, all output)"""
    options = {k: more.pop(k) for k in ("user",) if k in more}
    done = subprocess.run(DEMO, env=environment(folder, **more), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120, text=True,
                          cwd=folder, check=False, **options)
    return done.returncode, done.stdout


def run_embedded(folder, answers):
    """`answers`: what is typed at each question, in pairs (text that asks, line)."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 400, 0, 0))
    child = subprocess.Popen(DEMO, env=environment(folder), stdin=theirs, stdout=theirs,
                             stderr=theirs, cwd=folder, start_new_session=True)
    os.close(theirs)
    output, looked_at, until = b"", 0, time.monotonic() + 120
    answers = list(answers)
    while time.monotonic() < until:
        if not select.select([ours], [], [], 1)[0]:
            continue
        try:
            chunk = os.read(ours, 65536)
        except OSError:
            break
        if not chunk:
            break
        output += chunk
        if answers and answers[0][0].encode() in output[looked_at:]:
            looked_at = len(output)
            os.write(ours, (answers.pop(0)[1] + "\n").encode())
    else:
        child.kill()
    code = child.wait()
    os.close(ours)
    return code, output.decode("utf-8", "replace")


def expect_whole(code, output, folder):
    expect(code == 0, f"the demo ended with {code}:\n{output[-3000:]}")
    for part in ("run.halted", "verdict.refused", "asked 3275, remaining 2501", "decision.granted",
                 "tokens: limit 3000", "run.succeeded", "events between: 0; calls or steps among them: 0",
                 "model calls: 3, of them replayed: 3; jobs: 3", "$ make -s test",
                 "test_ring: failed", "test_ring: passed", "halted, approved, finished"):
        expect(part in output, f"the demo's output lacks {part!r}")
    expect(os.listdir(folder) == [], f"left behind: {os.listdir(folder)}")


def test_without_a_terminal():
    with Folder() as folder:
        began = time.monotonic()
        code, output = run_quietly(folder)
        took = time.monotonic() - began
        expect_whole(code, output, folder)
        expect("no terminal: approving as" in output, "who approved without a terminal is not said")
        expect(took < SECONDS_MAX, f"the demo took {took:.1f} s")


def test_the_store_says_the_same():
    with Folder() as folder:
        code, output = run_quietly(folder, STINT_DEMO_KEEP="1")
        expect(code == 0, f"with KEEP the demo ended with {code}:\n{output[-2000:]}")
        kept = os.path.join(folder, os.listdir(folder)[0])
        expect(f"kept: {os.path.realpath(kept)}" in output, "what is kept is not said")
        said = subprocess.run([STINT, "timeline", "last", "--json", "--store",
                               f"sqlite:{kept}/runs.db"], stdout=subprocess.PIPE, check=True)
        events = json.loads(said.stdout)
        types = [e["type"] for e in events]
        halted, granted = types.index("run.halted"), types.index("decision.granted")
        expect(granted == halted + 1, f"between halt and grant: {types[halted + 1:granted]}")
        before = [e["step"] for e in events[:halted] if e["type"] == "call.held"]
        after = [e["step"] for e in events[granted:] if e["type"] == "call.held"]
        expect(before == ["look", "plan"], f"held before the halt: {before}")
        expect(after == ["patch", "apply", "test", "summary"], f"held after the grant: {after}")
        replayed = {e["step"] for e in events if e["data"].get("replayed")}
        expect(replayed == {"plan", "patch", "summary"}, f"marked as replayed: {replayed}")
        with open(os.path.join(kept, "project", "ring.c"), encoding="utf-8") as file:
            expect("ring->len >= RING_MAX" in file.read(), "the patch was not applied")


def test_at_a_terminal():
    with Folder() as folder:
        code, output = run_embedded(folder, [("[a]pprove", "a")])
        expect_whole(code, output, folder)
        expect("no terminal" not in output, "somebody else than the person approved")


def test_without_approval_it_does_not_go_on():
    for answer, state in (("d", "denied"), ("l", "waits")):
        with Folder() as folder:
            code, output = run_embedded(folder, [("[a]pprove", answer)])
            expect(code not in (0, None), f"after {answer!r} the demo ended with {code}")
            expect(state in output, f"after {answer!r} the output lacks {state!r}")
            expect("test_ring: passed" not in output, f"after {answer!r} the run went on")
            expect(os.listdir(folder) == [], f"left behind: {os.listdir(folder)}")


def test_a_broken_promise_is_not_a_success():
    with Folder() as folder:
        wrapper = os.path.join(folder, "stint")
        with open(wrapper, "w", encoding="utf-8") as file:
            file.write(f'#!/bin/sh\ncase $1 in approve) exit 4 ;; esac\nexec "{STINT}" "$@"\n')
        os.chmod(wrapper, 0o700)
        code, output = run_quietly(folder, STINT_BIN=wrapper)
        expect(code == 1, f"with a decision that fails the demo ended with {code}")
        expect("was denied" in output, "why the demo failed is not said")


class Model(http.server.BaseHTTPRequestHandler):
    """Speaks OpenAI's API and says what answers.json says, in its order."""

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        entry = self.server.answers.pop(0) if self.server.answers else self.server.last
        body = json.dumps(entry["response"]["body"]).encode()
        self.server.asked += 1
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def test_a_real_model_is_really_asked():
    with open(os.path.join(SOURCE, "docs/examples/demo/answers.json"), encoding="utf-8") as file:
        answers = json.load(file)["entries"]
    for usable in (True, False):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
        server.answers = answers[:] if usable else []
        server.last, server.asked = answers[0], 0  # a plan where a patch was asked for
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with Folder() as folder:
            code, output = run_quietly(
                folder, STINT_DEMO_REAL="1",
                STINT_DEMO_MODEL_URL=f"http://127.0.0.1:{server.server_port}/v1")
            if usable:
                expect(code == 0, f"with a model the demo ended with {code}:\n{output[-3000:]}")
                expect("of them replayed: 0" in output, "answers of a model are said to be replayed")
                expect(server.asked == 3, f"the model was asked {server.asked} times")
            else:
                expect(code == 1, f"without a usable patch the demo ended with {code}")
            expect(os.listdir(folder) == [], f"left behind: {os.listdir(folder)}")
        server.shutdown()
        server.server_close()


def test_as_an_ordinary_user():
    if os.geteuid() != 0:
        return
    readable = subprocess.run([STINT, "--version"], user=NOBODY, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, check=False) if can_pass() else None
    if readable is None or readable.returncode != 0:
        print("left out: the source tree is not readable for an ordinary user")
        return
    with Folder() as folder:
        os.chown(folder, NOBODY, NOBODY)
        code, output = run_quietly(folder, user=NOBODY, HOME=folder)
        expect_whole(code, output, folder)


def can_pass():
    path = os.path.realpath(STINT)
    while path != "/":
        path = os.path.dirname(path)
        if not os.stat(path).st_mode & 0o001:
            return False
    return True


missing = [tool for tool in ("cc", "make", "patch") if shutil.which(tool) is None]
if missing:
    print(f"skipped: the demo's jobs need {', '.join(missing)}")
    sys.exit(lib.SKIP)
lib.main(globals())
