# SPDX-License-Identifier: Apache-2.0
"""Who decides at the same time: does exactly one win, and does a parked run lose nothing while it is
loaded and let go?"""
import random
import threading
import time

import lib
from api import TIGHT, World

RACES = 60
WORKERS = 8
STORM_SECONDS = 3


def at_once(*asks):
    """Calls all at the same moment; gives their answers in order."""
    start = threading.Barrier(len(asks))
    got = [None] * len(asks)

    def one(i):
        start.wait(lib.PATIENCE)
        got[i] = asks[i]()

    threads = [threading.Thread(target=one, args=(i,)) for i in range(len(asks))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(lib.PATIENCE)
    return got


def timeline(world, run):
    """The types of a run's events; proves that their numbers have no gap."""
    events = world.viewer.get(f"/v1/runs/{run}/timeline?limit=1000").expect(200).json
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1)), events
    return [event["type"] for event in events]


def decide(world, run, halt, what):
    return lambda: world.approver.post(f"/v1/runs/{run}/halts/{halt['id']}", {"decision": what})


def test_of_grant_and_deny_exactly_one_wins():
    won = {"grant": 0, "deny": 0}
    with lib.Place() as place, World(place) as world:
        for _ in range(RACES):
            run, halt = world.halted()
            grant, deny = at_once(decide(world, run, halt, "grant"), decide(world, run, halt, "deny"))
            assert sorted((grant.status, deny.status)) == [200, 409], (grant.body, deny.body)
            won["grant" if grant.status == 200 else "deny"] += 1
            types = timeline(world, run)
            assert types.count("decision.granted") == (grant.status == 200), types
            assert types.count("decision.denied") == (deny.status == 200), types
    assert won["grant"] + won["deny"] == RACES, won
    print(f"     {won}")


def test_grant_against_cancel_leaves_one_order():
    with lib.Place() as place, World(place) as world:
        for _ in range(RACES):
            run, halt = world.halted()
            grant, cancel = at_once(
                decide(world, run, halt, "grant"),
                lambda: world.submitter.post(f"/v1/runs/{run}/cancel"))
            assert (grant.status, cancel.status) in ((200, 200), (409, 200), (200, 409)), (
                grant.body, cancel.body)
            types = timeline(world, run)
            assert types.count("decision.granted") == (grant.status == 200), types
            assert types.count("run.cancelled") == (cancel.status == 200), types
            if grant.status == cancel.status == 200:
                assert types.index("decision.granted") < types.index("run.cancelled"), types
            last = world.viewer.wait_state(run, "cancelled", "halted", "succeeded")
            assert (last["state"] == "cancelled") == (cancel.status == 200), last["state"]


def test_forty_who_approve_one_halt_raise_it_once():
    with lib.Place() as place, World(place) as world:
        run, halt = world.halted()
        path = f"/v1/runs/{run}/halts/{halt['id']}"
        grant = {"decision": "grant", "grants": [{"scope": "run", "meter": "tool_steps", "amount": 1}]}
        got = at_once(*[lambda i=i: world.approver.post(path, grant, key=f"k{i % 5}") for i in range(40)])
        assert {answer.status for answer in got} <= {200, 409}, [answer.status for answer in got]
        assert timeline(world, run).count("decision.granted") == 1
        account = world.viewer.run(run)["envelope"]["tool_steps"]
        assert account["granted"] == 1, account


def test_parked_runs_keep_everything_while_they_come_and_go():
    """A halted run is loaded for each event and let go after it: many at once on few runs."""
    with lib.Place() as place, World(place) as world:
        runs = [world.halted()[0] for _ in range(4)]
        done = {run: {"pause": 0, "resume": 0, "limits": 0} for run in runs}
        lock = threading.Lock()
        end = time.monotonic() + STORM_SECONDS
        statuses = set()

        def work(seed):
            chance = random.Random(seed)
            while time.monotonic() < end:
                run, what = chance.choice(runs), chance.choice(("pause", "resume", "limits", "show"))
                if what == "show":
                    answer = world.viewer.get(f"/v1/runs/{run}")
                elif what == "limits":
                    answer = world.admin.post(f"/v1/runs/{run}/envelope",
                                              {"limits": {"tokens": chance.randrange(10**6)}})
                else:
                    answer = world.submitter.post(f"/v1/runs/{run}/{what}")
                with lock:
                    statuses.add(answer.status)
                    if answer.status == 200 and what != "show":
                        done[run][what] += 1

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(WORKERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(lib.PATIENCE)
        assert statuses <= {200, 409}, statuses
        world.daemon.kill()
        world.daemon = world.place.serve()
        for name in ("viewer", "submitter", "approver", "admin"):
            getattr(world, name).url = world.daemon.url
        for run in runs:
            types = timeline(world, run)
            counted = (types.count("run.paused"), types.count("run.resumed"),
                       types.count("envelope.changed"))
            assert counted == (done[run]["pause"], done[run]["resume"], done[run]["limits"]), (
                counted, done[run])
            paused = done[run]["pause"] > done[run]["resume"]
            found = world.viewer.run(run)
            assert found["state"] == "halted" and found["paused"] == paused, found
        print(f"     {sum(sum(each.values()) for each in done.values())} changes of 4 parked runs")


if __name__ == "__main__":
    lib.main(globals())
