# SPDX-License-Identifier: Apache-2.0
"""Is what the store says what really happened? Every scenario of the crash harness ends here.

Three sources are held against each other: the tool server's synced log (T), the database opened
read-only through its documented views (D), and what the API acknowledged (A, rig.Books). The numbers
are those of the invariants in docs/reliability.md.
"""
import collections
import datetime
import json
import os
import sqlite3
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
CHAIN = os.path.join(HERE, "..", "..", "docs", "verify_timeline.py")
FINAL = {"run.succeeded", "run.failed", "run.cancelled"}
STOPS = {"run.halted", "run.paused"} | FINAL
WIDE = ("workflow", "agent", "user", "project", "tenant", "platform")
CLOCK_MS = 2  # the daemon and the tool server round the same clock down


class Breach(AssertionError):
    """Invariants that do not hold, each with its number."""


class Findings:
    """What was looked at, and what was wrong."""

    def __init__(self):
        self.checked = collections.Counter()
        self.wrong = []

    def hold(self, law, true, what):
        self.checked[law] += 1
        if not true:
            self.wrong.append(f"{law}: {what}")


def milliseconds(at):
    moment = datetime.datetime.fromisoformat(at.replace("Z", "+00:00"))
    return round(moment.timestamp() * 1000)


def rows(db, sql, *values):
    cursor = db.execute(sql, values)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row)) for row in cursor]


def add_up(found, amounts):
    for meter, amount in json.loads(amounts).items():
        found[meter] += amount


def check_whole(db, path, findings):
    """The file itself, and the chain of every timeline (I22, I44)."""
    said = db.execute("PRAGMA integrity_check").fetchone()[0]
    findings.hold("I21", said == "ok", f"integrity: {said}")
    keys = db.execute("PRAGMA foreign_key_check").fetchall()
    findings.hold("I21", not keys, f"foreign keys: {keys[:3]}")
    chain = subprocess.run([sys.executable, CHAIN, path], capture_output=True, text=True,
                           check=False)
    bad = [line for line in chain.stdout.splitlines() if not line.endswith("whole")]
    findings.hold("I22", chain.returncode == 0, f"timeline: {bad[:3]} {chain.stderr[-300:]}")


def check_accounts(db, findings):
    """I1, I2, I3: every total is the sum of its entries, on every scope."""
    used = collections.defaultdict(collections.Counter)
    over = collections.defaultdict(collections.Counter)
    held = collections.defaultdict(collections.Counter)
    runs = {run["id"]: run for run in rows(db, "SELECT * FROM v_run")}

    def scopes_of(run, step):
        yield ("step", run, step)
        yield ("run", run, run)
        for scope in WIDE:
            yield (scope, None, runs[run][scope])

    for entry in rows(db, "SELECT h.run, h.step, h.amounts, s.used, s.overrun, s.voided FROM v_hold h "
                          "LEFT JOIN v_settlement s ON s.hold = h.id"):
        for scope in scopes_of(entry["run"], entry["step"]):
            if entry["used"] is None:
                add_up(held[scope], entry["amounts"])
            else:
                add_up(used[scope], entry["used"])
                add_up(over[scope], entry["overrun"])
    granted = collections.Counter()
    for grant in rows(db, "SELECT * FROM v_grant"):
        granted[grant["scope"], grant["run"], grant["scope_id"], grant["meter"]] += grant["amount"]
    for account in rows(db, "SELECT * FROM v_account"):
        wide = account["scope"] in WIDE
        scope = (account["scope"], None if wide else account["run"], account["scope_id"])
        meter, name = account["meter"], f"{scope} {account['meter']}"
        findings.hold("I1", account["held"] == held[scope][meter],
                      f"{name}: held {account['held']}, holds say {held[scope][meter]}")
        findings.hold("I1", account["overrun"] == over[scope][meter],
                      f"{name}: overrun {account['overrun']}, settlements say {over[scope][meter]}")
        if meter == "wall_seconds":  # not called for: it passes
            used[scope][meter] = account["settled"]
            run = runs[account["run"]] if account["scope"] == "run" else {"active_ms": 0, "state": None}
            behind = run["active_ms"] - 1000 * account["settled"]  # it is settled when the run stops
            findings.hold("I1", account["scope"] != "run" or 0 <= behind < 1000 or run["state"] == "running",
                          f"{name}: settled {account['settled']}, {run['active_ms']} ms have passed")
        findings.hold("I1", account["settled"] == used[scope][meter],
                      f"{name}: settled {account['settled']}, settlements say {used[scope][meter]}")
        given = granted[(*scope, meter)]
        findings.hold("I1", account["granted"] == given,
                      f"{name}: granted {account['granted']}, grants say {given}")
        if account["limit"] is not None:
            spent = account["settled"] + account["held"] - account["overrun"]
            findings.hold("I2", account["limit"] + account["granted"] >= spent,
                          f"{name}: {spent} of {account['limit']} + {account['granted']}")


