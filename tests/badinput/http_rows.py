# SPDX-License-Identifier: Apache-2.0
"""Bad inputs by HTTP: definitions, ids, queries, tokens, decisions, and the protocol itself (B1 to B50)."""
import json
import os
import socket
import subprocess
import threading
import time

import table
from table import CALL, HALT, RUN, Row, ask, get, lib, raw, submit, talk, wire

definition = lib.definition
NOOP = {"id": "one", "uses": "noop"}
FINAL = ("succeeded", "failed", "cancelled")
BAD = (400,)


def patched(old, new):
    """The small definition with a piece of its text exchanged."""
    text = json.dumps(definition(budget={"tokens": 12345}), separators=(",", ":"))
    assert old in text, old
    return raw(text.replace(old, new))


def limit(value):
    return submit(patched("12345", value))


def steps(*what, **more):
    return submit(definition(*what, **more))


def ended(*states, check=None, path="/v1/runs"):
    """Of a row that stores a run: waits for its end."""
    def wait(world, answer):
        run = world.viewer.wait_state(answer.json["id"], *states)
        if check is not None:
            check(world, run)
    return wait


def dry(*what, **more):
    return submit(definition(*what, **more), path="/v1/runs?dry_run=true")


# ---- B1 to B22: JSON and its numbers

ROWS = [
    Row("B1", "empty body", submit(b""), BAD), Row("B2", "null", submit(b"null"), BAD),
    Row("B3", "array", submit(b"[]"), BAD), Row("B3", "text", submit(b'"run"'), BAD),
    Row("B4", "bytes behind the value", submit(raw(json.dumps(definition()) + "x")), BAD),
    Row("B4", "two values", submit(raw(json.dumps(definition()) * 2)), BAD),
    Row("B4", "byte order mark", submit(b"\xef\xbb\xbf" + raw(json.dumps(definition()))), BAD),
    Row("B5", "a limit twice", limit('1,"tokens":99999999'), BAD, says="tokens"),
    Row("B5", "a limit twice, spelled", limit('1,"\\u0074okens":99999999'), BAD, says="tokens"),
    Row("B9", "negative", limit("-1"), BAD, "/budget/tokens"),
    Row("B10", "minus zero", limit("-0.0"), BAD, "/budget/tokens"),
    Row("B10", "minus zero as an integer", limit("-0"), (201,), runs=1,
        check=ended("succeeded", "halted")),
    Row("B11", "fraction", limit("0.1"), BAD, "/budget/tokens"),
    Row("B11", "a whole number with a fraction", limit("10.0"), BAD, "/budget/tokens"),
    Row("B11", "exponent", limit("1e3"), BAD, "/budget/tokens"),
    Row("B11", "less than a double can tell", limit("0.100000000000000000001"), BAD, "/budget/tokens"),
    Row("B12", "2^63", limit("9223372036854775808"), BAD),
    Row("B12", "-2^63-1", limit("-9223372036854775809"), BAD),
    Row("B13", "2^63-1 and two calls", steps({"id": "a", "uses": "noop"}, {"id": "b", "uses": "noop"},
                                             budget={"tool_steps": 2**63 - 1}), (201,), runs=1,
        check=ended("succeeded", check=lambda world, run: same(
            run["envelope"]["tool_steps"]["remaining"], 2**63 - 3))),
    Row("B13", "2^63-1 for each of ten steps", steps(*({"id": f"s{i}", "uses": "noop", "budget": {
        "tool_steps": 2**63 - 1}} for i in range(10)), budget={"tool_steps": 2**63 - 1}), (201,), runs=1,
        check=ended("succeeded")),
    Row("B13", "a grant on top of 2^63-1", lambda world: grant_on_full(world), (200, 400, 409), runs=1,
        events=True),
    Row("B13", "0 halts at the first call", steps(NOOP, budget={"tool_steps": 0}), (201,), runs=1,
        check=ended("halted")),
    *(Row("B14", f"{kind} for a limit", limit(value), BAD) for kind, value in (
        ("text", '"10"'), ("boolean", "true"), ("array", "[10]"), ("object", '{"$gt":0}'))),
    Row("B14", "money as a float", steps(NOOP, budget={"cost_usd": 2.5}), BAD, "/budget/cost_usd"),
    *(Row("B14", f"money {text!r}", steps(NOOP, budget={"cost_usd": text}), BAD, "/budget/cost_usd") for text in (
        "", "-1", "+1", "1e3", ".5", "5.", " 1", "1 ", "1,5", "0x1", "NaN", "1.0000000001",
        "99999999999999999999", "\uff11", True, None, [1], 1.5)),
    Row("B15", "misspelt limit", submit(patched('"tokens"', '"max_token"')), BAD, "/budget/max_token"),
    Row("B15", "misspelt field", submit(patched('"kind"', '"knid"')), BAD),
    Row("B15", "case of a field", submit(patched('"tokens"', '"Tokens"')), BAD, "/budget/Tokens"),
    Row("B15", "unknown meter of a search", steps(NOOP, budget={"search": {"bing": 1}}), BAD,
        "/budget/search/bing"),
    Row("B15", "unknown field of a step", steps({**NOOP, "budgte": {}}), BAD, "/steps/0/budgte"),
    Row("B15", "unknown field of its params", steps({**NOOP, "with": {"outptu": 1}}), BAD),
    Row("B15", "unknown kind", steps({"id": "one", "uses": "shell.exec"}), BAD, "/steps/0/uses"),
    Row("B15", "__proto__", submit(patched('"kind"', '"__proto__":{"a":1},"kind"')), BAD, "/__proto__"),
    Row("B16", "200,000 brackets", submit(b"[" * 200000), BAD),
    Row("B16", "200,000 objects", submit(b'{"a":' * 200000), BAD),
    Row("B16", "depth 33", submit(patched('"uses":"noop"', '"uses":"noop","with":{"output":' + "[" * 33
                                           + "]" * 33 + "}")), BAD),
    Row("B18", "60,000 keys", submit(patched('"noop"', '"noop",' + ",".join(
        f'"k{i}":1' for i in range(60000)))), BAD),
    Row("B18", "100,000 keys", submit(patched('"kind"', ",".join(f'"{i}":1' for i in range(70000)) + ',"kind"')), BAD),
    Row("B18", "100,000 keys that hash alike or not, over 1 MiB", submit(b'{' + b",".join(
        b'"key%06d":1' % i for i in range(100000)) + b'}'), (413,)),
    Row("B18", "100,000 params", submit(patched('"kind"', '"params":{' + ",".join(
        f'"p{i}":0' for i in range(100000 - 12000)) + '},"kind"')), (201, 400, 413), runs=None,
        check=lambda world, answer: None if answer.status != 201 else ended(*FINAL, "halted")(world, answer)),
    Row("B18", "100,000 steps", submit(raw(json.dumps(definition(*({"id": f"s{i}", "uses": "noop"}
                                                                   for i in range(100000)))))), (413,)),
    Row("B18", "20,000 steps", submit(raw(json.dumps(definition(*({"id": f"s{i}", "uses": "noop"}
                                                                  for i in range(20000)))))), BAD),
    Row("B18", "a name of 900 KiB", submit(patched('"e2e"', '"' + "n" * 900 * 1024 + '"')), BAD, "/name"),
    Row("B18", "a param of 900 KiB", steps(NOOP, params={"x": "y" * 900 * 1024}), (201,), runs=1,
        check=ended("succeeded")),
    Row("B18", "one million zeros", submit(b"[" + b"0," * 500000 + b"0]"), BAD),
    Row("B18", "a number of 500,000 digits", limit("9" * 500000), BAD),
    Row("B18", "an array for for_each that is too long", steps({**NOOP, "for_each": [0] * 1001}), BAD),
    Row("B19", "bad UTF-8", submit(patched('"e2e"', '"@"').replace(b"@", b"\xff")), BAD),
    Row("B19", "bad UTF-8 in a key", submit(patched('"kind"', '"@":1,"kind"').replace(b"@", b"\xc3")), BAD),
    Row("B20", "overlong /", submit(patched('"e2e"', '"@"').replace(b"@", b"\xc0\xaf")), BAD),
    Row("B20", "overlong of three bytes", submit(patched('"e2e"', '"@"').replace(b"@", b"\xe0\x80\xaf")), BAD),
    Row("B20", "beyond Unicode", submit(patched('"e2e"', '"@"').replace(b"@", b"\xf4\x90\x80\x80")), BAD),
    Row("B21", "lone surrogate", submit(patched('"e2e"', '"\\ud800"')), BAD),
    Row("B21", "surrogates in the wrong order", submit(patched('"e2e"', '"\\udc00\\ud800"')), BAD),
    Row("B21", "surrogate as bytes", submit(patched('"e2e"', '"@"').replace(b"@", b"\xed\xa0\x80")), BAD),
    Row("B22", "NUL in the name", submit(patched('"e2e"', '"a\\u0000b"')), BAD),
    Row("B22", "NUL in an id", submit(patched('"one"', '"a\\u0000b"')), BAD),
    Row("B22", "NUL in a key", submit(patched('"kind"', '"\\u0000":1,"kind"')), BAD),
    Row("B22", "NUL in a param of a step", submit(patched('"noop"', '"noop","with":{"output":"\\u0000"}')), BAD),
    Row("B22", "raw NUL", submit(patched('"e2e"', '"a@b"').replace(b"@", b"\0")), BAD),
    Row("B22", "raw newline in a text", submit(patched('"e2e"', '"a\nb"')), BAD),
    *(Row("B6" if value == "NaN" else "B7" if "Inf" in value else "B8", value, limit(value), BAD)
      for value in ("NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1e-400", "+5", "0x10", "010", ".5", "5.",
                    "1_000", "1e", "--1", "nan", "null")),
]

