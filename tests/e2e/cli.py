# SPDX-License-Identifier: Apache-2.0
"""Does the command line do what its manual says, also for those who mistype?"""
import json
import os
import pty
import re
import select
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import time

import lib
from lib import definition

DONE, FAILED, USAGE, HALTED, REFUSED, UNREACHABLE = range(6)
TIGHT = definition({"id": "a", "uses": "noop"}, {"id": "b", "uses": "noop", "needs": ["a"]},
                   {"id": "c", "uses": "noop", "needs": ["b"]}, budget={"tool_steps": 1})
ASKS = definition({"id": "ask", "uses": "approval", "with": {"message": "go \u001b[31mon?\u202e"}})
FAR = "r_01890000-0000-7000-8000-000000000000"


def expect(done, *codes):
    assert done.returncode in codes, (done.args, done.returncode, done.stdout[-800:], done.stderr[-800:])
    return done


def commands(place):
    """The words of every command, as the help lists them."""
    text = expect(place.stint("help"), DONE).stdout
    listed = text.split("commands:\n")[1].split("\n\n")[0].splitlines()
    return [line[2:17].strip() for line in listed]


def newest(place):
    return expect(place.stint("show", "last", "--json", "--store", place.store), DONE).stdout


def halted(place, doc=None):
    """Runs until it is halted; gives the run's id."""
    path = place.write("halted.json", doc or TIGHT)
    expect(place.stint("run", path, "--store", place.store), HALTED)
    return json.loads(newest(place))["id"]


def on_store(place):
    """A client command on the store, its output as JSON."""
    def ask(*words, code=DONE):
        done = expect(place.stint(*words, "--json", "--store", place.store), code)
        return json.loads(done.stdout) if code == DONE else json.loads(done.stderr)
    return ask


# ---- help ----

def test_every_command_explains_itself():
    with lib.Place() as place:
        words = commands(place)
        assert len(words) > 20 and "token create" in words, words
        for command in words:
            asked = [place.stint(*command.split(), "--help"), place.stint("help", *command.split())]
            assert asked[0].stdout == asked[1].stdout
            for done in asked:
                expect(done, DONE)
                assert f"usage: stint {command}" in done.stdout and not done.stderr, done
            example = asked[0].stdout.split("example:\n  ")[1].strip()
            argv = shlex.split(example)
            assert argv[0] == "stint" and argv[1:1 + len(command.split())] == command.split()
            # With --help behind it an example is parsed in full and does nothing.
            expect(place.stint(*argv[1:], "--help"), DONE)


def test_manual_and_completions_are_well_formed():
    with lib.Place() as place:
        manual = expect(place.stint("help", "man"), DONE).stdout
        for command in commands(place):
            assert f".SS stint {command}" in manual, command
        if shutil.which("groff"):
            done = subprocess.run(["groff", "-man", "-Tutf8", "-Kutf8", "-ww"], input=manual, text=True,
                                  capture_output=True, check=True)
            assert not done.stderr, done.stderr
        for shell in ("bash", "zsh", "fish"):
            script = expect(place.stint("help", "completion", shell), DONE).stdout
            path = place.write("script", script)
            if shutil.which(shell):
                subprocess.run([shell, "-n", path], check=True)
        script = place.stint("help", "completion", "bash").stdout
        ask = script + '\nCOMP_WORDS=(stint "$@"); COMP_CWORD=$#; _stint; echo "${COMPREPLY[@]}"\n'
        def complete(*words):
            return subprocess.run(["bash", "-c", ask, "bash", *words], text=True, capture_output=True,
                                  check=True).stdout.split()
        assert complete("app") == ["approvals", "approve"]
        assert {"create", "list", "revoke", "--role"} <= set(complete("token", ""))
        assert complete("approve", "--gr") == ["--grant"]
        expect(place.stint("help", "completion", "csh"), USAGE)


def test_slips_are_answered_with_what_comes_near():
    with lib.Place() as place:
        done = expect(place.stint("aprove"), USAGE)
        assert 'did you mean "approve"' in done.stderr
        assert "no option --grnat" in expect(place.stint("approve", "last", "--grnat=1"), USAGE).stderr
        assert "takes METER=AMOUNT" in expect(place.stint("approve", "last", "--grant"), USAGE).stderr


# ---- exit codes ----

