# SPDX-License-Identifier: Apache-2.0
"""The disk fails: at the n-th call of each kind, or because it is full."""
import contextlib
import errno
import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time

import kills
import rig

PATIENCE = 20
# What fails, with which error, how often, and whether the daemon may go on as if nothing were.
PLANS = {
    "sync-eio": ("sync", errno.EIO, 1),
    "write-eio": ("write", errno.EIO, 1),
    "write-eio-for-ever": ("write", errno.EIO, -1),
    "write-enospc": ("write", errno.ENOSPC, 1),
    "short": ("short", 0, 1),
    "open-eio": ("open", errno.EIO, 1),
    "open-emfile": ("open", errno.EMFILE, 1),
}
FAMILIES = ("model", "idempotent", "once", "job", "halting")


def fresh(world, template):
    """The store as it was before anything was submitted; what the tool server saw so far is past."""
    for name in os.listdir(world.folder):
        if name.startswith("stint.db"):
            path = os.path.join(world.folder, name)
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
    for name in os.listdir(template):
        shutil.copy(os.path.join(template, name), world.folder)
    if os.path.exists(world.jobs_log):
        os.unlink(world.jobs_log)
    asked, answered = world.books.asked, world.books.answered
    world.books = rig.Books()
    return asked, answered, len(world.tool.lines())


def keep_template(world):
    template = world.place.path("template")
    os.mkdir(template)
    for name in os.listdir(world.folder):
        if name.startswith("stint.db") and os.path.isfile(os.path.join(world.folder, name)):
            shutil.copy(os.path.join(world.folder, name), template)
    return template


def work(world, daemon):
    """Submits one run of each family and looks on until they rest or the daemon is gone."""
    for family in FAMILIES:
        world.submit(daemon, family)
    left, end = set(world.books.runs), time.monotonic() + PATIENCE
    while left and daemon.process.poll() is None:
        assert time.monotonic() < end, f"{len(left)} runs do not rest"
        try:
            left = {run for run in left if world.look(daemon, run)["state"]
                    not in (*rig.FINAL, "halted")}
        except (AssertionError, *rig.GONE) as why:
            if isinstance(why, AssertionError) and ": 503, not" not in str(why):
                raise
        time.sleep(0.01)


def says_why(daemon_log):
    return any("store.failed" in line or line.startswith("stint: ") or "stint:" in line
               for line in daemon_log)


def one_fault(world, template, name, nth, report):
    """True when the fault fired."""
    fault, error, times = PLANS[name]
    asked, answered, past = fresh(world, template)
    report.operations(asked, answered)
    world.faults.plan(fault, nth, times, error)
    code, log = None, []
    try:
        with world.life() as daemon:
            work(world, daemon)
            code, log = daemon.stop(), daemon.log
    except rig.lib.NotReady as ended:
        code, log = ended.code, ended.log
        report.fire("not started")
    fired = world.faults.get("fired") > 0
    assert code in (0, 5), f"{name} at {nth}: exit code {code}: {log[-5:]}"
    assert code == 0 or fired, f"{name} at {nth}: no fault, and exit code {code}: {log[-5:]}"
    assert code == 0 or says_why(log), f"{name} at {nth}: it does not say why: {log[-5:]}"
    assert code == 5 or not (fired and fault == "sync"), \
        f"I37: sync {nth} failed, and the daemon went on: {log[-5:]}"
    report.fire("stopped", code == 5)
    with world.life(shim=False) as daemon:  # and then as if nothing had been
        for family in FAMILIES:
            assert world.submit(daemon, family) is not None
        world.settle(daemon)
        assert daemon.stop() == 0
    report.laws.update(world.judge(lines=world.tool.lines()[past:]))
    return fired


def failed_checkpoint(world, template, report):
    """I37: SQLite keeps to itself that a checkpoint could not be synced; the daemon must not."""
    report.operations(*fresh(world, template)[:2])
    past = len(world.tool.lines())
    report.plan("checkpoint")
    world.faults.plan("none")
    with world.life() as daemon:
        world.faults.plan("fold", 1, 1, errno.EIO)
        for _ in range(60):  # until the log is long enough
            world.number += 1
            steps = [{"id": f"s{i}", "uses": "noop", "with": {"output": f"{i}" * 400000}} for i in (1, 2)]
            world.send(daemon, {"stint": 1, "name": f"run-{world.number}", "kind": "research",
                                "steps": steps})
            if daemon.process.poll() is not None or world.faults.get("fired"):
                break
        report.fire("checkpoint", world.faults.get("fired"))
        poll("I37: a checkpoint could not be synced, and the daemon went on",
             lambda: daemon.process.poll() is not None)
        assert daemon.wait() == 5 and says_why(daemon.log), daemon.log[-5:]
    world.settle_down()
    report.laws.update(world.judge(lines=world.tool.lines()[past:]))


def steps_of(size):
    """1, 2, 3 ...; in the short version with growing gaps."""
    n = 1
    while True:
        yield n
        n += 1 if size == "long" else n


def nth_call(rng, size, report):
    """I1-I22, I36, I37: the n-th sync, write or open of the store fails, for n = 1, 2, 3... (Z4)."""
    names = list(PLANS) if size == "long" else ["sync-eio", "write-eio", "write-enospc", "open-eio"]
    with rig.World(rng, faults=True) as world:
        template = keep_template(world)
        for name in names:
            report.plan(name)
            for nth in steps_of("long" if "sync" in name else size):
                if not one_fault(world, template, name, nth, report):
                    report.figure(**{f"{name} untouched at": nth})
                    break
                report.fire(name)
        failed_checkpoint(world, template, report)
        report.operations(world.books.asked, world.books.answered)


