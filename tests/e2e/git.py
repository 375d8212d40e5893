# SPDX-License-Identifier: Apache-2.0
"""Do the git steps do what they say with real repositories, and nothing that they do not say?"""
import contextlib
import json
import os
import time

import lib
from git_remote import TOKEN, USER, Server, git, make_bare, need_git

LOCK = {"user": USER, "token": "${{ secrets.GIT_TOKEN }}"}


@contextlib.contextmanager
def world(keep="always", **more):
    with lib.Place() as place:
        root = place.path("srv")
        os.mkdir(root)
        with Server(root) as server:
            place.env["GIT_TOKEN"] = TOKEN
            place.init()
            config = {"secrets": {"GIT_TOKEN": "env:GIT_TOKEN"}, "git": {"local": [root]},
                      "workspaces": {"keep": keep}, "outgoing": {"allow": [server.allow]},
                      "sandbox": {"isolation": "best"}, **more}
            with place.serve(config=config) as daemon:
                place.daemon, place.server, place.root, place.config = daemon, server, root, config
                place.client = daemon.client(place.token)
                yield place


def steps_of(url, extra=None, **lock):
    edit = {"run": ["printf new > made.txt && printf changed > readme && chmod +x made.txt"],
            "workdir": "run/repo", "timeout_seconds": 20, "grace_seconds": 1}
    return [{"id": "clone", "uses": "git.clone", "with": {"url": url, **lock}},
            {"id": "branch", "uses": "git.branch", "needs": ["clone"], "with": {"name": "feature/one"}},
            {"id": "edit", "uses": "sandbox.job", "needs": ["branch"], "with": edit},
            {"id": "diff", "uses": "git.diff", "needs": ["edit"]},
            {"id": "commit", "uses": "git.commit", "needs": ["diff"],
             "with": {"paths": ["made.txt", "readme"], "message": "Two files\n",
                      "author": {"name": "Ada", "email": "ada@a.example"}}},
            {"id": "push", "uses": "git.push", "needs": ["commit"],
             "with": {"branch": "feature/one", **lock, **(extra or {})}}]


BUDGET = {"tool_steps": 40, "sandbox": {"jobs": 9, "job_seconds": 30}}


def submit(place, steps, *states, **more):
    body = lib.definition(*steps, **{"budget": BUDGET, **more})
    run = place.client.post("/v1/runs", body).expect(201).json
    return place.client.wait_state(run["id"], *(states or ("succeeded", "failed", "halted")))


def step_of(run, name):
    return next(step for step in run["steps"] if step["id"] == name)


def failed(run, step, code):
    assert run["state"] == "failed", run
    error = step_of(run, step)["error"]
    assert error is not None and error["code"] == code, error
    return error


def check_pushed(place, run, bare):
    assert run["state"] == "succeeded", [step["error"] for step in run["steps"]]
    assert git("-C", bare, "show", "feature/one:made.txt") == "new"
    assert git("-C", bare, "show", "feature/one:readme") == "changed"
    assert git("-C", bare, "ls-tree", "feature/one", "made.txt").startswith("100755")
    assert git("-C", bare, "rev-list", "--count", "feature/one") == "2"
    assert git("-C", bare, "log", "-1", "--format=%an <%ae>", "feature/one") == "Ada <ada@a.example>"
    message = git("-C", bare, "log", "-1", "--format=%B", "feature/one")
    assert message.startswith("Two files\n\nStint-Run: " + run["id"]), message
    assert "\nStint-Step: commit\n" in message, message
    ids = {item["kind"]: item["id"] for step in run["steps"] for item in step["external_ids"]}
    head = git("-C", bare, "rev-parse", "feature/one")
    assert ids["git.commit"] == head, ids
    assert ids["git.branch"].endswith(" refs/heads/feature/one"), ids
    git("-C", bare, "fsck", "--strict")


FILES = {"readme": b"hello\n", "dir/deep/file": b"x" * 5000, "bin": bytes(range(256)),
         ".gitattributes": b"* text eol=crlf\n*.x filter=evil\n"}


def test_a_clone_is_changed_committed_and_pushed_to_a_path():
    with world() as place:
        bare = make_bare(os.path.join(place.root, "r.git"), FILES)
        check_pushed(place, submit(place, steps_of("file://" + bare)), bare)


def test_the_same_over_http_with_a_token():
    with world() as place:
        bare = make_bare(os.path.join(place.root, "r.git"), FILES)
        run = submit(place, steps_of(place.server.url + "/r.git", **LOCK))
        check_pushed(place, run, bare)
        posts = [path for method, path, _ in place.server.seen if path.endswith("/git-receive-pack")
                 and method == "POST"]
        assert len(posts) == 1, place.server.seen


