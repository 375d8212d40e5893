# SPDX-License-Identifier: Apache-2.0
"""Are repositories that somebody hostile has made refused, and does nothing of them run?"""
import os

import git as steps
import lib
from git_remote import git, make_bare, need_git, plant

FILE = ("100644", b"a", b"harmless")


def clone(place, url, **more):
    return steps.submit(place, [{"id": "clone", "uses": "git.clone", "with": {"url": url, **more}}])


def refuse_trees(trees, code="git.hostile", **more):
    with steps.world() as place:
        for number, entries in enumerate(trees):
            bare = make_bare(os.path.join(place.root, f"r{number}.git"))
            plant(bare, entries)
            run = clone(place, bare, **more)
            assert run["state"] == "failed", (entries, run)
            assert steps.step_of(run, "clone")["error"]["code"] == code, (entries, run)
            space = os.path.join(place.path("stint.db.work"), "runs", run["id"])
            assert os.listdir(space + "/files") == [], entries
            assert not [name for name in os.listdir(space) if name.startswith("new")], entries
        assert not os.path.exists(place.path("ran"))


def test_b71_nothing_in_a_repository_runs():
    with steps.world() as place:
        ran = place.path("ran")
        bare = make_bare(os.path.join(place.root, "r.git"), {
            "hooks/post-checkout": f"#!/bin/sh\ntouch {ran}\n".encode(),
            ".gitattributes": b"* filter=evil diff=evil merge=evil text eol=crlf ident\n",
            "readme": b"$Id$\nline\n", ".gitconfig": b"[include]\npath=/etc/passwd\n"})
        evil = place.write("evil", f"[core]\nfsmonitor = touch {ran}\n")
        for key, value in (("core.fsmonitor", f"touch {ran}"), ("core.sshCommand", f"touch {ran}"),
                           ("filter.evil.smudge", f"touch {ran}"), ("filter.evil.clean", f"touch {ran}"),
                           ("filter.evil.required", "true"), ("diff.evil.textconv", f"touch {ran}"),
                           ("include.path", evil), ("uploadpack.packObjectsHook", f"touch {ran}")):
            git("-C", bare, "config", key, value)
        for name in ("pre-receive", "update", "post-receive", "post-update", "reference-transaction"):
            with open(os.path.join(bare, "hooks", name), "w", encoding="ascii") as file:
                file.write(f"#!/bin/sh\ntouch {ran}\n")
            os.chmod(os.path.join(bare, "hooks", name), 0o755)
        run = steps.submit(place, steps.steps_of(bare))
        assert run["state"] == "succeeded", run
        files = os.path.join(place.path("stint.db.work"), "runs", run["id"], "files", "repo")
        assert "hooks" in os.listdir(files)
        assert not os.path.exists(ran), "something of the repository ran"


def test_b71_a_filter_changes_no_byte():
    with steps.world() as place:
        bare = make_bare(os.path.join(place.root, "r.git"))
        plant(bare, [("100644", b".gitattributes", b"* text eol=crlf ident\n"),
                     ("100644", b"x", b"$Id$\nline\n")])
        run = clone(place, bare)
        files = os.path.join(place.path("stint.db.work"), "runs", run["id"], "files", "repo")
        with open(files + "/x", "rb") as file:
            assert file.read() == b"$Id$\nline\n"


def test_b72_submodules_and_names_with_control_characters():
    module = b'[submodule "a"]\npath = a\nurl = ext::sh -c "touch ran"\n'
    refuse_trees([[("100644", b".gitmodules", module), ("160000", b"a", "1" * 40)],
                  [FILE, ("160000", b"sub", "2" * 40)], [("100644", b"a\r", b"x")],
                  [("100644", b"a\nb", b"x")], [("100644", b"..", b"x")], [("40000", b"..", [FILE])],
                  [("100644", b"a/../../b", b"x")], [("120000", b".gitmodules", b"a")],
                  [("40000", b"a", [("120000", b".git", b"../modules")])]])
    with steps.world() as place:
        bare = make_bare(os.path.join(place.root, "r.git"))
        plant(bare, [("100644", b".gitmodules", module), ("160000", b"a", "1" * 40)])
        run = clone(place, bare, submodules="ignore")
        assert run["state"] == "succeeded", run


def test_b73_spellings_of_dot_git_and_links_that_lead_out():
    names = [b".git", b".GIT", b".gIt", b"git~1", b"GIT~1", b".git ", b".git.", b".git...", b".git::$DATA",
             b".git\xe2\x80\x8c", b".g\xe2\x80\x8dit", b"\xef\xbb\xbf.git", b"a\\.git", b".git\\config"]
    refuse_trees([[("40000", name, [("100644", b"config", b"[core]\n")])] for name in names])
    links = [b"/etc/passwd", b"..", b"../x", b"a/../../x", b"b/..", b"./../..", b".git/config", b"a\0b"]
    refuse_trees([[("120000", b"l", target)] for target in links] +
                 [[("40000", b"d", [("120000", b"l", b"../../x")])],
                  [("120000", b"d", b"a"), ("40000", b"d", [FILE])],
                  [("40000", b"d", [FILE]), ("120000", b"d", b"a")]][:1])
    with steps.world() as place:
        bare = make_bare(os.path.join(place.root, "r.git"))
        plant(bare, [FILE, ("40000", b"d", [("120000", b"l", b"../a")]), ("120000", b"here", b"d/l")])
        assert clone(place, bare)["state"] == "succeeded"
        bare = make_bare(os.path.join(place.root, "s.git"))
        plant(bare, [("120000", b"d", b"a"), ("40000", b"d", [FILE])])
        run = clone(place, bare)
        assert run["state"] == "failed", "a link and a directory of one name"