def test_exit_codes():
    with lib.Place() as place:
        good = place.write("good.json", definition())
        bad = place.write("bad.json", {"stint": 1})
        fails = place.write("fails.json", definition({"id": "x", "uses": "sandbox.job",
                                                      "with": {"run": ["exit 3"]}}))
        tight = place.write("tight.json", TIGHT)
        store = ("--store", place.store)
        for argv, code in (
                (("run", good, *store), DONE), (("run", fails, *store), FAILED),
                (("run", bad, *store), USAGE), (("run", place.path("missing"), *store), USAGE),
                (("run", tight, *store), HALTED), (("pause", "last", *store), (DONE, REFUSED)),
                (("show", "last", *store), DONE), (("list", *store), DONE),
                (("approvals", *store), DONE), (("show", FAR, *store), USAGE),
                (("approve", FAR, *store), USAGE), (("resolve", "last", *store), USAGE),
                (("resume", "last", "--config", bad, *store), USAGE),
                (("list", "--store", "sqlite:" + place.path("none.db")), USAGE),
                (("list", "--store", "postgresql://h/d"), USAGE),
                (("list", "--url", "http://127.0.0.1:1"), UNREACHABLE),
                (("list", "--url", "unix:" + place.path("none.sock")), UNREACHABLE),
                (("list", "--url", "https://example.com"), USAGE),
                (("list", "--url", "http://example.com"), UNREACHABLE),
                (("list", "--url", "http://127.0.0.1:1", *store), USAGE),
                (("submit", good), UNREACHABLE), (("submit", good, "--dry-run"), DONE),
                (("check", good), DONE), (("check", bad), USAGE),
                (("cancel", "last", *store), DONE), (("approve", "last", *store), REFUSED),
                (("help",), DONE), (("help", "nothing"), USAGE), (("nothing",), USAGE),
                (("--version",), DONE), ((), DONE), (("list", "extra", *store), USAGE)):
            expect(place.stint(*argv), *(code if isinstance(code, tuple) else (code,)))
        empty = lib.Place()
        with empty:
            empty.env.pop("XDG_STATE_HOME")
            empty.env["HOME"] = empty.folder
            expect(empty.stint("list"), UNREACHABLE)


# ---- on a store ----

def test_a_run_halts_and_goes_on_in_other_processes():
    with lib.Place() as place:
        run = halted(place)
        ask = on_store(place)
        found = ask("show", run)
        assert found["state"] == "halted" and found["halt"]["kind"] == "budget"
        refused = found["halt"]["verdict"]["refused"][0]
        assert (refused["meter"], refused["limit"], refused["settled"], refused["asked"]) == \
            ("tool_steps", 1, 1, 1)
        shown = expect(place.stint("show", "last", "--store", place.store), DONE).stdout
        assert f"stint approve {run}" in shown and "tool_steps=1" in shown
        assert re.search(r"tool_steps +\[#{20}\] +1/1", shown), shown

        done = expect(place.stint("approve", "last", "--store", place.store), HALTED)
        assert "run.submitted" not in done.stdout, "what was told before is not told again"
        assert "decision.granted" in done.stdout and "verdict.refused" in done.stdout
        expect(place.stint("approve", run[:20], "--grant", "tool_steps=5", "--reason", "enough",
                           "--store", place.store), DONE)
        found = ask("show", run)
        account = found["envelope"]["tool_steps"]
        assert found["state"] == "succeeded" and account == {
            "limit": 1, "granted": 6, "settled": 3, "held": 0, "remaining": 4}, account
        timeline = ask("timeline", run)
        assert [event["seq"] for event in timeline] == list(range(1, len(timeline) + 1))
        granted = [event["data"] for event in timeline if event["type"] == "decision.granted"]
        assert granted[1]["reason"] == "enough" and granted[1]["embedded"] is True
        assert sum(event["type"] == "call.settled" for event in timeline) == 3
        followed = expect(place.stint("timeline", run, "--follow", "--json", "--store", place.store), DONE)
        assert [json.loads(line) for line in followed.stdout.splitlines()] == timeline


