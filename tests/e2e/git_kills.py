# SPDX-License-Identifier: Apache-2.0
"""Does a push happen once when the daemon is killed at any point of a clone, a commit or a push?"""
import os
import threading
import time

import git as steps
import lib
from git_remote import git, make_bare, need_git

KILLS = 20


def revive(place):
    place.daemon.kill()
    place.daemon = place.serve(config=place.config)
    place.client = place.daemon.client(place.token)


def kill_at(place, point, number):
    """One run, one kill; gives the run's end."""
    bare = make_bare(os.path.join(place.root, f"r{number}.git"), steps.FILES)
    struck = threading.Event()

    def strike(_):
        if not struck.is_set():
            struck.set()
            place.daemon.process.kill()
        return False

    place.server.before_push = strike if point == "before" else None
    place.server.after_push = strike if point == "after" else None
    body = steps.steps_of(f"{place.server.url}/r{number}.git", **steps.LOCK)
    body[2]["with"]["repeatable"] = True
    run = place.client.post("/v1/runs", lib.definition(*body, budget=steps.BUDGET)).expect(201).json
    if point in ("before", "after"):
        assert struck.wait(lib.PATIENCE), "the push never came"
    else:
        time.sleep(point)
    revive(place)
    run = place.client.wait_state(run["id"], "succeeded", "failed", "halted")
    steps.check_pushed(place, run, bare)
    assert len(git("-C", bare, "for-each-ref", "--format=%(refname)").split()) == 2


def test_killed_anywhere_it_is_pushed_once():
    with steps.world() as place:
        with place.daemon:
            points = ["before", "after"] * 4 + [0.02 * n for n in range(KILLS - 8)]
            for number, point in enumerate(points):
                kill_at(place, point, number)
        place.daemon.kill()


if __name__ == "__main__":
    need_git()
    lib.main(globals())
