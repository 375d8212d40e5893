# SPDX-License-Identifier: Apache-2.0
"""The wall clock is set, forth and back."""
import glob
import os
import time

import kills
import rig

DAY = 86400


class Clock:
    """What the daemon takes for the time of day; its monotonic clock stays true."""

    def __init__(self, world):
        found = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
        if not found:
            raise rig.Skip("libfaketime is not installed")
        self.path = world.place.path("clock")
        self.set(0)
        self.env = {"LD_PRELOAD": found[0], "FAKETIME_TIMESTAMP_FILE": self.path,
                    "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}

    def set(self, seconds):
        """In one step: who reads the file meanwhile sees the old time or the new."""
        with open(self.path + ".new", "w", encoding="ascii") as file:
            file.write(f"{seconds:+d}")
        os.replace(self.path + ".new", self.path)


def submit(world, daemon, steps, **more):
    world.number += 1
    definition = {"stint": 1, "name": f"run-{world.number}", "kind": "implementation", "steps": steps,
                  **more}
    run = world.send(daemon, definition)
    assert run is not None
    return run


def jumps(world, daemon, clock, report, to):
    """A sleep, a back-off, a call's time limit and the wall-clock budget, all under way."""
    gate = kills.HttpGate(world, f"gate-{world.number}", "once", "arrive")
    begun = time.monotonic()
    waits = submit(world, daemon, [
        {"id": "w", "uses": "sleep", "with": {"seconds": 2}}, world.step("b", "idempotent", ["w"])])
    held = submit(world, daemon, [world.step("a", "once")], budget={"wall_seconds": 300})
    gate.wait()
    world.tool.client.delete("/__rules").expect(200)
    world.tool.client.post("/__rules", [{"path": "/search", "nth": [1], "status": 503}]).expect(200)
    retries = submit(world, daemon, [{**world.step("a", "search"), "retry": {
        "attempts": 3, "base_seconds": 2, "max_seconds": 2}}])
    for seconds in to:
        clock.set(seconds)
        report.fire("jump")
        world.submit(daemon, "plain")
        time.sleep(0.1)
        found = {run: world.look(daemon, run) for run in (waits, held, retries)}
        assert found[held]["state"] == "running", f"I28: at {seconds:+d} s: {found[held]['halt']}"
        assert found[held]["steps"][0]["state"] == "running", f"I27: a time limit at {seconds:+d} s"
        if time.monotonic() - begun < 1.9:
            assert found[waits]["steps"][0]["state"] == "running", f"I28: a sleep ended at {seconds:+d} s"
        settled = found[held]["envelope"]["wall_seconds"]["settled"]
        assert settled <= time.monotonic() - begun + 1, f"I28: {settled} s burnt at {seconds:+d} s"
    gate.open()
    clock.set(0)
    for run in (waits, held, retries):
        state = world.submitter(daemon).wait_state(run, *rig.FINAL)
        assert state["state"] == "succeeded", state
        world.look(daemon, run)
        assert state["active_ms"] <= 1000 * (time.monotonic() - begun) + 1000, \
            f"I28: {state['active_ms']} ms of work in {time.monotonic() - begun} s"
    assert time.monotonic() - begun >= 1.9, "I28: the sleep was shorter than asked for"
    world.tool.client.delete("/__rules")


def clock_jumps(rng, size, report):
    """I28, I30: the clock is set forth and back: nothing fires early, nothing is given twice."""
    with rig.World(rng) as world:
        clock = Clock(world)
        rounds = [(DAY, -DAY, 0), (-DAY, DAY)] if size == "long" else [(DAY, -DAY, 0)]
        report.plan("jump", sum(len(to) for to in rounds))
        for to in rounds:
            with world.life(env=clock.env) as daemon:
                jumps(world, daemon, clock, report, to)
                assert daemon.stop() == 0
        report.plan("restart")
        for seconds in (DAY // 2, 0, -DAY // 2, 0):  # set while nobody looked
            clock.set(seconds)
            with world.life(env=clock.env) as daemon:
                world.submit(daemon, "idempotent")
                world.submit(daemon, "halting")
                time.sleep(0.05)
                daemon.kill()
                report.fire("restart")
        clock.set(-3 * DAY)
        report.plan("refused")
        try:
            with world.life(env=clock.env):
                raise AssertionError("B82: it starts three days before the last time in its store")
        except rig.lib.NotReady as refused:
            assert refused.code != 0 and "clock" in " ".join(refused.log), refused
            report.fire("refused")
        clock.set(0)
        world.settle_down()
        report.judged(world, world.judge(clock=False))