def check_holds(db, findings, at_rest):
    """I5, I6: one end for each hold, never more than was held but for an overrun."""
    ended = collections.Counter(row[0] for row in db.execute("SELECT hold FROM v_settlement"))
    for hold in rows(db, "SELECT h.*, r.state AS run_state FROM v_hold h JOIN v_run r ON r.id = h.run"):
        findings.hold("I5", ended[hold["id"]] <= 1, f"{hold['id']} ended {ended[hold['id']]} times")
        if at_rest:
            findings.hold("I5", ended[hold["id"]] == 1, f"{hold['id']} ({hold['reason']}) is left, "
                          f"its run is {hold['run_state']}")
    for end in rows(db, "SELECT * FROM v_settlement"):
        amounts, used = json.loads(end["held"]), json.loads(end["used"])
        over = json.loads(end["overrun"])
        for meter, amount in used.items():
            findings.hold("I6", amount <= amounts.get(meter, 0) + over.get(meter, 0),
                          f"{end['hold']} {meter}: {amount} used of {amounts.get(meter, 0)}")
        findings.hold("I6", not end["voided"] or not any(used.values()), f"{end['hold']}: voided and used")


def check_calls(db, lines, findings, at_rest, clock):
    """I4, I7, I8, I10, I11, I12: the tool server's log against the stored calls."""
    calls = {}
    attempts = collections.defaultdict(list)
    for call in rows(db, "SELECT c.*, h.since, h.amounts, s.used, s.estimated, s.by, s.at AS settled_at, "
                         "s.voided FROM v_call c JOIN v_hold h ON h.no = c.hold "
                         "LEFT JOIN v_settlement s ON s.hold = h.id"):
        calls[f"{call['id']}-{call['attempt']}"] = call
        attempts[call["id"]].append(call)
    requests = collections.defaultdict(list)
    billed = {line["seq"]: line["billed"] for line in lines if "billed" in line}
    effects = collections.Counter(line["key"] for line in lines
                                  if line["event"] == "effect" and line.get("key"))
    for line in lines:
        if line["event"] == "request" and line.get("idempotency_key"):
            requests[line["idempotency_key"]].append(line)
    for key, count in effects.items():
        findings.hold("I10", count == 1, f"{key} had {count} effects")
    findings.hold("I10", not any(line["event"] == "key_reused" for line in lines),
                  "one key came with two bodies")
    for key, sent in requests.items():
        call = calls.get(key)
        findings.hold("I4", call is not None, f"{key} was sent to {sent[0]['path']} and is not stored")
        if call is None:
            continue
        findings.hold("I4", not clock or milliseconds(call["since"]) <= milliseconds(sent[0]["at"]) + CLOCK_MS,
                      f"{key} was held at {call['since']}, sent at {sent[0]['at']}")
        findings.hold("I4", not call["voided"] or call["by"] not in (None, "stint", "provider"),
                      f"{key} was sent, and voided as not made by {call['by']}")
        path = sent[0]["path"]
        if path != "/effect":
            law = "I12" if path == "/effect-plain" else "I11"
            findings.hold(law, len(sent) == 1, f"{key} was sent to {path} {len(sent)} times")
        for line in sent:
            check_bound(findings, key, line, json.loads(call["amounts"]))
        if call["used"] is not None and len(sent) == 1 and sent[0]["seq"] in billed:
            check_usage(findings, key, call, billed[sent[0]["seq"]])
    for call_id, made in attempts.items():
        made.sort(key=lambda call: call["attempt"])
        findings.hold("I10", [c["attempt"] for c in made] == list(range(1, len(made) + 1)),
                      f"{call_id} has the attempts {[c['attempt'] for c in made]}")
        for call in made[:-1]:
            findings.hold("I10", call["used"] is not None,
                          f"{call_id}: attempt {call['attempt']} has no end, and there is a next")
    if at_rest:
        for call in calls.values():
            findings.hold("I5", call["ended_at"] is not None, f"{call['id']} is {call['state']} at rest")