# ---- B23 to B31: names, graphs, texts

NAMES = (("B23", "\u202eabc"), ("B23", "a\u200bb"), ("B23", "e" + "\u0301" * 30), ("B23", "\u0430bc"),
         ("B23", "caf\u00e9"), ("B23", "cafe\u0301"), ("B23", "\ufeffa"), ("B24", ".."), ("B24", "."),
         ("B24", "../../etc/passwd"), ("B24", "a/b"), ("B24", "a\\b"), ("B24", "%2e%2e%2f"), ("B24", "x" * 300),
         ("B24", "x" * 65), ("B24", ""), ("B24", "-a"), ("B24", " a"), ("B24", "a "), ("B24", "a:b"),
         ("B25", "'; DROP TABLE run;--"), ("B25", '" OR 1=1'), ("B28", "a\r\nb"), ("B28", "a\tb"), ("B28", "\x1b[31m"))
for number, name in NAMES:
    ROWS.append(Row(number, f"step id {name[:20]!r}", submit(patched('"one"', json.dumps(name))), BAD, "/steps/0/id"))
    ROWS.append(Row(number, f"name {name[:20]!r}", submit(patched('"e2e"', json.dumps(name))), BAD, "/name"))
    for field in ("tenant", "project", "user", "agent", "workflow"):
        if number != "B23" or field == "tenant":
            ROWS.append(Row(number, f"{field} {name[:20]!r}", steps(NOOP, **{field: name}), BAD, f"/{field}"))
    ROWS.append(Row(number, f"token named {name[:20]!r}",
                    ask("POST", "/v1/tokens", {"role": "viewer", "name": name}, "admin"),
                    BAD if name else (400, 201), tokens=None if not name else 0))

HOSTILE = {"title": "<script>\"><img onerror=x>", "csv": "=HYPERLINK(1)\r\n", "rtl": "\u202e", "link": "javascript:x",
           "svg": "<svg onload=x>"}
LITERAL = ["{{secret.X}}", "${env:HOME}", "%s%n%p", "$(id)", "`id`", "#{7*7}", "{{7*7}}", "<%= 7 %>", "\\u0041"]


def same(found, wanted):
    assert found == wanted, (found, wanted)


def is_inert(world, run):
    """The answer that shows hostile text can neither be run nor framed nor sniffed."""
    answer = world.viewer.get(f"/v1/runs/{run['id']}")
    same(answer.headers["content-type"], "application/json")
    same(answer.headers["x-content-type-options"], "nosniff")
    assert "default-src 'none'" in answer.headers["content-security-policy"], answer.headers
    same(answer.headers["cache-control"], "no-store")


def output_of(world, run):
    assert world.viewer.get(f"/v1/runs/{run['id']}/timeline").status == 200
    return [step.get("output") for step in run["steps"]]


