#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 between any two effects, again and again.

A real daemon on a real store, a tool server with a synced log. Runs of three shapes are submitted
while the daemon is killed KILLS times at random moments (3 to 60 ms of life after it is ready). Then
it is left alone, calls in doubt are resolved, and the books are held against the tool server's log:

  - every acknowledged submit and decision is there
  - an idempotent tool saw one effect for each step, whatever was sent again
  - a call that may not be repeated was sent at most once; where nobody knows, it was in doubt
  - no hold is left, settled + held adds up on every account, the chain of every timeline holds
"""
import json
import os
import random
import sqlite3
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lib  # noqa: E402

KILLS = int(os.environ.get("STINT_KILLS", "200"))
SEED = int(os.environ.get("STINT_SEED", str(random.randrange(1 << 30))))
CONFIG = {"outgoing": {"allow": ["127.0.0.1/32"]}}
FINAL = ("succeeded", "failed", "cancelled")


def definition(shape, tool):
    def post(step, path, idempotent, needs):
        return {"id": step, "uses": "http.request", "needs": needs,
                "with": {"method": "POST", "url": f"{tool}{path}", "idempotent": idempotent,
                         "body": {"step": step}}}
    steps = {
        "plain": [{"id": f"s{i}", "uses": "noop", "needs": [f"s{i - 1}"] if i else []}
                  for i in range(8)],
        "idempotent": [post("a", "/effect", True, []), post("b", "/effect", True, ["a"]),
                       {"id": "c", "uses": "noop", "needs": ["b"]}],
        "once": [post("a", "/effect-plain", False, []), {"id": "b", "uses": "noop", "needs": ["a"]}],
        "halting": [{"id": "a", "uses": "noop"}, {"id": "b", "uses": "noop", "needs": ["a"]}],
    }[shape]
    budget = {"tool_steps": 1} if shape == "halting" else {}
    return {"stint": 1, "name": shape, "kind": "implementation", "budget": budget, "steps": steps}


class Books:
    """What the daemon acknowledged."""

    def __init__(self):
        self.runs = {}
        self.granted = set()


def submit_some(client, books, tool, rng, counter):
    for _ in range(rng.randrange(1, 4)):
        counter[0] += 1
        shape = rng.choice(["plain", "idempotent", "once", "halting"])
        answer = client.post("/v1/runs", definition(shape, tool), key=f"crash-{counter[0]}")
        if answer.status == 201:
            books.runs[answer.json["id"]] = shape


def open_halts(client):
    answer = client.get("/v1/approvals").expect(200).json
    return answer if isinstance(answer, list) else answer["approvals"]


def decide(client, halt, decision, name):
    return client.post(f"/v1/runs/{halt['run']}/halts/{halt['id']}", decision,
                       key=f"{name}-{halt['id']}")


def approve_some(client, books, most=3):
    budget = [halt for halt in open_halts(client) if halt["kind"] == "budget"]
    for halt in budget[:most]:
        if decide(client, halt, {"decision": "grant"}, "approve").status == 200:
            books.granted.add(halt["run"])


def resolve_all(client, requests):
    """Calls in doubt: the tool server's log knows whether they happened."""
    seen = {line["idempotency_key"] for line in requests if line.get("idempotency_key")}
    doubts = [halt for halt in open_halts(client) if halt["kind"] == "in_doubt"]
    for halt in doubts:
        happened = any(key.startswith(halt["call"] + "-") for key in seen)
        outcome = "happened" if happened else "did_not_happen"
        decision = {"decision": "resolve", "call": halt["call"], "outcome": outcome}
        decide(client, halt, decision, "resolve").expect(200)
    return len(doubts)


def settle_down(client, books, tool):
    """Leaves the daemon alone until every run has ended; decides what waits."""
    resolved = 0
    end = time.monotonic() + 120
    left = set(books.runs)
    states = {}
    while left:
        assert time.monotonic() < end, f"not all runs ended: {[states[run] for run in left]}"
        resolved += resolve_all(client, tool.lines())
        approve_some(client, books, most=100)
        for run in sorted(left):
            states[run] = client.run(run)["state"]
        left = {run for run in left if states[run] not in FINAL}
    return states, resolved