def check_bound(findings, key, line, amounts):
    """I7: the provider was told no more than was held."""
    body = line.get("body")
    if not isinstance(body, dict):
        return
    for name in ("max_tokens", "max_completion_tokens", "max_output_tokens"):
        if name in body:
            findings.hold("I7", body[name] <= amounts.get("tokens", 0),
                          f"{key}: asked for {body[name]} tokens, held {amounts}")
    if line["path"] == "/search":
        findings.hold("I7", body.get("numResults", 0) > 0, f"{key}: a search without a bound")


def check_usage(findings, key, call, billed):
    """I8: what was billed is what was settled; where nobody could know, all that was held."""
    used, amounts = json.loads(call["used"]), json.loads(call["amounts"])
    if call["estimated"]:
        findings.hold("I8", used == {m: n for m, n in amounts.items() if n} or used == amounts,
                      f"{key}: estimated at {used}, held {amounts}")
    elif "tokens" in amounts:
        findings.hold("I8", used.get("tokens", 0) == billed, f"{key}: settled {used}, billed {billed}")


def check_timelines(db, findings):
    """I9, I13, I14, I22: what may follow what."""
    by_run = collections.defaultdict(list)
    for event in rows(db, "SELECT * FROM v_event ORDER BY run_no, seq"):
        by_run[event["run"]].append(event)
    for run, events in by_run.items():
        findings.hold("I22", [e["seq"] for e in events] == list(range(1, len(events) + 1)),
                      f"{run}: gaps in the timeline")
        findings.hold("I22", all(a["at"] <= b["at"] for a, b in zip(events, events[1:])),
                      f"{run}: time goes back in the timeline")
        check_timeline(run, events, findings)


def check_timeline(run, events, findings):
    stopped, over, done, refused = None, False, set(), None
    for event in events:
        kind, place = event["type"], (event["step"], event["item"])
        if kind in FINAL:
            findings.hold("I22", not over, f"{run}: over twice")
            over = True
        if kind == "verdict.refused":
            refused = event
        if kind == "run.halted" and json.loads(event["data"]).get("kind") == "budget":
            findings.hold("I14", refused is not None, f"{run}: halted on a budget, and no verdict")
        stopped = kind if kind in STOPS else None if kind == "run.resumed" and not over else stopped
        if kind == "call.held":
            findings.hold("I13", stopped is None, f"{run}: a call was held while {stopped}")
            findings.hold("I9", place not in done, f"{run}: {place} is called again after its success")
        if kind == "call.sent" and not json.loads(event["data"]).get("resend"):
            findings.hold("I13", stopped is None, f"{run}: a call was sent while {stopped}")
        if kind == "call.sent" and json.loads(event["data"]).get("resend"):
            findings.hold("I13", not over, f"{run}: a call was sent again after {stopped}")
        if kind == "step.succeeded":
            findings.hold("I9", place not in done, f"{run}: {place} succeeded twice")
            done.add(place)