def grant_on_full(world):
    run = world.submitter.post("/v1/runs", definition({"id": "a", "uses": "noop"}, budget={
        "tool_steps": 0, "tokens": 2**63 - 1})).expect(201).json["id"]
    halt = world.viewer.wait_state(run, "halted")["halt"]["id"]
    answer = world.approver.post(f"/v1/runs/{run}/halts/{halt}", {"decision": "grant", "grants": [
        {"scope": "run", "meter": "tokens", "amount": 2**63 - 1}]})
    found = world.viewer.wait_state(run, "halted")
    for account in found["envelope"].values():
        assert account["limit"] >= 0 and account["granted"] >= 0 and account["remaining"] >= 0, found["envelope"]
    world.submitter.post(f"/v1/runs/{run}/cancel").expect(200)
    return answer


def chain(n):
    return [{"id": f"s{i}", "uses": "noop", **({"needs": [f"s{i - 1}"]} if i else {})} for i in range(n)]


TENFOLD = [{"id": "s0", "uses": "noop", "with": {"output": "x" * 1000}}] + [
    {"id": f"s{i}", "uses": "noop", "needs": [f"s{i - 1}"],
     "with": {"output": "${{ steps.s%d.output }}" % (i - 1) * 10}} for i in range(1, 9)]

ROWS += [
    Row("B26", "markup in free text", steps(NOOP, params=HOSTILE, description="<script>alert(1)</script>"), (201,),
        runs=1, check=ended("succeeded", check=is_inert)),
    Row("B29", "templates of others in params stay text",
        steps({**NOOP, "with": {"output": LITERAL}}), (201,), runs=1, check=ended("succeeded", check=lambda world, run:
              same(output_of(world, run), [LITERAL]))),
    Row("B29", "an expression in data is not evaluated",
        steps({"id": "a", "uses": "noop", "with": {"output": "${{ '${{' }} params.x }}"}},
              {"id": "b", "uses": "noop", "needs": ["a"], "with": {"output": "${{ steps.a.output }}"}},
              params={"x": "evaluated"}), (201,), runs=1, check=ended("succeeded", check=lambda world, run:
              same(output_of(world, run)[1], "${{ params.x }}"))),
    Row("B29", "a secret that nobody declared", steps({**NOOP, "with": {"output": "${{ secrets.X }}"}}), BAD),
    Row("B29", "the environment in an expression", steps({**NOOP, "with": {"output": "${{ env.HOME }}"}}), BAD),
    *(Row("B29", f"expression {text[:24]!r}", steps({**NOOP, "with": {"output": "${{ " + text + " }}"}}), BAD)
      for text in ("", "1 +", "((((" * 200, "!" * 5000, "params.", "params[", "length(", "length()", "'", "system('id')",
                   "params.x.__proto__.y(", "9223372036854775808", "1.5", "\u202e", "a" * 8000)),
    Row("B29", "an expression of 9000", steps({**NOOP, "with": {"output": "${{ " + "a" * 9000 + " }}"}}), (400, 413)),
    Row("B30", "an output that refers to itself", steps({**NOOP, "with": {"output": "${{ steps.one.output }}"}}), BAD),
    Row("B30", "tenfold growth with each step", steps(*TENFOLD), (201,), runs=1,
        check=ended("failed", "halted", check=lambda world, run: same(
            [step["error"]["code"] if isinstance(step["error"], dict) else step["error_code"]
             for step in run["steps"] if step["state"] == "failed"], ["definition.expression"]))),
    Row("B31", "cycle", steps({"id": "a", "uses": "noop", "needs": ["b"]}, {"id": "b", "uses": "noop", "needs": ["a"]}),
        BAD),
    Row("B31", "cycle of 1000", steps(*({"id": f"s{i}", "uses": "noop", "needs": [f"s{(i + 1) % 1000}"]}
                                        for i in range(1000))), BAD),
    Row("B31", "self edge", steps({"id": "a", "uses": "noop", "needs": ["a"]}), BAD),
    Row("B31", "missing step", steps({"id": "a", "uses": "noop", "needs": ["z"]}), BAD),
    Row("B31", "an edge twice", steps({"id": "a", "uses": "noop"}, {"id": "b", "uses": "noop", "needs": ["a", "a"]}),
        BAD),
    Row("B31", "the same id twice", steps({"id": "a", "uses": "noop"}, {"id": "a", "uses": "noop"}), BAD),
    Row("B31", "no steps", submit({"stint": 1, "name": "e2e", "kind": "research", "steps": []}), BAD, "/steps"),
    Row("B31", "a chain of 10,000", steps(*chain(10000)), BAD),
    Row("B31", "a chain of 1000 is fine", dry(*chain(1000)), (200,)),
    Row("B31", "everybody needs everybody before", dry(*({"id": f"s{i}", "uses": "noop", "needs": [
        f"s{j}" for j in range(i)]} for i in range(120))), (200, 400)),
]

# ---- B24, B25, B36, B37: paths and queries

ROWS += [Row(number, f"path {path[:40]}", get(path), (400, 404)) for number, path in (
    ("B24", f"/v1/runs/{RUN}x"), ("B24", f"/v1/runs/{RUN.upper()}"), ("B24", "/v1/runs/.."),
    ("B24", "/v1/runs/%2e%2e"), ("B24", "/v1/runs/../../etc/passwd"), ("B24", "/v1/runs/%2e%2e%2f%2e%2e%2fetc%2fpasswd"),
    ("B24", "/v1/runs/r_"), ("B24", f"/v1/runs/{RUN}%00"), ("B24", f"/v1/runs/{RUN}%2ftimeline"), ("B24", "/v1"),
    ("B24", "/"), ("B24", f"/v1/runs/{RUN}"), ("B24", f"/v1/runs/{RUN}/transcripts/{CALL}"), ("B24", "//v1/runs"),
    ("B24", "/v1/runs/"), ("B24", "/v1//runs"), ("B24", "/V1/runs"), ("B24", "/v1/runs/CON"), ("B24", "/v1/runs/-"),
    ("B24", "/v1/runs/" + "r" * 300), ("B24", "/v1/runs/%"), ("B24", "/v1/runs/%zz"), ("B24", "/v1/runs/%ff%fe"),
    ("B24", f"/v1/runs/{RUN}/artifacts/{CALL}/..%2f..%2fstint.db"), ("B24", f"/v1/runs/{RUN}/artifacts/x/y"),
    ("B25", "/v1/runs/'%3B%20DROP%20TABLE%20run%3B--"), ("B25", "/v1/runs/%22%20OR%201%3D1"),
    ("B25", "/v1/tokens/'%20OR%201%3D1"))]