class SmallDisk:
    """A tmpfs of some MiB. Needs root."""

    def __init__(self, mib):
        self.path = tempfile.mkdtemp(prefix="stint-full-")
        made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m,mode=700", "none", self.path],
                              capture_output=True, text=True, check=False)
        if made.returncode != 0:
            os.rmdir(self.path)
            raise rig.Skip(f"a tmpfs cannot be mounted: {made.stderr.strip()}")
        self.filler = os.path.join(self.path, "filler")

    def fill(self):
        """To the last byte."""
        with open(self.filler, "ab", buffering=0) as file:
            for block in (1 << 16, 4096, 1):
                try:
                    while True:
                        file.write(bytes(block))
                except OSError as full:
                    assert full.errno == errno.ENOSPC

    def free(self):
        os.unlink(self.filler)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        subprocess.run(["umount", "-l", self.path], check=True)
        os.rmdir(self.path)


def poll(what, true, patience=PATIENCE):
    end = time.monotonic() + patience
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def stored(world, sql, *values):
    with contextlib.closing(sqlite3.connect(f"file:{world.db}?mode=ro", uri=True)) as db:
        return db.execute(sql, values).fetchone()[0]


def hold_calls(world, daemon, tag):
    """Runs with a call held at a gate; each has a call to make after it, and one a halt."""
    gates, runs = [], []
    for family in rig.PATHS:
        gates.append(kills.HttpGate(world, f"{tag}-{family}", family, "applied"))
        steps = [world.step("a", family), world.step("b", "idempotent", ["a"])]
        if family == "extract":  # ends in a halt instead
            steps[1] = {"id": "b", "uses": "approval", "needs": ["a"], "with": {"message": "go on?"}}
        run = world.submit_steps(daemon, steps)
        assert run is not None
        gates[-1].wait()
        runs.append(run)
        world.tool.client.delete("/__rules").expect(200)
    return gates, runs


def expect_refused(world, daemon):
    """I35, promise 9: at once, and not to be tried again."""
    begun = time.monotonic()
    answer = world.submitter(daemon).post("/v1/runs", world.definition("plain"))
    assert answer.status == 503, f"on a full disk a submit is answered {answer.status}: {answer.body}"
    assert answer.headers.get("x-should-retry") == "false", answer.headers
    assert time.monotonic() - begun < 1, "Z6: 503 within 1 s"
    assert daemon.client().get("/readyz").status == 503, "ready on a full disk"


def is_full(daemon):
    return daemon.client().get("/readyz").status == 503


def until_full(world, disk, daemon):
    """Fills the disk, and what the daemon finds in its own files, until it says that it is full. Not
    while it works: that would take the room that it has just given back to itself."""
    for _ in range(2000):
        disk.fill()
        run = world.submit(daemon, "plain")
        poll("a run of no calls does not end", lambda: is_full(daemon) or run is None
             or world.look(daemon, run)["state"] in rig.FINAL)
        time.sleep(0.02)
        if is_full(daemon):
            time.sleep(0.4)  # it looks for room meanwhile
            if is_full(daemon):
                return
    raise AssertionError("it does not see that the disk is full")


def settled(world, runs):
    return stored(world, "SELECT count(*) FROM v_step s JOIN v_run r ON r.id = s.run WHERE s.id = 'a' "
                         "AND s.state = 'succeeded' AND r.id IN ('" + "','".join(runs) + "')")


def one_full_disk(world, disk, tag, ending, report):
    with world.life() as daemon:
        gates, runs = hold_calls(world, daemon, tag)
        halting = runs[list(rig.PATHS).index("extract")]
        until_full(world, disk, daemon)
        if "eaten" in ending:
            disk.fill()  # the room that was kept, too
        sent = len(world.tool.lines("request"))
        for gate in gates:
            gate.open()
        if "eaten" not in ending:
            poll("I35: a call that was in flight is not settled on a full disk",
                 lambda: settled(world, runs) == len(runs))
            poll("I35: a halt is not stored on a full disk", lambda: stored(
                world, "SELECT state FROM v_run WHERE id = ?", halting) == "halted")
        expect_refused(world, daemon)
        time.sleep(0.7)  # long enough for it to look for room, and find none
        expect_refused(world, daemon)
        assert len(world.tool.lines("request")) == sent, "I35: a call left on a full disk"
        assert daemon.process.poll() is None, "it ended on a full disk"
        report.fire("full")
        report.fire(ending)
        if ending in ("kill", "eaten, kill"):
            daemon.kill()
        elif ending == "eaten, term":  # what waits is given up, as after a crash
            assert daemon.stop() == 5
        elif ending == "term":
            daemon.signal(signal.SIGTERM)
        disk.free()
        if ending in ("goes on", "eaten"):
            poll("it does not go on when there is room again",
                 lambda: daemon.client().get("/readyz").status == 200)
            world.settle(daemon)
            assert daemon.stop() == 0
        elif ending == "term":
            assert daemon.wait() == 0
    world.settle_down()


def full_disk(rng, size, report):
    """I35: the disk is full: ends and halts are stored, nothing new begins; it goes on by itself."""
    for mib in (16,) if size == "short" else (12, 16, 24):
        with SmallDisk(mib) as disk, rig.World(rng, folder=disk.path) as world:
            endings = ("goes on", "eaten", "kill", "term")
            if size == "long":
                endings = endings * 5 + ("eaten, kill", "eaten, term")
            for n, ending in enumerate(endings):
                report.plan("full")
                report.plan(ending)
                one_full_disk(world, disk, f"{n}", ending, report)
            report.judged(world, world.judge())
