#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The crash and fault harness: a real daemon, broken on purpose, held against what really happened.

    python3 tests/crash/run.py [--long] [--seed N] [SCENARIO...]      --list names them

Finds its programs in $STINT, $TOOLSERVER and $FAULTIO, or below build/dev. The seed is printed; with
it the same faults are chosen again. A scenario counts only when every fault that it planned was seen
to fire, when at least half of the operations succeeded, and when the oracles had something to check.
"""
import argparse
import collections
import json
import os
import random
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
for variable, place in (("STINT", "stint"), ("TOOLSERVER", "tools/toolserver"),
                        ("FAULTIO", "tests/libfaultio.so")):
    os.environ.setdefault(variable, os.path.join(ROOT, "build", "dev", place))
sys.path.insert(0, HERE)
import clocks  # noqa: E402
import disk  # noqa: E402
import kills  # noqa: E402
import memory  # noqa: E402
import power  # noqa: E402
import rig  # noqa: E402
import stores  # noqa: E402

SCENARIOS = {
    "kills": kills.random_kills,
    "points": kills.exact_points,
    "many": kills.many_runs,
    "disk": disk.nth_call,
    "full": disk.full_disk,
    "power": power.power_cuts,
    "clock": clocks.clock_jumps,
    "memory": memory.no_memory,
    "stores": stores.wrong_stores,
}


class Report:
    """What a scenario did, so that one that did nothing cannot pass."""

    def __init__(self):
        self.planned = collections.Counter()
        self.fired = collections.Counter()
        self.laws = collections.Counter()
        self.figures = {}
        self.asked = 0
        self.answered = 0

    def plan(self, fault, n=1):
        self.planned[fault] += n

    def fire(self, fault, n=1):
        self.fired[fault] += n

    def figure(self, **figures):
        self.figures.update(figures)

    def judged(self, world, checked):
        """The oracles were asked, and found nothing."""
        self.laws.update(checked)
        self.operations(world.books.asked, world.books.answered)

    def operations(self, asked, answered):
        self.asked += asked
        self.answered += answered

    def check(self):
        missing = {f: n - self.fired[f] for f, n in self.planned.items() if self.fired[f] < n}
        assert self.planned and not missing, f"planned and did not fire: {missing or 'anything'}"
        assert self.asked > 0 and self.answered * 2 >= self.asked, \
            f"only {self.answered} of {self.asked} operations succeeded: this shows nothing"
        assert self.laws, "no invariant was checked"

    def line(self):
        return json.dumps({"fired": dict(self.fired), **self.figures,
                           "operations": f"{self.answered}/{self.asked}",
                           "checks": {law: self.laws[law] for law in sorted(self.laws)}})


def run(name, size, seed):
    report = Report()
    begun = time.monotonic()
    try:
        SCENARIOS[name](random.Random(f"{seed}-{name}"), size, report)
        report.check()
    except rig.Skip as why:
        print(f"skipped: {name}: {why}", flush=True)
        return rig.lib.SKIP
    except Exception:  # pylint: disable=broad-except
        traceback.print_exc()
        print(f"FAIL {name}, seed {seed}: {report.line()}", flush=True)
        return 1
    print(f"ok   {name} {time.monotonic() - begun:.1f} s {report.line()}", flush=True)
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO")
    parser.add_argument("--long", action="store_true", help="the whole of it: about an hour")
    parser.add_argument("--list", action="store_true", help="name the scenarios")
    parser.add_argument("--seed", type=int, default=int(os.environ.get("STINT_SEED", "0"))
                        or random.randrange(1, 1 << 30))
    given = parser.parse_args()
    if given.list:
        for name, scenario in SCENARIOS.items():
            print(f"{name:10} {scenario.__doc__.splitlines()[0]}")
        return 0
    unknown = set(given.scenarios) - set(SCENARIOS)
    if unknown:
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}")
    print(f"seed {given.seed}", flush=True)
    codes = [run(name, "long" if given.long else "short", given.seed)
             for name in given.scenarios or SCENARIOS]
    if 1 in codes:
        return 1
    return rig.lib.SKIP if set(codes) == {rig.lib.SKIP} else 0


if __name__ == "__main__":
    sys.exit(main())