def test_deny_cancel_pause_and_resume_on_a_store():
    with lib.Place() as place:
        ask = on_store(place)
        run = halted(place)
        told = expect(place.stint("deny", run, "--reason", "too dear", "--json", "--store", place.store), DONE)
        events = [json.loads(line) for line in told.stdout.splitlines()]
        assert events[0]["type"] == "decision.denied" and events[0]["data"]["reason"] == "too dear"
        assert events[-1]["type"] == "run.failed" and ask("show", run)["state"] == "failed"
        assert ask("approve", run, code=REFUSED)["error"] == "conflict"

        run = halted(place)
        assert ask("cancel", run)["state"] == "cancelled"
        assert ask("show", run)["state"] == "cancelled"

        run = halted(place)
        wrong = "halt_01890000-0000-7000-8000-000000000000"
        assert ask("approve", run, "--halt", wrong, code=REFUSED)["error"] == "conflict"
        assert ask("show", run)["state"] == "halted", "a decision counts for the halt it was made for"
        right = ask("show", run)["halt"]["id"]
        expect(place.stint("approve", run, "--halt", right, "--store", place.store), HALTED)


def test_a_doubt_is_resolved_on_a_store():
    with lib.Place() as place, lib.ToolServer(place) as tool:
        port = tool.ready["port"]
        config = place.write("config.json", {"outgoing": {"allow": [f"127.0.0.1/32:{port}"]}})
        post = {"id": "post", "uses": "http.request",
                "with": {"url": tool.url + "/drop-after", "method": "POST", "body": {"n": 1}}}
        path = place.write("post.json", definition(post, budget={"dangerous_ops": 1}))
        both = ("--store", place.store, "--config", config)
        ask = on_store(place)
        done = expect(place.stint("run", path, *both), HALTED)
        if ask("show", "last")["halt"]["kind"] == "dangerous":
            done = expect(place.stint("approve", "last", *both), HALTED)
        halt = ask("show", "last")["halt"]
        assert halt["kind"] == "in_doubt" and "call.in_doubt" in done.stdout, (halt, done.stdout)
        shown = expect(place.stint("show", "last", "--store", place.store), DONE).stdout
        assert f"stint resolve {halt['run'] if 'run' in halt else ask('show', 'last')['id']} --call " in shown
        held = ask("holds", "last")
        assert [hold["state"] for hold in held] == ["in_doubt"] and held[0]["released_by"]
        assert halt["call"] in expect(place.stint("holds", "--store", place.store), DONE).stdout
        for bad in (("--as", "happened"), ("--call", halt["call"]), ("--call", "c_1", "--as", "happened"),
                    ("--call", halt["call"], "--as", "perhaps"),
                    ("--call", halt["call"], "--as", "happened", "--usage", "tokens=x")):
            expect(place.stint("resolve", "last", *bad, *both), USAGE)
        expect(place.stint("approve", "last", *both), REFUSED)
        expect(place.stint("resolve", "last", "--call", halt["call"], "--as", "happened",
                           "--external-id", "pr-17", "--reason", "seen there", *both), DONE)
        run = ask("show", "last")
        assert run["state"] == "succeeded" and ask("holds") == []
        assert "pr-17" in [found["id"] for found in run["steps"][0]["external_ids"]]
        assert "pr-17" in expect(place.stint("show", "last", "--store", place.store), DONE).stdout
        told = [line for line in tool.lines() if "/drop-after" in json.dumps(line)]
        assert [line["event"] for line in told].count("request") == 1, told