def test_packs_over_3_mib_go_both_ways():
    with world() as place:
        big = os.urandom(4 << 20)
        bare = make_bare(os.path.join(place.root, "r.git"), {"big": big})
        steps = steps_of(place.server.url + "/r.git", **LOCK)
        steps[2]["with"]["run"] = ["head -c 4194304 /dev/urandom > made.txt; printf changed > readme"]
        run = submit(place, steps)
        assert run["state"] == "succeeded", run
        assert int(git("-C", bare, "cat-file", "-s", "feature/one:made.txt")) == 4 << 20


def test_a_diff_is_bounded_and_counts_all():
    with world() as place:
        bare = make_bare(os.path.join(place.root, "r.git"), FILES)
        steps = steps_of(bare)[:4]
        steps[2]["with"]["run"] = ["seq 1 1000 > many; rm -r dir"]
        steps[3]["with"] = {"bytes_max": 1000}
        steps.append({"id": "see", "uses": "noop", "needs": ["diff"],
                      "with": {"output": "${{ steps.diff.output }}"}})
        steps.append({"id": "check", "uses": "noop", "needs": ["see"],
                      "if": "${{ steps.see.output.truncated && steps.see.output.insertions == 1000 && "
                            "steps.see.output.deletions == 1 && steps.see.output.files == 2 }}"})
        run = submit(place, steps)
        assert run["state"] == "succeeded", run
        assert step_of(run, "check")["state"] == "succeeded", run


def test_a_wrong_token_is_a_definite_no():
    with world() as place:
        make_bare(os.path.join(place.root, "r.git"), FILES)
        lock = {"user": USER, "token": "wrong"}
        error = failed(submit(place, steps_of(place.server.url + "/r.git", **lock)), "clone",
                       "git.unauthorized")
        assert "401" in json.dumps(error), error
        failed(submit(place, steps_of(place.server.url + "/r.git")), "clone", "git.unauthorized")
        failed(submit(place, steps_of(place.server.url + "/r.git", extra={"token": "wrong"}, **LOCK)),
               "push", "git.unauthorized")
        failed(submit(place, steps_of(place.server.url + "/none.git", **LOCK)), "clone", "git.status")


def test_a_push_never_throws_commits_away_unless_it_may():
    with world() as place:
        bare = make_bare(os.path.join(place.root, "r.git"), FILES)
        for url, lock in (("file://" + bare, {}), (place.server.url + "/r.git", LOCK)):
            git("-C", bare, "update-ref", "refs/heads/feature/one",
                git("-C", bare, "commit-tree", "main^{tree}", "-m", "other"))
            failed(submit(place, steps_of(url, **lock)), "push", "git.conflict")
            run = submit(place, steps_of(url, extra={"force": True}, **lock), "halted",
                         budget={**BUDGET, "dangerous_ops": 1})
            assert run["halt"]["kind"] == "dangerous", run["halt"]
            assert git("-C", bare, "log", "-1", "--format=%s", "feature/one") == "other"
            run = submit(place, steps_of(url, extra={"force": True}, **lock), "halted")
            assert run["halt"]["kind"] in ("budget", "dangerous"), run["halt"]


def test_forced_and_approved_it_goes():
    with world() as place:
        bare = make_bare(os.path.join(place.root, "r.git"), FILES)
        git("-C", bare, "update-ref", "refs/heads/feature/one",
            git("-C", bare, "commit-tree", "main^{tree}", "-m", "other"))
        run = submit(place, steps_of(place.server.url + "/r.git", extra={"force": True}, **LOCK), "halted",
                     budget={**BUDGET, "dangerous_ops": 1})
        approver = place.client.post("/v1/tokens", {"name": "boss", "role": "approver"}).expect(201).json
        place.daemon.client(approver["token"]).post(
            f"/v1/runs/{run['id']}/halts/{run['halt']['id']}", {"decision": "grant"}).expect(200)
        check_pushed(place, place.client.wait_state(run["id"], "succeeded", "failed"), bare)


def test_an_answer_that_is_lost_is_found_out():
    with world() as place:
        bare = make_bare(os.path.join(place.root, "r.git"), FILES)
        lost = []

        def lose_once(_):
            lost.append(1)
            return len(lost) == 1

        place.server.after_push = lose_once
        check_pushed(place, submit(place, steps_of(place.server.url + "/r.git", **LOCK)), bare)
        assert len(lost) == 1, "the same push was sent twice"


def test_a_ref_that_moved_meanwhile_is_a_conflict():
    with world() as place:
        bare = make_bare(os.path.join(place.root, "r.git"), FILES)

        def move(_):
            git("-C", bare, "update-ref", "refs/heads/feature/one",
                git("-C", bare, "commit-tree", "main^{tree}", "-m", "other"))

        place.server.before_push = move
        run = submit(place, steps_of(place.server.url + "/r.git", **LOCK))
        assert run["state"] == "failed", run
        assert step_of(run, "push")["error"]["code"] in ("git.rejected", "git.conflict"), run
        assert git("-C", bare, "log", "-1", "--format=%s", "feature/one") == "other"


