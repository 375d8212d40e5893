# SPDX-License-Identifier: Apache-2.0
"""Memory runs out: the process ends there by design, so this is a crash at any allocation."""
import signal

import disk
import rig


def allocations(world, template):
    """How many a life with some work takes."""
    disk.fresh(world, template)
    world.faults.plan("none")
    with world.life() as daemon:
        disk.work(world, daemon)
        assert daemon.stop() == 0
    return world.faults.get("allocs")


def one_allocation(world, template, nth, report):
    asked, answered, past = disk.fresh(world, template)
    report.operations(asked, answered)
    world.faults.plan("alloc", nth, 1)
    try:
        with world.life() as daemon:
            disk.work(world, daemon)
            code = daemon.stop()
    except rig.lib.NotReady as ended:
        code = ended.code
    fired = world.faults.get("fired") > 0
    assert fired or code == 0, f"allocation {nth} did not fail, and exit code {code}"
    report.fire("refused", fired)
    report.fire({0: "went on", 5: "stopped", -signal.SIGABRT: "aborted"}.get(code, f"ended with {code}"))
    with world.life(shim=False) as daemon:
        for family in ("model", "once"):
            assert world.submit(daemon, family) is not None
        world.settle(daemon)
        assert daemon.stop() == 0
    report.laws.update(world.judge(lines=world.tool.lines()[past:]))


def no_memory(rng, size, report):
    """I1-I22 after the n-th allocation was refused: however it ended, recovery is clean."""
    tries = {"short": 16, "long": 300}[size]
    report.plan("refused", tries * 3 // 4)
    with rig.World(rng, faults=True) as world:
        template = disk.keep_template(world)
        total = allocations(world, template)
        for _ in range(tries):
            one_allocation(world, template, rng.randrange(1, total), report)
        report.operations(world.books.asked, world.books.answered)
    report.figure(allocations=total)
