# SPDX-License-Identifier: Apache-2.0
"""Files of a sandbox job, all the way: listed to viewers, given to approvers, got by the command."""
import hashlib
import os
import subprocess

import lib

SECRET = b"tr0ub4dor-and-3-horses"
PAGE = b"<script>\0" + SECRET + b"\xff\n,"
COMMANDS = [
    "mkdir -p 'out/a b'; printf '<script>\\000tr0ub4dor-and-3-horses\\377\\n,' > 'out/a b/p%41ge?.html'",
    "ln -s /etc/passwd out/passwd; mkfifo out/pipe; truncate -s 10G out/giant; echo ok > out/log",
    "exit ${CODE:-0}",
]
DEFINITION = {
    "stint": 1, "name": "files", "kind": "implementation",
    "steps": [
        {"id": "make", "uses": "sandbox.job",
         "with": {"run": COMMANDS, "artifacts": ["out/*", "out/*/*"], "timeout_seconds": 20}},
        {"id": "see", "uses": "noop", "needs": ["make"],
         "with": {"output": "${{ steps.make.output.artifacts }}"}},
    ],
}


def tokens(place, daemon):
    admin = daemon.client(place.token)
    given = {}
    for role in ("viewer", "submitter", "approver"):
        made = admin.post("/v1/tokens", {"role": role, "name": role}).expect(201).json
        given[role] = daemon.client(made["token"])
    return admin, given


def check_api(place, daemon):
    admin, given = tokens(place, daemon)
    run = admin.post("/v1/runs", DEFINITION).expect(201).json["id"]
    found = daemon.client(place.token).wait_state(run, "succeeded")
    make, see = found["steps"]
    paths = ["out/a b/p%41ge?.html", "out/log"]
    assert [file["path"] for file in make["artifacts"]] == paths, make
    assert [file["path"] for file in see["output"]] == paths, see
    digest = hashlib.blake2b(PAGE, digest_size=32).hexdigest()
    assert see["output"][0] == {"path": paths[0], "bytes": len(PAGE), "hash": digest}, see

    listed = given["viewer"].get(f"/v1/runs/{run}/artifacts").expect(200).json
    assert [(file["path"], file["hash"]) for file in listed][0] == (paths[0], digest), listed
    base = f"/v1/runs/{run}/artifacts/{listed[0]['call']}"
    name = "out/a%20b/p%2541ge%3F.html"
    for role in ("viewer", "submitter"):
        given[role].get(f"{base}/{name}").expect(403)
    got = given["approver"].get(f"{base}/{name}").expect(200)
    assert got.body == PAGE, got.body
    assert got.headers["content-type"] == "application/octet-stream", got.headers
    assert got.headers["content-disposition"] == "attachment", got.headers
    assert got.headers["x-content-type-options"] == "nosniff", got.headers
    for wrong in ("out/none", "out/passwd", "", "out/log/", "out%2Flog", "../log"):
        given["approver"].get(f"{base}/{wrong}").expect(404)
    given["approver"].ask("DELETE", f"{base}/out/log").expect(405)

    told = given["viewer"].get(f"/v1/runs/{run}/transcripts/{listed[0]['call']}").expect(200).json
    refused = {file["path"]: file["reason"] for file in told[0]["transcript"][2]["artifacts"]["refused"]}
    assert "symbolic link" in refused["out/passwd"], refused
    assert "no regular file" in refused["out/pipe"], refused
    assert "larger" in refused["out/giant"], refused
    return run, listed[0]["call"]


def check_failed(place, daemon):
    """What a failed job left is what somebody wants to see."""
    definition = dict(DEFINITION, steps=[dict(DEFINITION["steps"][0])])
    definition["steps"][0]["with"] = dict(definition["steps"][0]["with"], env={"CODE": "3"})
    admin = daemon.client(place.token)
    run = admin.post("/v1/runs", definition).expect(201).json["id"]
    found = daemon.client(place.token).wait_state(run, "failed")
    assert len(found["steps"][0]["artifacts"]) == 2, found
    assert len(admin.get(f"/v1/runs/{run}/artifacts").expect(200).json) == 2


def stint(place, *words):
    return subprocess.run([lib.binary(), *words], env=place.env, capture_output=True, check=False)


def check_command(place, where, run, call):
    listed = stint(place, "artifacts", run, *where)
    assert listed.returncode == 0 and b"out/log" in listed.stdout, listed
    target = os.path.join(os.path.dirname(place.store.removeprefix("sqlite:")), f"page-{where[0]}")
    words = ("artifacts", run, "out/a b/p%41ge?.html", "--output", target, *where)
    done = stint(place, *words)
    assert done.returncode == 0, done
    with open(target, "rb") as file:
        assert file.read() == PAGE
    assert os.stat(target).st_mode & 0o777 == 0o600
    assert stint(place, *words).returncode != 0, "it wrote over a file"
    piped = stint(place, "artifacts", run, "out/log", "--call", call, *where)
    assert (piped.returncode, piped.stdout) == (0, b"ok\n"), piped
    none = stint(place, "artifacts", run, "out/none", *where)
    assert none.returncode != 0 and b"no job left out/none" in none.stderr, none
    told = stint(place, "transcript", run, call, *where)
    assert b"kept out/log, 3 bytes" in told.stdout and b"not kept: out/giant" in told.stdout, told
    os.unlink(target)


def main():
    with lib.Place() as place:
        place.init()
        with place.serve() as daemon:
            run, call = check_api(place, daemon)
            check_failed(place, daemon)
            check_command(place, ("--url", daemon.url, "--token", place.token), run, call)
            log = "\n".join(daemon.log)
            assert "artifact.opened" in log and "approver" in log, log
        check_command(place, ("--store", place.store), run, call)
    print("ok")


main()