def test_no_byte_on_the_disk_holds_the_token():
    with world() as place:
        make_bare(os.path.join(place.root, "r.git"), FILES)
        run = submit(place, steps_of(place.server.url + "/r.git", **LOCK))
        assert run["state"] == "succeeded", run
        spaces = os.listdir(place.path("stint.db.work") + "/runs")
        assert spaces == [run["id"]], spaces
        with open(f"/proc/{place.daemon.process.pid}/cmdline", "rb") as file:
            assert TOKEN.encode() not in file.read()
        place.daemon.stop()
        import base64
        needles = [TOKEN.encode(), base64.b64encode(f"{USER}:{TOKEN}".encode()).rstrip(b"=")]
        looked = 0
        for folder, _, names in os.walk(place.folder):
            for name in names:
                with open(os.path.join(folder, name), "rb") as file:
                    content = file.read()
                looked += 1
                assert not any(needle in content for needle in needles), os.path.join(folder, name)
        assert looked > 20
        assert not any(TOKEN in line for line in place.daemon.log)


def test_a_branch_elsewhere_replaces_files_that_were_not_changed():
    with world() as place:
        bare = make_bare(os.path.join(place.root, "r.git"), FILES)
        steps = steps_of(bare)[:3]
        steps += [{"id": "back", "uses": "git.branch", "needs": ["edit"],
                   "with": {"name": "two", "from": "main"}},
                  {"id": "commit", "uses": "git.commit", "needs": ["back"],
                   "with": {"paths": ["."], "message": "all"}},
                  {"id": "again", "uses": "git.branch", "needs": ["commit"],
                   "with": {"name": "three", "from": "main"}},
                  {"id": "see", "uses": "sandbox.job", "needs": ["again"],
                   "with": {"run": ["test ! -e made.txt && grep -q hello readme"], "workdir": "run/repo",
                            "timeout_seconds": 20, "grace_seconds": 1}},
                  {"id": "lose", "uses": "sandbox.job", "needs": ["see"],
                   "with": {"run": ["echo > lost"], "workdir": "run/repo", "timeout_seconds": 20,
                            "grace_seconds": 1}},
                  {"id": "refused", "uses": "git.branch", "needs": ["lose"],
                   "with": {"name": "four", "from": "two"}}]
        run = submit(place, steps)
        failed(run, "refused", "git.uncommitted")
        assert step_of(run, "see")["state"] == "succeeded", run


def test_a_workspace_goes_with_its_run_unless_it_is_kept():
    for keep, good, bad in (("never", 0, 0), ("failed", 0, 1), ("always", 1, 1)):
        with world(keep=keep) as place:
            bare = make_bare(os.path.join(place.root, "r.git"), FILES)
            spaces = place.path("stint.db.work") + "/runs"
            for steps, left in ((steps_of(bare)[:2], good), (steps_of(bare + ".none")[:2], bad)):
                run = submit(place, steps)
                end = time.monotonic() + lib.PATIENCE
                while (run["id"] in os.listdir(spaces)) != bool(left):
                    assert time.monotonic() < end, (keep, run["state"], os.listdir(spaces))
                    time.sleep(0.01)


def test_the_example_does_what_it_says():
    with open(os.path.join(os.environ["ST_SOURCE_DIR"], "docs/examples/doc-git.json"), encoding="utf-8") as file:
        example = json.load(file)
    with world(secrets={"GITHUB_TOKEN": "env:GIT_TOKEN"}) as place:
        place.server.locked = False
        bare = make_bare(os.path.join(place.root, "r.git"), FILES)
        example["params"]["url"] = place.server.url + "/r.git"
        run = place.client.post("/v1/runs", example).expect(201).json
        run = place.client.wait_state(run["id"], "succeeded", "failed")
        assert run["state"] == "succeeded", [step["error"] for step in run["steps"]]
        assert git("-C", bare, "show", "stint/date-stamp:DATE").startswith("20")


def test_an_empty_repository_gets_its_first_commit():
    with world() as place:
        bare = make_bare(os.path.join(place.root, "r.git"))
        steps = steps_of(bare)
        steps[1]["with"]["name"] = steps[5]["with"]["branch"] = "main"
        run = submit(place, steps)
        assert run["state"] == "succeeded", [step["error"] for step in run["steps"]]
        assert git("-C", bare, "rev-list", "--count", "main") == "1"


if __name__ == "__main__":
    need_git()
    lib.main(globals())