def test_b74_paths_other_owners_and_borrowed_objects():
    with steps.world() as place:
        outside = make_bare(place.path("outside.git"), {"a": b"x"})
        for url in (outside, "file://" + outside, "file://localhost" + outside, "/etc", "ssh://a.example/r",
                    "git://a.example/r", "ext::sh -c true", "a.example:r", "-oProxyCommand=true",
                    place.root + "/../outside.git", "https://u:p@a.example/r", "https://a.example/r?x=1"):
            body = lib.definition({"id": "clone", "uses": "git.clone", "with": {"url": url}})
            place.client.post("/v1/runs", body).expect(400)
        os.symlink(outside, place.root + "/link.git")
        assert clone(place, place.root + "/link.git")["state"] == "failed"
        bare = make_bare(os.path.join(place.root, "r.git"), {"a": b"x"})
        with open(bare + "/objects/info/alternates", "w", encoding="ascii") as file:
            file.write(outside + "/objects\n")
        assert clone(place, bare)["state"] == "failed"
        os.unlink(bare + "/objects/info/alternates")
        run = clone(place, bare)
        assert run["state"] == "succeeded", run
        top = os.path.join(place.path("stint.db.work"), "runs", run["id"])
        for folder, _, names in os.walk(top):
            for name in names:
                assert os.lstat(os.path.join(folder, name)).st_nlink == 1, (folder, name)
        if os.geteuid() == 0:
            for folder, folders, names in os.walk(bare):
                for name in [".", *folders, *names]:
                    os.chown(os.path.join(folder, name), 65534, 65534)
            assert clone(place, bare)["state"] == "failed"


def test_b75_too_much_of_everything():
    with steps.world(workspaces={"keep": "never", "bytes_max": 1 << 20, "files_max": 1000}) as place:
        big = make_bare(os.path.join(place.root, "big.git"), {"zeros": bytes(300 << 20)})
        assert steps.step_of(clone(place, big), "clone")["error"]["code"] in ("git.too_large", "git.failed")
        bare = make_bare(os.path.join(place.root, "bomb.git"))
        blob = git("-C", bare, "hash-object", "-w", "--stdin", stdin=b"x")
        tree = git("-C", bare, "mktree", stdin=b"".join(f"100644 blob {blob}\tf{i}\n".encode() for i in range(10)))
        for _ in range(10):
            lines = "".join(f"040000 tree {tree}\td{i}\n" for i in range(10))
            tree = git("-C", bare, "mktree", stdin=lines.encode())
        git("-C", bare, "update-ref", "refs/heads/main", git("-C", bare, "commit-tree", tree, "-m", "bomb"))
        assert steps.step_of(clone(place, bare), "clone")["error"]["code"] == "git.too_large"
        deep = [FILE]
        for _ in range(70):
            deep = [("40000", b"d", deep)]
        bare = make_bare(os.path.join(place.root, "deep.git"))
        plant(bare, deep)
        assert steps.step_of(clone(place, bare), "clone")["error"]["code"] == "git.hostile"
        assert place.daemon.rss_bytes() < 512 << 20
        for name in ("-x", "a..b", "a b", "x" * 5000, "a.lock", "@", "HEAD", "a/", "/a", "a\u0000b", "~1", ""):
            for uses, key in (("git.branch", "name"), ("git.push", "branch"), ("git.clone", "ref")):
                with_ = {key: name, **({"url": "https://a.example/r"} if uses == "git.clone" else {})}
                body = lib.definition({"id": "one", "uses": uses, "with": with_})
                place.client.post("/v1/runs", body).expect(400)


def test_what_jobs_leave_in_the_files_leads_nowhere():
    with steps.world() as place:
        secret = place.write("secret", "of this machine")
        bare = make_bare(os.path.join(place.root, "r.git"), steps.FILES)
        for command, code in ((f"ln -s {secret} made.txt", "git.hostile"), ("mkfifo made.txt", "git.hostile"),
                              ("rm -r dir; ln -s / dir; echo > made.txt", None),
                              ("git init -q . ; mkdir -p .git/hooks; echo > made.txt", None)):
            body = steps.steps_of(bare)
            body[2]["with"]["run"] = [command]
            body[4]["with"]["paths"] = ["made.txt", "dir/deep/file"]
            body = [step for step in body if step["id"] not in ("diff", "push")]
            body[3]["needs"] = ["edit"]
            run = steps.submit(place, body)
            if code is not None:
                assert steps.step_of(run, "commit")["error"]["code"] == code, (command, run)
            else:
                assert run["state"] == "succeeded", (command, run)


if __name__ == "__main__":
    need_git()
    lib.main(globals())