ROWS += [Row(number, f"query {query[:40]}", get(f"{path}?{query}"), BAD) for path, number, queries in (
    ("/v1/runs", "B37", ("limit=-1", "limit=0", "limit=1000000000", "limit=x", "limit=", "limit=501", "limit=1e1",
                         "limit=+1", "limit=99999999999999999999", "cursor=forged", "cursor=", "cursor=" + "A" * 400,
                         "cursor=%00", "cursor=-1", "cursor=9223372036854775808", "limit=1&limit=2")),
    ("/v1/runs", "B43", ("tenant=", "workflow=")),
    ("/v1/runs", "B25", ("cursor=%27%20OR%201%3D1", "state=nope", "state=%27", "status=failed", "state=", "x")),
    (f"/v1/runs/{RUN}/timeline", "B37", ("after=-1", "after=x", "limit=0", "limit=100001", "after=")),
    ("/v1/usage", "B36", ("from=2027-02-29T00:00:00Z", "from=2026-02-30T00:00:00Z", "from=0000-01-01T00:00:00Z",
                          "from=2026-13-01T00:00:00Z", "from=2026-01-01T24:00:00Z", "from=2026-01-01T00:60:00Z",
                          "from=2026-01-01", "from=2026-01-01T00:00:00", "from=2026-1-1T0:0:0Z", "to=yesterday",
                          "from=", "to=10000-01-01T00:00:00Z", "from=-001-01-01T00:00:00Z",
                          "from=2026-01-01T00:00:00%2B25:00", "from=1700000000")),
    ("/v1/usage", "B37", ("from=2026-02-02T00:00:00Z&to=2026-02-01T00:00:00Z", "by=nobody", "run=r_1", "by=")),
    ("/v1/export", "B37", ("run=x", "run=", "format=csv", "from=2026-01-01T00:00:00Z", "tenant=a&tenant=b")))
         for query in queries]
ROWS += [Row("B36", f"date {date}", get(f"/v1/usage?from={date}"), (200,)) for date in (
    "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2038-01-19T03:14:08Z", "2024-02-29T00:00:00Z")]
ROWS += [Row("B36", f"sleep until {date!r}", steps({"id": "one", "uses": "sleep", "with": {"until": date}}),
             (400, 201), runs=None, check=lambda world, answer: answer.status == 400 or
             ended("failed")(world, answer)) for date in (
    "2027-02-29T00:00:00Z", "2026-02-30T00:00:00Z", "0000-01-01T00:00:00Z", "tomorrow", "", "2026-01-01T00:00:00")]
ROWS += [
    Row("B25", "injection as a tenant", get("/v1/runs?tenant=%27%20OR%201%3D1"), (200, 400)),
    Row("B25", "injection as a workflow", get("/v1/runs?workflow=%27%20OR%201%3D1"), (200, 400)),
    Row("B25", "injection as a token", get("/v1/runs", "nobody", {"Authorization": "Bearer ' OR 1=1--"}), (401,)),
    Row("B25", "injection as a header", submit(definition(), headers={"Idempotency-Key": "';DROP_TABLE_run;--"}),
        (201,), runs=1, check=ended("succeeded")),
    Row("B37", "Last-Event-ID", get(f"/v1/runs/{RUN}/timeline", headers={
        "Accept": "text/event-stream", "Last-Event-ID": "9" * 30}), (400, 404)),
]

# ---- B38 to B43: keys, tokens, roles, tenants


def at_once(world):
    """16 requests with one key at one time: one run, and 201 or 409 for each."""
    answers, start = [], threading.Barrier(16)

    def one():
        start.wait()
        answers.append(world.submitter.post("/v1/runs", definition(), key="at-once"))
    threads = [threading.Thread(target=one) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status for answer in answers} <= {201, 409}, [answer.status for answer in answers]
    made = [answer for answer in answers if answer.status == 201]
    assert len({answer.json["id"] for answer in made}) == 1
    return made[0]


def reused(world):
    world.submitter.post("/v1/runs", definition(), key="reused").expect(201)
    return world.submitter.post("/v1/runs", definition(name="other"), key="reused")


def of_another(world):
    """The same key of another tenant is another key."""
    acme, rival = (world.make("submitter", tenant, f"{tenant}-sub") for tenant in ("acme", "rival"))
    first, second = (by.post("/v1/runs", definition(), key="mine").expect(201) for by in (acme, rival))
    assert first.json["id"] != second.json["id"]
    for by, answer in ((acme, first), (rival, second)):
        by.wait_state(answer.json["id"], "succeeded")
    return second


def revoked(world):
    made = world.admin.post("/v1/tokens", {"role": "viewer", "name": "gone"}).expect(201).json
    world.admin.delete(f"/v1/tokens/{made['id']}").expect(200)
    return world.daemon.client(made["token"]).get("/v1/runs")


def expired(world):
    at = time.time() + 1.5
    text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at * 1000) % 1000:03d}Z"
    made = world.admin.post("/v1/tokens", {"role": "viewer", "name": "brief", "expires_at": text}).expect(201).json
    client = world.daemon.client(made["token"])
    while time.time() <= at + 0.01:
        time.sleep(0.05)
    return client.get("/v1/runs")


TIGHT = definition({"id": "a", "uses": "noop"}, budget={"tool_steps": 0})


def own(role):
    """Somebody decides about what he submitted."""
    def send(world):
        by = getattr(world, role)
        run = by.post("/v1/runs", TIGHT).expect(201).json["id"]
        halt = by.wait_state(run, "halted")["halt"]["id"]
        return by.post(f"/v1/runs/{run}/halts/{halt}", {"decision": "grant"})
    return send


def bound(method, path, body, role="admin"):
    """As somebody of the tenant rival."""
    def send(world):
        if not hasattr(world, f"rival_{role}"):
            setattr(world, f"rival_{role}", world.make(role, "rival", f"rival-{role}"))
        return getattr(world, f"rival_{role}").ask(method, path, body)
    return send


ROWS += [Row("B38", f"key {key[:12]!r}", submit(definition(), headers={"Idempotency-Key": key}), BAD)
         for key in ("", "x" * 256, "a b", "caf\u00c3\u00a9", "\x7f", "a\tb")]