def check_tools(requests):
    """How often each key reached a tool. Gives how many idempotent requests came again."""
    keys = {}
    for line in requests:
        if line.get("idempotency_key") and line["path"].startswith("/effect"):
            keys.setdefault((line["path"], line["idempotency_key"]), []).append(line)
    again = 0
    for (path, key), lines in keys.items():
        if path == "/effect-plain":
            assert len(lines) == 1, f"{key} was sent {len(lines)} times"
        again += len(lines) - 1
    return again


def check_effects(stats):
    """The tool server counts what it really did."""
    for key, effect in stats["effects"].items():
        assert effect["count"] == 1, f"{key} had {effect['count']} effects"


def check_store(path, books):
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    held = db.execute("SELECT count(*) FROM hold WHERE no NOT IN (SELECT hold FROM settlement)")
    assert held.fetchone()[0] == 0, "a hold is left at rest"
    assert db.execute("SELECT count(*) FROM account WHERE held <> 0").fetchone()[0] == 0
    over = db.execute('SELECT count(*) FROM account WHERE "limit" >= 0 AND '
                      '"limit" + granted < settled AND overrun = 0')
    assert over.fetchone()[0] == 0, "spent without room"
    for (run_no, used) in db.execute(
            "SELECT h.run_no, sum(json_extract(t.used, '$.tool_steps')) FROM settlement t "
            "JOIN hold h ON h.no = t.hold GROUP BY h.run_no"):
        settled = db.execute("SELECT settled FROM account WHERE no = (? << 20 | ?) ",
                             (run_no, 1)).fetchone()
        assert settled is not None and settled[0] == (used or 0), (run_no, used, settled)
    known = {row[0] for row in db.execute("SELECT id FROM v_run")}
    assert set(books.runs) <= known, "an acknowledged run is gone"
    gaps = db.execute("SELECT run_no FROM event GROUP BY run_no "
                      "HAVING max(seq) <> count(*) OR min(seq) <> 1").fetchall()
    assert not gaps, gaps
    ended_twice = db.execute("SELECT call, count(*) FROM event WHERE type IN "
                             "('step.succeeded') GROUP BY run_no, step, item HAVING count(*) > 1")
    assert not ended_twice.fetchall(), "a step ended twice"
    granted = {row[0] for row in db.execute(
        "SELECT r.id FROM grant_ g JOIN v_run r ON r.run_no = g.run_no")}
    assert books.granted <= granted, "an acknowledged decision is gone"
    twice = db.execute("SELECT halt FROM grant_ GROUP BY halt, meter HAVING count(*) > 1")
    assert not twice.fetchall(), "a grant was applied twice"


def live_and_die(place, token, tool, books, rng, counter):
    """One life of the daemon, ended by kill -9."""
    daemon = place.serve(config=CONFIG)
    deadline = time.monotonic() + rng.uniform(0.003, 0.060)
    client = daemon.client(token["submitter"])
    try:
        submit_some(client, books, tool.url, rng, counter)
        if rng.random() < 0.5:
            approve_some(daemon.client(token["approver"]), books)
    finally:
        time.sleep(max(0.0, deadline - time.monotonic()))
        daemon.kill()


def make_tokens(place):
    with place.serve(config=CONFIG) as daemon:
        admin = daemon.client(place.token)
        tokens = {}
        for role in ("submitter", "approver"):
            made = admin.post("/v1/tokens", {"role": role, "name": role}, key=role).expect(201)
            tokens[role] = made.json["token"]
        assert daemon.stop() == 0
    return tokens


def main():
    rng = random.Random(SEED)
    print(f"seed {SEED}, {KILLS} kills", flush=True)
    with lib.Place() as place, lib.ToolServer(place) as tool:
        place.init()
        token = make_tokens(place)
        books = Books()
        counter = [0]
        for _ in range(KILLS):
            live_and_die(place, token, tool, books, rng, counter)
        with place.serve(config=CONFIG) as daemon:
            states, resolved = settle_down(daemon.client(token["approver"]), books, tool)
            assert daemon.stop() == 0
        requests = tool.lines()
        again = check_tools(requests)
        check_effects(tool.client.get("/__stats").expect(200).json)
        check_store(place.path("stint.db"), books)
        done = sum(state == "succeeded" for state in states.values())
        assert done * 2 >= len(states), "fewer than half of the runs succeeded"
        print(json.dumps({"kills": KILLS, "runs": len(states), "succeeded": done,
                          "granted": len(books.granted), "in_doubt_resolved": resolved,
                          "requests_sent_again": again, "requests": len(requests)}))


if __name__ == "__main__":
    main()