def test_pause_and_interrupt_and_resume_on_a_store():
    with lib.Place() as place:
        ask = on_store(place)
        nap = definition({"id": "nap", "uses": "sleep", "with": {"seconds": 1}})
        path = place.write("nap.json", nap)
        store = ("--store", place.store)
        process = subprocess.Popen([lib.binary(), "run", path, *store], env=place.env, text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for line in process.stdout:
            if "step.started" in line:
                break
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=lib.PATIENCE)
        assert process.returncode == HALTED and "stint resume r_" in said, (process.returncode, said)
        assert ask("show", "last")["state"] == "running"
        told = expect(place.stint("resume", "last", *store), DONE)
        assert "run.succeeded" in told.stdout and "run.submitted" not in told.stdout

        process = subprocess.Popen([lib.binary(), "run", path, *store], env=place.env, text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for line in process.stdout:
            if "step.started" in line:
                break
        process.kill()
        process.communicate(timeout=lib.PATIENCE)
        assert ask("pause", "last")["state"] == "halted"
        assert ask("show", "last")["halt"]["kind"] == "paused"
        told = expect(place.stint("resume", "last", *store), DONE)
        assert "run.resumed" in told.stdout and "run.succeeded" in told.stdout


def test_json_is_json_on_one_line():
    with lib.Place() as place:
        run = halted(place)
        ask = on_store(place)
        assert [r["id"] for r in ask("list")["runs"]] == [run]
        assert ask("list", "--state", "succeeded")["runs"] == []
        assert ask("list", "--state", "nonsense", code=USAGE)["pointer"] == "/state"
        assert ask("approvals")[0]["run"] == run
        assert ask("approvals", "--tenant", "other") == []
        assert ask("holds") == [] == ask("holds", run)
        usage = ask("usage", "--by", "step")
        assert usage["by"] == "step" and usage["total"]["usage"]["tool_steps"] == 1
        assert ask("usage", "--by", "colour", code=USAGE)["error"] == "invalid"
        assert ask("usage", "--from", "yesterday", code=USAGE)["pointer"] == "/from"
        calls = ask("transcript", run)
        assert calls and calls[0]["kind"] == "noop"
        assert ask("transcript", run, calls[0]["id"], code=USAGE)["error"] == "not_found"
        lines = expect(place.stint("export", "--store", place.store), DONE).stdout.splitlines()
        tables = {json.loads(line)["table"] for line in lines}
        assert {"run", "step", "event", "hold", "settlement"} <= tables, tables
        assert ask("doctor")["ok"] is True
        checked = ask_check(place, TIGHT)
        assert checked["valid"] is True and checked["steps"] == 3 and checked["budget"]["tool_steps"]


def ask_check(place, doc):
    done = expect(place.stint("check", place.write("check.json", doc), "--json"), DONE)
    assert done.stdout.count("\n") == 1
    return json.loads(done.stdout)


def test_ids_may_be_cut_and_never_guessed():
    with lib.Place() as place:
        first, second = halted(place), halted(place)
        ask = on_store(place)
        common = os.path.commonprefix([first, second])
        assert ask("show", "last")["id"] == second
        assert ask("show", first)["id"] == first
        unique = first[:len(common) + 1]
        assert ask("show", unique)["id"] == first == ask("show", unique[2:])["id"]
        assert "more than one" in ask("show", common, code=USAGE)["detail"]
        for bad in ("r_0", "", "r_", first[:-1] + "z", first + "0", "../x", "r_zzzzzz", "\x1b[2J"):
            assert ask("show", bad, code=USAGE)["error"] in ("invalid", "not_found")


def test_a_store_that_a_daemon_holds_names_it():
    with lib.Place() as place:
        place.init()
        with place.serve() as daemon:
            run = daemon.client(place.token).post("/v1/runs", TIGHT).expect(201).json["id"]
            for argv in (("cancel", run), ("token", "create", "--role", "viewer")):
                done = expect(place.stint(*argv, "--store", place.store), UNREACHABLE)
                assert str(daemon.process.pid) in done.stderr and "STINT_URL" in done.stderr, done.stderr
            assert on_store(place)("list")["runs"], "looking is possible beside a daemon"


# ---- with a server ----

def test_the_same_commands_with_a_server():
    with lib.Place() as place:
        place.init()
        with place.serve() as daemon:
            place.env["STINT_URL"], place.env["STINT_TOKEN"] = daemon.url, place.token
            client = daemon.client(place.token)
            path = place.write("tight.json", TIGHT)
            def ask(*words, code=DONE, token=place.token):
                done = expect(place.stint(*words, "--json", "--token", token), code)
                return json.loads(done.stdout if code == DONE else done.stderr)
            assert ask("submit", path, "--dry-run")["valid"] is True
            assert ask("list")["runs"] == []
            run = ask("submit", path, "--idempotency-key", "k1")["id"]
            assert ask("submit", path, "--idempotency-key", "k1")["id"] == run
            other = place.write("other.json", definition())
            assert ask("submit", other, "--idempotency-key", "k1", code=REFUSED)["error"] == "conflict"
            client.wait_state(run, "halted")
            assert ask("approve", run, code=REFUSED)["error"] == "forbidden", "one's own run"
            bob = ask("token", "create", "--role", "approver", "--name", "bob")
            told = expect(place.stint("approve", "last", "--wait", "--token", bob["token"]), HALTED)
            assert "decision.granted" in told.stdout and "run.submitted" not in told.stdout
            told = expect(place.stint("approve", run, "--grant", "run:tool_steps=3", "--wait", "--json",
                                      "--token", bob["token"]), DONE)
            events = [json.loads(line) for line in told.stdout.splitlines()]
            assert events[-1]["type"] == "run.succeeded"
            timeline = ask("timeline", run)
            assert timeline[-1] == events[-1]
            followed = expect(place.stint("timeline", run, "--follow", "--json"), DONE)
            assert [json.loads(line) for line in followed.stdout.splitlines()] == timeline
            assert ask("show", run)["envelope"]["tool_steps"]["granted"] == 4
            assert ask("usage")["total"]["usage"]["tool_steps"] == 3
            assert ask("holds") == [] == ask("approvals")
            lines = expect(place.stint("export", run), DONE).stdout.splitlines()
            assert json.loads(lines[0])["table"] == "run"
            assert expect(place.stint("submit", other, "--wait"), DONE).stdout.count("run.succeeded") == 1
            expect(place.stint("submit", path, "--wait"), HALTED)
            assert ask("deny", "last", token=bob["token"])["id"] == ask("list")["runs"][0]["id"]
            assert client.wait_state(ask("list")["runs"][0]["id"], "failed")["error"]["code"] == "denied"
            expect(place.stint("token", "revoke", bob["id"]), DONE)
            assert ask("list", token=bob["token"], code=REFUSED)["error"] == "unauthenticated"
            assert "bob" in expect(place.stint("token", "list"), DONE).stdout
            doctor = place.stint("doctor")
            assert "ok   server" in doctor.stdout, doctor.stdout
            place.env["STINT_TOKEN"] = "stint_no"
            assert "FAIL server" in expect(place.stint("doctor"), FAILED).stdout
            place.env["STINT_TOKEN"] = "two\nlines"
            expect(place.stint("list"), USAGE)


def test_a_follower_outlives_a_restart_of_the_daemon():
    with lib.Place() as place:
        place.init()
        sock = "unix:" + place.path("s")
        with place.serve(listen=sock) as daemon:
            client = daemon.client(place.token)
            run = client.post("/v1/runs", TIGHT).expect(201).json["id"]
            client.wait_state(run, "halted")
            place.env["STINT_URL"], place.env["STINT_TOKEN"] = sock, place.token
            follower = subprocess.Popen([lib.binary(), "timeline", run, "--follow", "--json"],
                                        stdout=subprocess.PIPE, env=place.env, text=True)
            seen = [json.loads(follower.stdout.readline())]
            while seen[-1]["type"] != "run.halted":
                seen.append(json.loads(follower.stdout.readline()))
            daemon.kill()
        with place.serve(listen=sock) as daemon:
            client = daemon.client(place.token)
            client.post(f"/v1/runs/{run}/cancel", {}).expect(200)
            rest, _ = follower.communicate(timeout=lib.PATIENCE)
            seen += [json.loads(line) for line in rest.splitlines()]
            assert follower.returncode == DONE
            assert [event["seq"] for event in seen] == list(range(1, len(seen) + 1))
            assert seen[-1]["type"] == "run.cancelled"


def test_a_run_that_sleeps_wakes_in_a_daemon_that_was_killed():
    with lib.Place() as place:
        place.init()
        with place.serve() as daemon:
            nap = definition({"id": "nap", "uses": "sleep", "with": {"seconds": 1}})
            run = daemon.client(place.token).post("/v1/runs", nap).expect(201).json["id"]
            daemon.kill()
        with place.serve() as daemon:
            place.env["STINT_URL"], place.env["STINT_TOKEN"] = daemon.url, place.token
            followed = expect(place.stint("timeline", run, "--follow"), DONE)
            assert "run.succeeded" in followed.stdout


def test_a_clock_far_behind_the_store_is_refused_until_it_is_accepted():
    with lib.Place() as place:
        place.init()
        with place.serve() as daemon:
            daemon.stop()
        db = sqlite3.connect(place.path("stint.db"))
        with db:
            found = db.execute("UPDATE meta SET value = value + ? WHERE name = 'alive_at'",
                               (2 * 86400 * 1000,)).rowcount
        db.close()
        assert found == 1
        done = expect(place.stint("serve", "--store", place.store, "--listen", "127.0.0.1:0"), USAGE)
        assert "--accept-clock" in done.stderr and "was in use at" in done.stderr, done.stderr
        path = place.write("run.json", definition({"id": "a", "uses": "noop"}))
        expect(place.stint("run", path, "--store", place.store), USAGE)
        with place.serve("--accept-clock") as daemon:
            daemon.stop()
        expect(place.stint("run", path, "--store", place.store), DONE)


def test_tokens_on_a_store():
    with lib.Place() as place:
        place.init()
        ask = on_store(place)
        made = ask("token", "create", "--role", "viewer", "--tenant", "acme", "--name", "eve")
        assert made["tenant"] == "acme" and made["token"].startswith("stint_")
        with place.serve() as daemon:
            daemon.client(made["token"]).get("/v1/runs").expect(200)
        assert ask("token", "revoke", made["id"])["revoked"] is True
        with place.serve() as daemon:
            daemon.client(made["token"]).get("/v1/runs").expect(401)
        short = ask("token", "create", "--role", "viewer", "--expires-in", "1")
        db = sqlite3.connect(place.path("stint.db"))
        with place.serve() as daemon:
            daemon.client(short["token"]).get("/v1/runs").expect(200)
        with db:
            db.execute("UPDATE token SET expires_at = created_at + 1 WHERE id = ?", (short["id"],))
        db.close()
        with place.serve() as daemon:
            assert "expired" in daemon.client(short["token"]).get("/v1/runs").expect(401).json["detail"]
        for bad in (("--role", "king"), (), ("--role", "viewer", "--name", "a b"),
                    ("--role", "viewer", "--expires-in", "0"), ("--role", "viewer", "--expires-in", "x"),
                    ("--role", "viewer", "--tenant", "../x")):
            assert ask("token", "create", *bad, code=USAGE)["error"] == "invalid"
        assert ask("token", "revoke", "t_nobody", code=USAGE)["error"] == "not_found"
        plain = expect(place.stint("token", "create", "--role", "viewer", "--store", place.store), DONE)
        assert re.fullmatch(r"stint_[A-Za-z0-9_-]{43}\n", plain.stdout), "fit for $(…)"


# ---- at a terminal ----

class Terminal:
    """A command that believes that a person watches."""

    def __init__(self, place, *argv):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(lib.binary(), [lib.binary(), *argv], {**place.env, "TERM": "xterm"})
        self.seen = ""

    def until(self, text):
        end = time.monotonic() + lib.PATIENCE
        while text not in self.seen:
            assert time.monotonic() < end, f"no {text!r} in {self.seen!r}"
            if not select.select([self.fd], [], [], 1)[0]:
                continue
            try:
                got = os.read(self.fd, 65536)
            except OSError:
                got = b""
            assert got, f"it ended without {text!r}: {self.seen!r}"
            self.seen += got.decode(errors="replace")
        self.seen = self.seen.split(text, 1)[1]

    def type(self, text):
        os.write(self.fd, text.encode())

    def code(self):
        try:
            while os.read(self.fd, 65536):
                pass
        except OSError:
            pass
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_a_person_is_asked_at_a_halt():
    with lib.Place() as place:
        path = place.write("tight.json", TIGHT)
        ask = on_store(place)
        def begin():
            terminal = Terminal(place, "run", path, "--store", place.store)
            terminal.until("[l]eave: ")
            return terminal

        terminal = begin()  # approve twice: exactly what was lacking
        terminal.type("a\n")
        terminal.until("[l]eave: ")
        terminal.type("approve\n")
        assert terminal.code() == DONE
        assert ask("show", "last")["envelope"]["tool_steps"]["granted"] == 2

        terminal = begin()  # nonsense decides nothing; a grant in words does
        for nonsense in ("\n", "abort\n", "yes please\n", "tool_steps=0\n", "tool_steps=\n", "x=1\n"):
            terminal.type(nonsense)
            terminal.until("once more: ")
        terminal.type("tool_steps=7\n")
        assert terminal.code() == DONE
        assert ask("show", "last")["envelope"]["tool_steps"]["granted"] == 7

        terminal = begin()
        terminal.type("deny\n")
        assert terminal.code() == REFUSED
        assert ask("show", "last")["state"] == "failed"

        terminal = begin()
        terminal.type("c\n")
        assert terminal.code() == FAILED
        assert ask("show", "last")["state"] == "cancelled"

        for leave in ("l\n", "\x04", "\x03"):  # said, end of input, Ctrl-C
            terminal = begin()
            terminal.type(leave)
            assert terminal.code() == HALTED
            assert ask("show", "last")["state"] == "halted"
        terminal = Terminal(place, "approve", "last", "--store", place.store)
        terminal.until("[l]eave: ")
        terminal.type("a\n")
        assert terminal.code() == DONE


def test_nothing_in_the_data_steers_the_terminal():
    with lib.Place() as place:
        path = place.write("asks.json", ASKS)
        terminal = Terminal(place, "run", path, "--store", place.store)
        terminal.until("would      go \\x1b[31mon?\\u{202e}")
        terminal.type("l\n")
        assert terminal.code() == HALTED
        for argv in (("show", "last"), ("approvals",), ("timeline", "last"), ("list",)):
            text = expect(place.stint(*argv, "--store", place.store), DONE).stdout
            assert "\x1b" not in text and "\u202e" not in text, (argv, text)
        bad = place.write("bad.json", {"stint": 1, "name": "x\u001b[2J", "kind": "research", "steps": []})
        assert "\x1b" not in expect(place.stint("check", bad), USAGE).stderr
        assert "\x1b" not in expect(place.stint("\x1b[2J"), USAGE).stderr
        assert "\x1b" not in expect(place.stint("list", "--\x1b[2J"), USAGE).stderr


def test_colour_and_width_follow_the_terminal():
    with lib.Place() as place:
        halted(place)
        def lines_of(**env):
            place.env.update(env)
            terminal = Terminal(place, "list", "--store", place.store)
            terminal.until("budget")
            head = terminal.seen
            terminal.code()
            for name in env:
                place.env.pop(name)
            return head
        halted(place)
        terminal = Terminal(place, "show", "last", "--store", place.store)
        terminal.until("\x1b[1;33mhalted\x1b[0m")
        terminal.code()
        assert "\x1b[" not in lines_of(NO_COLOR="1")
        for columns in ("1", "40", "100000", "-3", "nonsense", ""):
            place.env["COLUMNS"] = columns
            for argv in (("list",), ("show", "last"), ("timeline", "last"), ("usage",)):
                expect(place.stint(*argv, "--store", place.store), DONE)
        place.env["COLUMNS"] = "60"
        text = expect(place.stint("timeline", "last", "--store", place.store), DONE).stdout
        assert max(len(line) for line in text.splitlines()) <= 60


# ---- bad input ----

def test_bad_arguments():
    with lib.Place() as place:
        store = ("--store", place.store)
        good = place.write("good.json", definition())
        unreadable = place.path("folder")
        os.mkdir(unreadable)
        huge = "x" * 100 * 1024
        for argv in (("list", "--limit=--x", *store), ("list", "--limit", "0"), ("list", "--limit", "501"),
                     ("list", "--limit", "5x"), ("list", "--limit="), ("run", "/dev/zero", *store),
                     ("check", "/dev/zero"), ("check", unreadable), ("check", "-nothing"),
                     ("check", ""), ("check", huge), ("show", huge, *store), (huge,),
                     ("list", "--" + huge), ("check", good, "--param", huge), ("check", good, "--param", "=x"),
                     ("check", good, "--param", "unknown=1"), ("approve", "last", "--grant", huge, *store),
                     ("list", "--json=yes"), ("list", "--state", "a", "--state", "b"),
                     ("check", good, *[word for n in range(300) for word in ("--param", f"p{n}=1")])):
            begun = time.monotonic()
            done = expect(place.stint(*argv), USAGE, UNREACHABLE if argv[0] in ("show", "approve", "list")
                          else USAGE)
            assert done.stderr.startswith("stint: ") and len(done.stderr) < 4096, done.stderr[:300]
            assert time.monotonic() - begun < 10
        assert "larger than 1048576" in place.stint("check", "/dev/zero").stderr


def test_standard_input_is_a_file_too():
    with lib.Place() as place:
        doc = definition(params={"topic": "a"})
        expect(place.stint("check", "-", "--param", "topic=b", stdin=json.dumps(doc)), DONE)
        expect(place.stint("run", "-", "--store", place.store, stdin=json.dumps(doc)), DONE)
        expect(place.stint("check", "-", stdin=""), USAGE)
        expect(place.stint("check", "-", stdin="\udcff".encode("utf-8", "surrogateescape").decode("latin-1")),
               USAGE)
        expect(place.stint("check", "-", stdin='{"a":1,"a":2}'), USAGE)


def test_output_that_nobody_takes_is_no_success():
    with lib.Place() as place:
        halted(place)
        for argv in (("list",), ("show", "last"), ("help",), ("export",), ("timeline", "last")):
            with open("/dev/full", "w", encoding="ascii") as full:
                code = subprocess.run([lib.binary(), *argv, "--store", place.store] if argv != ("help",)
                                      else [lib.binary(), "help"], stdout=full, stderr=subprocess.DEVNULL,
                                      env=place.env, check=False).returncode
            assert code not in (DONE, -signal.SIGPIPE), (argv, code)
        closed = subprocess.run([sys.executable, "-c",
                                 "import os,sys; os.close(1); os.execv(sys.argv[1], sys.argv[1:])",
                                 lib.binary(), "list", "--store", place.store], env=place.env, check=False,
                                stderr=subprocess.DEVNULL)
        assert closed.returncode == FAILED, closed.returncode


def test_no_home_is_said():
    with lib.Place() as place:
        for name in ("HOME", "XDG_STATE_HOME"):
            place.env.pop(name, None)
        path = place.write("good.json", definition())
        for argv in (("run", path), ("list",)):
            assert "--store" in expect(place.stint(*argv), USAGE).stderr
        expect(place.stint("doctor"), DONE, FAILED)


def test_errors_in_definitions_say_where_and_what_to_do():
    with lib.Place() as place:
        noop = {"id": "a", "uses": "noop"}
        for doc, pointer, said in (
                (definition(noop, budgte={"tokens": 5}), "", "budget"),
                (definition(noop, budget={"tokns": 5}), "/budget", "tokens"),
                (definition({"id": "a", "uses": "nop"}), "/steps/0/uses", "noop"),
                (definition(noop, noop), "/steps/1", "a"),
                (definition({**noop, "needs": ["z"]}), "/steps/0/needs", "z"),
                (definition({**noop, "with": {"output": "${{ params.gone }}"}}), "/steps/0/with", "gone"),
                (definition(noop, budget={"cost_usd": 2.5}), "/budget/cost_usd", "")):
            done = expect(place.stint("check", place.write("d.json", doc), "--json"), USAGE)
            failure = json.loads(done.stderr)
            assert failure.get("pointer", "").startswith(pointer), (failure, pointer)
            assert said in failure["detail"], (failure, said)


def test_doctor_finds_what_is_wrong():
    with lib.Place() as place:
        place.init()
        store = ("--store", place.store)
        config = {"providers": {"p": {"api": "openai", "base_url": "http://127.0.0.1:1/v1",
                                      "key": "env:STINT_TEST_MISSING"}},
                  "secrets": {"S": "env:STINT_TEST_SECRET"}}
        path = place.write("config.json", config)
        place.env["STINT_TEST_SECRET"] = "a-very-secret-value-1234567890"
        done = expect(place.stint("doctor", *store, "--config", path), DONE)
        assert "ok   secrets   secret S is there" in done.stdout, done.stdout
        assert "warn secrets   key of p: env:STINT_TEST_MISSING gives nothing" in done.stdout, done.stdout
        assert "a-very-secret" not in done.stdout + done.stderr
        os.chmod(path, 0o666)
        assert "FAIL config" in expect(place.stint("doctor", *store, "--config", path), FAILED).stdout
        key = place.path("stint.db.key")
        os.chmod(key, 0o644)
        assert "FAIL store     seal key" in expect(place.stint("doctor", *store), FAILED).stdout
        os.chmod(key, 0o600)
        os.truncate(key, 5)
        assert "has 5 bytes" in expect(place.stint("doctor", *store), FAILED).stdout
        checks = json.loads(place.stint("doctor", *store, "--json").stdout)
        assert checks["ok"] is False and {c["found"] for c in checks["checks"]} == {"ok", "warn", "fail"}


lib.main(globals())