def check_books(db, books, findings):
    """I15, I18, I21: what was acknowledged is there, once."""
    known = {row[0]: row[1] for row in db.execute("SELECT id, state FROM v_run")}
    names = collections.Counter(row[0] for row in db.execute("SELECT name FROM v_run"))
    for run in books.runs:
        findings.hold("I21", run in known, f"{run} was acknowledged and is gone")
    for name, count in names.items():
        findings.hold("I18", count == 1, f"{name} was made {count} times")
    halts = collections.Counter((row[0], row[1]) for row in db.execute("SELECT run, halt FROM v_grant"))
    twice = db.execute("SELECT halt, scope_id, meter FROM v_grant WHERE halt IS NOT NULL "
                       "GROUP BY halt, scope_id, meter HAVING count(*) > 1").fetchall()
    findings.hold("I15", not twice, f"granted twice: {twice[:3]}")
    for run, halt in books.granted:
        findings.hold("I21", halts[run, halt] >= 1, f"the grant for {halt} was acknowledged and is gone")
    decided = collections.Counter(row[0] for row in db.execute(
        "SELECT run FROM v_event WHERE type = 'decision.resolved'"))
    for run, _ in books.resolved:
        findings.hold("I21", decided[run] >= 1, f"{run}: a resolution was acknowledged and is gone")
    for run in books.cancelled:
        findings.hold("I21", known.get(run) == "cancelled", f"{run} was cancelled and is {known.get(run)}")
    done = collections.defaultdict(set)
    for run, step in db.execute("SELECT run, step FROM v_event WHERE type = 'step.succeeded'"):
        done[run].add(step)
    for run, steps in books.succeeded.items():
        findings.hold("I9", steps <= done[run], f"{run}: {steps - done[run]} had succeeded")


def check_jobs(db, books, marks, findings):
    """I12: a job that may not be repeated ran at most once for each attempt that was not undone."""
    holds = collections.Counter()
    for run, step in db.execute("SELECT c.run, c.step FROM v_call c JOIN v_settlement s ON s.call = c.id "
                                "AND s.hold = (SELECT h.id FROM v_hold h WHERE h.no = c.hold) "
                                "WHERE c.kind = 'sandbox.job' AND s.voided = 0"):
        holds[run, step] += 1
    open_holds = collections.Counter(db.execute(
        "SELECT run, step FROM v_call WHERE kind = 'sandbox.job' AND ended_at IS NULL").fetchall())
    names = {row[0]: row[1] for row in db.execute("SELECT name, id FROM v_run")}
    if marks:
        for name, step in db.execute("SELECT r.name, s.id FROM v_step s JOIN v_run r ON r.id = s.run "
                                     "WHERE s.uses = 'sandbox.job' AND s.state = 'succeeded'"):
            findings.hold("I8", f"{name}-{step}" in marks, f"the job {name}-{step} left nothing")
    for mark, count in marks.items():
        name, step = mark.rsplit("-", 1)
        run = names.get(name)
        findings.hold("I4", run is not None, f"the job {mark} ran, and its run is not stored")
        paid = holds[run, step] + open_holds[run, step]
        findings.hold("I12", count <= max(1, paid), f"the job {mark} ran {count} times, paid {paid}")
        findings.hold("I8", paid >= 1, f"the job {mark} ran, and is not paid for")


def judge(path, lines, books, marks, at_rest=True, clock=True):
    """Raises Breach, or gives how often each invariant was checked. `clock`: the daemon's was true."""
    findings = Findings()
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        check_whole(db, path, findings)
        check_accounts(db, findings)
        check_holds(db, findings, at_rest)
        check_calls(db, lines, findings, at_rest, clock)
        check_timelines(db, findings)
        check_books(db, books, findings)
        check_jobs(db, books, marks, findings)
    finally:
        db.close()
    if findings.wrong:
        shown = "\n  ".join(findings.wrong[:20])
        raise Breach(f"{len(findings.wrong)} breaches:\n  {shown}")
    return findings.checked