ROWS += [
    Row("B38", "key of 255", submit(definition(), headers={"Idempotency-Key": "x" * 255}), (201,), runs=1,
        check=ended("succeeded")),
    Row("B38", "two keys", wire("POST /v1/runs HTTP/1.1\r\nAUTHContent-Type: application/json\r\nIdempotency-Key: a\r\n"
                                "Idempotency-Key: b\r\nContent-Length: LENGTH\r\n\r\n", json.dumps(definition())), BAD),
    Row("B39", "same key, other body", reused, (422,), runs=1, events=True),
    Row("B39", "same key in flight", at_once, (201,), runs=1, check=ended("succeeded")),
    Row("B39", "same key of another tenant", of_another, (201,), runs=2, tokens=2),
    *(Row("B40", f"token {what}", get("/v1/runs", "nobody", {"Authorization": text} if text is not None else None),
          (401,)) for what, text in (
        ("none", None), ("empty", ""), ("without value", "Bearer"), ("with a blank", "Bearer "), ("wrong", "Bearer x"),
        ("of the right shape", "Bearer stint_" + "A" * 43), ("of 5000", "Bearer " + "A" * 5000),
        ("of another scheme", "Basic YTpi"), ("twice in one", "Bearer a, Bearer b"))),
    Row("B40", "with a control character", get("/v1/runs", "nobody", {"Authorization": "Bearer \x01"}), BAD),
    Row("B40", "a byte too many", lambda world: world.nobody.get("/v1/runs", {
        "Authorization": f"Bearer {world.viewer.token}x"}), (401,)),
    Row("B40", "a byte too few", lambda world: world.nobody.get("/v1/runs", {
        "Authorization": f"Bearer {world.viewer.token[:-1]}"}), (401,)),
    Row("B40", "a right one of another case", lambda world: world.nobody.get("/v1/runs", {
        "Authorization": f"Bearer {world.viewer.token.swapcase()}"}), (401,)),
    Row("B40", "revoked", revoked, (401,), tokens=1), Row("B40", "expired", expired, (401,), tokens=1),
    *(Row("B36", f"a token until {text!r}", ask("POST", "/v1/tokens", {"role": "viewer", "name": "odd", "expires_at": text}, "admin"),
          BAD, "/expires_at") for text in ("2027-02-29T00:00:00Z", "1970-01-01T00:00:00Z", "tomorrow", "", 5, True, [],
                                           "2026-01-01T00:00:00", "99999-01-01T00:00:00Z")),
    Row("B40", "as X-Api-Key", lambda world: world.nobody.get("/v1/runs", {"X-Api-Key": world.viewer.token}), (401,)),
    *(Row("B40", f"in the URL as {name}", lambda world, name=name: world.nobody.get(
        f"/v1/runs?{name}={world.viewer.token}"), (401,)) for name in ("token", "access_token", "api_key", "key")),
    Row("B40", "in the URL beside a right one", lambda world: world.viewer.get(
        f"/v1/runs?token={world.viewer.token}"), (401,)),
    Row("B40", "two Authorization headers", wire("GET /v1/runs HTTP/1.1\r\nAUTHAuthorization: Bearer x\r\n\r\n"), BAD),
    Row("B41", "a viewer submits", submit(definition(), by="viewer"), (403,)),
    Row("B41", "a submitter approves", ask("POST", f"/v1/runs/{RUN}/halts/{HALT}", {"decision": "grant"}, "submitter"),
        (403,)),
    Row("B41", "an approver changes limits", ask("POST", f"/v1/runs/{RUN}/envelope", {"limits": {"tokens": 1}},
                                                 "approver"), (403,)),
    Row("B41", "an approver makes a token", ask("POST", "/v1/tokens", {"role": "viewer"}, "approver"), (403,)),
    Row("B41", "an approver decides about his own run", own("approver"), (403,), runs=1, events=True),
    Row("B41", "an admin decides about his own run", own("admin"), (403,), runs=1, events=True),
    Row("B42", "a token for a wider tenant", bound("POST", "/v1/tokens", {"role": "viewer", "tenant": "acme"}), (403,),
        tokens=1),
    Row("B42", "a token that is bound to nobody", bound("POST", "/v1/tokens", {"role": "admin", "tenant": ""}),
        (400, 403, 201), tokens=None, check=lambda world, answer: same(
            answer.status != 201 or answer.json["tenant"] == "rival", True)),
    Row("B42", "a role that is none", ask("POST", "/v1/tokens", {"role": "owner"}, "admin"), BAD, "/role"),
    Row("B42", "a role by number", ask("POST", "/v1/tokens", {"role": 3}, "admin"), BAD, "/role"),
    Row("B42", "a token with a hash of one's own", ask("POST", "/v1/tokens", {"role": "viewer", "hash": "x"}, "admin"),
        BAD, "/hash"),
    Row("B43", "a run for another tenant", bound("POST", "/v1/runs", definition(tenant="acme"), "submitter"), (403,),
        "/tenant", tokens=1),
    *(Row("B43", f"{path} of another tenant", bound("GET", f"{path}?tenant=acme", None), (403,)) for path in (
        "/v1/runs", "/v1/approvals", "/v1/holds", "/v1/usage", "/v1/export", "/v1/tokens")),
]

# ---- decisions: B9 to B15 and B28 in their bodies

DECIDE = f"/v1/runs/{RUN}/halts/{HALT}"
ROWS += [Row(number, f"decision {str(body)[:50]}", ask("POST", DECIDE, body, "approver"), BAD, pointer)
         for number, body, pointer in (
    ("B15", {}, "/decision"), ("B15", {"decision": "approve"}, "/decision"), ("B14", {"decision": None}, "/decision"),
    ("B15", {"decision": "grant", "grant": []}, "/grant"), ("B3", [], None), ("B1", b"", None),
    ("B9", {"decision": "grant", "grants": [{"meter": "tool_steps", "amount": -1}]}, "/grants/0/amount"),
    ("B9", {"decision": "grant", "grants": [{"meter": "tool_steps", "amount": 0}]}, "/grants/0/amount"),
    ("B11", {"decision": "grant", "grants": [{"meter": "tool_steps", "amount": 1.5}]}, "/grants/0/amount"),
    ("B12", b'{"decision":"grant","grants":[{"meter":"tokens","amount":9223372036854775808}]}', None),
    ("B15", {"decision": "grant", "grants": [{"meter": "steps", "amount": 1}]}, "/grants/0/meter"),
    ("B15", {"decision": "grant", "grants": [{"scope": "tenant", "meter": "tokens", "amount": 1}]}, "/grants/0/scope"),
    ("B18", {"decision": "grant", "grants": [{"meter": "tokens", "amount": 1}] * 17}, "/grants"),
    ("B18", {"decision": "deny", "reason": "x" * 5000}, "/reason"),
    ("B22", b'{"decision":"deny","reason":"\\u0000"}', None))]
ROWS += [Row("B15", f"cancel with {str(body)[:30]}", ask("POST", f"/v1/runs/{RUN}/cancel", body, "submitter"), BAD)
         for body in ({"reason": 1}, {"why": "x"}, [], "x")]
ROWS += [Row("B15", f"limits {str(body)[:30]}", ask("POST", f"/v1/runs/{RUN}/envelope", body, "admin"), BAD)
         for body in ({}, {"limits": {}}, {"limits": {"tokens": -1}}, {"limits": {"x": 1}}, {"tokens": 1},
                      {"limits": {"tokens": 1.5}}, {"limits": {"tokens": "1"}}, {"limits": []})]


def forged_lines(world):
    """What is logged about a refused request is one line, whatever its path holds."""
    world.viewer.post(f"/v1/runs/{RUN}%0d%0a%7b%22forged%22%3a1%7d%1b%5b31m/cancel", {})
    answer = world.viewer.post(f"/v1/runs/{'x' * 7000}/cancel", {})
    lines = list(world.daemon.log)
    assert all(set(json.loads(line)) == {"at", "level", "event", "text"} for line in lines), lines
    assert all(len(line) < 4096 and "\x1b" not in line for line in lines)
    return answer


ROWS += [
    Row("B28", "lines of a log forged by a path", forged_lines, (403, 404, 400)),
    Row("B28", "a description with CR LF and ESC", steps(NOOP, description="a\r\n{\"level\":\"error\"}\x1b[2J"),
        (201, 400), runs=None, check=lambda world, answer: answer.status == 400 or ended("succeeded")(world, answer)),
]

# ---- B17, B44 to B47, B50: the protocol

POST = "POST /v1/runs HTTP/1.1\r\nAUTHContent-Type: application/json\r\n"
BODY = json.dumps(definition())
SIZED = "Content-Length: LENGTH\r\n\r\n"
MIB = 2**20


def closes(world, answer):
    same(answer.headers.get("connection"), "close")


def host(value):
    return wire(f"GET /healthz HTTP/1.1\r\nHost: {value}\r\nConnection: close\r\n\r\n")


ROWS += [
    Row("B17", "a byte too many", wire(POST + f"Content-Length: {MIB + 1}\r\n\r\n", "x" * (MIB + 1)), (413,), check=closes),
    Row("B17", "10 GiB announced", wire(POST + f"Content-Length: {10 * 2**30}\r\n\r\n"), (413,), check=closes),
    Row("B17", "2^64 announced", wire(POST + f"Content-Length: {2**64}\r\n\r\n"), (400, 413)),
    Row("B17", "chunks without end", wire(POST + "Transfer-Encoding: chunked\r\n\r\n" +
                                         f"10000\r\n{'x' * 65536}\r\n" * 20), (413,), check=closes),
    Row("B17", "tiny chunks without end", wire(POST + "Transfer-Encoding: chunked\r\n\r\n" + "1\r\nx\r\n" * 400000),
        (400, 413, None)),  # None: it was refused and cut while most of it was still to be sent
    Row("B17", "a chunk of 2^63", wire(POST + "Transfer-Encoding: chunked\r\n\r\n7fffffffffffffff\r\nx"), (400, 413)),
    Row("B17", "chunk extensions without end", wire(POST + "Transfer-Encoding: chunked\r\n\r\n1;" + "a" * 2000000), (400, 413)),
    Row("B17", "trailers without end", wire(POST + "Transfer-Encoding: chunked\r\n\r\n0\r\n" + "X: y\r\n" * 20000),
        (400, 413, 431)),
    *(Row("B44", f"Host {value}", host(value), (421, 403, 400)) for value in (
        "evil.test", "127.0.0.1.evil.test", "evil.test:80", "127.0.0.1@evil.test", "127.0.0.1:1:2", "127.0.0.1 evil",
        "", "[::1", "127.0.0.1.", "localhost.evil.test", "xn--evil", "0.0.0.0", "127.0.0.2.nip.io", "2130706433",
        "HOST/", "HOST,evil.test", "localhost\tx", "[::ffff:7f00:1]:80")),
    Row("B44", "no Host", wire("GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n"), BAD),
    Row("B44", "two Hosts", wire("GET /v1/runs HTTP/1.1\r\nHost: x\r\nAUTH\r\n"), BAD),
    Row("B44", "two equal Hosts", wire("GET /v1/runs HTTP/1.1\r\nHost: HOST\r\nAUTH\r\n"), BAD),
    Row("B44", "another Host in the target", wire("GET http://evil.test/healthz HTTP/1.1\r\nAUTH\r\n"), (400, 421, 403)),
    Row("B44", "X-Forwarded-Host does not count", wire(
        "GET /healthz HTTP/1.1\r\nHost: evil.test\r\nX-Forwarded-Host: HOST\r\nConnection: close\r\n\r\n"), (421, 403)),
    *(Row("B45", f"Origin {origin}", lambda world, origin=origin: world.submitter.post(
        "/v1/runs", definition(), {"Origin": origin.replace("URL", world.url)}), (403,)) for origin in (
        "null", "http://evil.test", "https://evil.test", "URL.evil.test", "file://", "URL@evil.test", "", "*",
        "URL http://evil.test", "http://localhost:1")),
    Row("B45", "our own Origin is fine", lambda world: world.submitter.post("/v1/runs", definition(), {
        "Origin": world.url}), (201,), runs=1, check=ended("succeeded")),
    Row("B45", "UTF-8, and it says so", submit(definition(), headers={
        "Content-Type": "application/json; charset=utf-8"}), (201,), runs=1, check=ended("succeeded")),
    *(Row("B45", f"a form: {kind}", submit(raw(BODY), headers={"Content-Type": kind}), (415,)) for kind in (
        "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonx",
        "application/json-seq", "text/json", "application/json, text/plain", "", None)),
    Row("B45", "UTF-16, and it says so", submit(BODY.encode("utf-16"), headers={
        "Content-Type": "application/json; charset=utf-16"}), (400, 415)),
    *(Row("B45", f"{method} changes nothing", ask(method, f"/v1/runs/{RUN}/cancel", None, "submitter"), (405,))
      for method in ("GET", "PUT", "DELETE", "PATCH", "OPTIONS")),
    Row("B45", "the method in a header", ask("POST", f"/v1/runs/{RUN}", {}, "submitter",
                                            {"X-HTTP-Method-Override": "DELETE"}), (405,)),
    Row("B46", "both lengths", wire(POST + "Transfer-Encoding: chunked\r\n" + SIZED, BODY), BAD, check=closes),
    Row("B46", "two lengths", wire(POST + "Content-Length: 3\r\n" + SIZED, BODY), BAD, check=closes),
    Row("B46", "two equal lengths", wire(POST + "Content-Length: LENGTH\r\n" + SIZED, BODY), BAD, check=closes),
    *(Row("B46", f"length {text!r}", wire(POST + f"Content-Length: {text}\r\n\r\n", "hello"), (400, 413), check=closes)
      for text in ("+5", "-5", "0x5", "5 5", "5,5", "", "\t", "05x", "5;", "\u0665", "1e1", "99999999999999999999")),
    *(Row("B46", f"encoding {text!r}", wire(POST + f"Transfer-Encoding: {text}\r\n\r\n", "0\r\n\r\n"), (400, 501, 415),
          check=closes) for text in ("gzip", "chunked, chunked", "chunked, gzip", "xchunked", "identity", "chunked\x0b", "")),
    Row("B46", "bare LF", wire("GET /healthz HTTP/1.1\nHost: HOST\n\n"), BAD),
    Row("B46", "bare CR", wire("GET /healthz HTTP/1.1\rHost: HOST\r\r"), (400, None)),
    Row("B46", "LF behind a header", wire("GET /healthz HTTP/1.1\r\nHost: HOST\nX: a\r\n\r\n"), BAD),
    Row("B46", "space before the colon", wire("GET /healthz HTTP/1.1\r\nHost : HOST\r\n\r\n"), BAD),
    Row("B46", "folded line", wire("GET /healthz HTTP/1.1\r\nHost: HOST\r\nX: a\r\n b\r\n\r\n"), BAD),
    Row("B46", "a header without a name", wire("GET /healthz HTTP/1.1\r\nHost: HOST\r\n: x\r\n\r\n"), BAD),
    Row("B46", "a header without a colon", wire("GET /healthz HTTP/1.1\r\nHost: HOST\r\nabc\r\n\r\n"), BAD),
    Row("B46", "NUL in a header", wire("GET /healthz HTTP/1.1\r\nHost: HOST\r\nX: a\0b\r\n\r\n"), BAD),
    Row("B46", "a chunk of -1", wire(POST + "Transfer-Encoding: chunked\r\n\r\n-1\r\n"), BAD, check=closes),
    Row("B46", "a chunk of 0x5", wire(POST + "Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n"), BAD),
    Row("B46", "chunks with LF", wire(POST + "Transfer-Encoding: chunked\r\n\r\n5\nhello\n0\n\n"), BAD),
    Row("B46", "a request behind a refused one", lambda world: smuggled(world), BAD),
    Row("B47", "a header of 17 KiB", wire("GET /healthz HTTP/1.1\r\nAUTHX: " + "a" * 17000 + "\r\n\r\n"), (431,)),
    Row("B47", "500 headers", wire("GET /healthz HTTP/1.1\r\nAUTH" + "X: a\r\n" * 500 + "\r\n"), (431,)),
    Row("B47", "a head without end", wire("GET /healthz HTTP/1.1\r\nAUTH" + "X: a\r\n" * 300000), (431,)),
    Row("B47", "a URL of 64 KiB", wire("GET /" + "a" * 65536 + " HTTP/1.1\r\nAUTH\r\n"), (414,)),
    Row("B47", "HTTP/0.9", wire("GET /healthz\r\n\r\n"), (400, None)),
    *(Row("B47", f"version {text}", wire(f"GET /healthz {text}\r\nAUTH\r\n"), (400, 505)) for text in (
        "HTTP/2.0", "HTTP/1.2", "HTTP/1.", "HTTP/11.1", "http/1.1", "HTTPS/1.1", "RTSP/1.0", "HTTP/1.1 x")),
    Row("B47", "the preface of HTTP/2", wire("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), (400, 405, 505)),
    Row("B47", "an upgrade is not taken", wire("GET /healthz HTTP/1.1\r\nAUTHUpgrade: h2c\r\n\r\n"), (200, 400)),
    Row("B47", "TRACE", wire("TRACE / HTTP/1.1\r\nAUTH\r\n"), (405, 404)),
    Row("B47", "CONNECT", wire("CONNECT x:1 HTTP/1.1\r\nAUTH\r\n"), (400, 405)),
    Row("B47", "an unknown method", wire("BREW /v1/runs HTTP/1.1\r\nAUTH\r\n"), (400, 405, 501)),
    Row("B47", "a method of 5000", wire("G" * 5000 + " / HTTP/1.1\r\nAUTH\r\n"), (400, 405, 414, 501)),
    Row("B47", "a TLS hello", wire(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".decode("latin-1")), (400, None)),
    *(Row("B47", f"target {text!r}", wire(f"GET {text} HTTP/1.1\r\nAUTH\r\n"), (400, 404, 405)) for text in (
        "*", "healthz", "/healthz#x", "/%00", "/a b", "\\healthz", "/\x7f", "//evil.test/", "?x")),
    Row("B50", "gzip", wire(POST + "Content-Encoding: gzip\r\n" + SIZED, BODY), (415,)),
    Row("B50", "a bomb", submit(b"", headers={"Content-Encoding": "gzip"}), (415, 400)),
    *(Row("B50", f"encoding {text}", submit(raw(BODY), headers={"Content-Encoding": text}), (415,)) for text in (
        "br", "deflate", "zstd", "gzip, gzip", "x")),
]


def smuggled(world):
    """What follows a request that was refused for its framing is not taken for another request."""
    second = f"POST /v1/runs HTTP/1.1\r\nHost: {world.host}\r\nAuthorization: Bearer {world.submitter.token}\r\n" \
             f"Content-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n{BODY}"
    answer = talk(world.url, f"GET /healthz HTTP/1.1\r\nHost: {world.host}\r\nContent-Length: {len(second)}\r\n"
                  f"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{second}")
    assert b"HTTP/1.1" not in answer.body, answer.body
    return answer


# ---- B48, B49: clients that are slow or many

def attackers(world, n, text, source="127.0.0.{}"):
    """Connections of other addresses of loopback, so that they do not use up our own share."""
    host_, port = world.url[len("http://"):].rsplit(":", 1)
    made = []
    for i in range(n):
        sock = socket.socket()
        sock.bind((source.format(2 + i % 8), 0))
        sock.settimeout(table.lib.PATIENCE + 30)
        sock.connect((host_, int(port)))
        sock.sendall(raw(text))
        made.append(sock)
    return made


def closed(sock):
    try:
        while sock.recv(65536):
            pass
        return True
    except socket.timeout:
        return False
    except OSError:
        return True


class Slow:
    """500 sockets that send a byte now and then, from before the first row until after the last."""

    def __init__(self, world):
        self.heads = attackers(world, 300, f"GET /healthz HTTP/1.1\r\nHost: {world.host}\r\nX: ")
        self.bodies = attackers(world, 200, f"POST /v1/runs HTTP/1.1\r\nHost: {world.host}\r\nAuthorization: Bearer "
                                f"{world.submitter.token}\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n")
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.drip, daemon=True)
        self.thread.start()

    def drip(self):
        while not self.ended.wait(5):
            for sock in self.heads + self.bodies:
                try:
                    sock.send(b"a")
                except OSError:
                    pass

    def end(self, world):
        """All are closed by the daemon itself, although each of them sent a byte every five seconds."""
        begun = time.monotonic()
        world.viewer.get("/v1/runs").expect(200)
        print(f"     beside 500 slow sockets: {(time.monotonic() - begun) * 1000:.1f} ms", flush=True)
        left = [sock for sock in self.heads + self.bodies if not closed(sock)]
        self.ended.set()
        self.thread.join()
        for sock in self.heads + self.bodies:
            sock.close()
        assert not left, f"{len(left)} of 500 slow sockets were never closed"
        return world.viewer.get("/v1/runs")


def idle(world):
    """2,000 connections that say nothing: those beyond the limit are refused, the others wait."""
    host_, port = world.url[len("http://"):].rsplit(":", 1)
    made, refused = [], 0
    for i in range(2000):
        sock = socket.socket()
        sock.bind((f"127.0.0.{2 + i % 50}", 0))
        sock.settimeout(5)
        try:
            sock.connect((host_, int(port)))
            made.append(sock)
        except OSError:
            refused += 1
            sock.close()
    got = [sock for sock in made if b"HTTP/1.1 503" in peek(sock)]
    assert got
    print(f"     of 2,000 idle connections {len(got)} were told 503, {refused} did not connect", flush=True)
    for sock in made:
        sock.close()
    end = time.monotonic() + lib.PATIENCE
    while (answer := politely(world.viewer, "/v1/runs")) is None:
        assert time.monotonic() < end
        time.sleep(0.05)
    return answer


def politely(client, path):
    """The answer, or None while there is no room for us."""
    try:
        answer = client.get(path)
    except OSError:
        return None
    return None if answer.status == 503 else answer.expect(200)


def peek(sock):
    sock.setblocking(False)
    try:
        return sock.recv(4096, socket.MSG_PEEK)
    except OSError:
        return b""


def few_descriptors(world):
    """A daemon that may open 64 files: a call in flight ends well while others knock."""
    with lib.Place() as place:
        place.init()
        config = {"outgoing": {"allow": [f"127.0.0.1/32:{world.tool.ready['port']}"]}}
        path = place.write("config.json", config)
        limited = place.write("limited.sh", 'ulimit -n 64\nexec "$@"\n')
        process = subprocess.Popen(["sh", limited, lib.binary(), "serve", "--store", place.store, "--config", path,
                                    "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                   env=place.env)
        try:
            url = json.loads(process.stdout.readline())["url"]
            client = lib.Client(url, place.token)
            run = client.post("/v1/runs", definition({"id": "a", "uses": "http.request", "with": {
                "url": world.tool.url + "/slow?ms=1500"}})).expect(201).json["id"]
            socks = []
            for _ in range(200):
                sock = socket.socket()
                sock.settimeout(2)
                try:
                    sock.connect((url[7:].rsplit(":", 1)[0], int(url.rsplit(":", 1)[1])))
                except OSError:
                    pass
                socks.append(sock)
            for sock in socks:
                sock.close()
            end = time.monotonic() + lib.PATIENCE
            while (answer := politely(client, f"/v1/runs/{run}")) is None or answer.json["state"] == "running":
                assert time.monotonic() < end
                time.sleep(0.05)
            same(answer.json["state"], "succeeded")
        finally:
            process.terminate()
            process.wait(lib.PATIENCE)
            process.stdout.close()
        assert process.returncode == 0, process.returncode
        return answer


def never_reads(world):
    """A client that asks for a big answer and does not read: it is dropped, and costs no memory."""
    what = definition({"id": "many", "uses": "noop", "for_each": list(range(1000)), "for_each_concurrent": 64},
                      budget={"tool_steps": 100000})
    runs = [world.submitter.post("/v1/runs", what).expect(201).json["id"] for _ in range(4)]
    for run in runs:
        world.viewer.wait_state(run, "succeeded")
    socks = attackers(world, 2, f"GET /v1/export HTTP/1.1\r\nHost: {world.host}\r\nAuthorization: Bearer "
                      f"{world.viewer.token}\r\n\r\n")
    time.sleep(0.2)
    answer = world.viewer.get("/v1/runs")
    for sock in socks:
        sock.close()
    return answer


LAST = [
    Row("B48", "a client that does not read an export", never_reads, (200,), runs=4, events=True),
    Row("B49", "2,000 idle connections", idle, (200,)),
    Row("B49", "64 descriptors", few_descriptors, (200,), calls=1),
]


def main():
    count = table.Count()
    with lib.Place() as place, table.World(place) as world:
        slow = Slow(world)
        begun = time.monotonic()
        count.run(ROWS, world)
        print(f"     {len(ROWS)} rows in {time.monotonic() - begun:.1f} s", flush=True)
        count.run([Row("B48", "500 slow heads and bodies", slow.end, (200,))] + LAST, world)
        for line in world.daemon.log:
            assert os.path.basename(place.token) not in line, line
        world.end()
    count.end()


if __name__ == "__main__":
    main()
