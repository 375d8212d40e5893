# SPDX-License-Identifier: Apache-2.0
"""Does the HTTP API do what docs/api.md says, also for those who do not mean well?"""
import json
import os
import re
import resource
import signal
import socket
import threading
import time

import lib
from lib import definition

TIGHT = definition({"id": "a", "uses": "noop"}, {"id": "b", "uses": "noop", "needs": ["a"]},
                   budget={"tool_steps": 1})
FINAL = ("succeeded", "failed", "cancelled")
RUN = "r_01890000-0000-7000-8000-000000000000"
HALT = "halt_01890000-0000-7000-8000-000000000000"
CALL = "c_01890000-0000-7000-8000-000000000000"


class World:
    """A daemon and somebody of each role."""

    def __init__(self, place, config=None, listen="127.0.0.1:0"):
        place.init()
        self.place = place
        self.daemon = place.serve(config=config, listen=listen)
        self.admin = self.daemon.client(place.token)
        self.token_ids = {}
        for role in ("viewer", "submitter", "approver"):
            setattr(self, role, self.make(role, role))
        self.nobody = self.daemon.client()

    def make(self, role, name=None, tenant=None, by=None):
        asked = {"role": role, "name": name or role}
        if tenant is not None:
            asked["tenant"] = tenant
        made = (by or self.admin).post("/v1/tokens", asked).expect(201).json
        self.token_ids[made["name"]] = made["id"]
        return self.daemon.client(made["token"])

    def submit(self, what=None, by=None, **more):
        return (by or self.submitter).post("/v1/runs", what or definition(), **more).expect(201).json["id"]

    def halted(self):
        """A run that waits for one more tool step; gives it and its halt."""
        run = self.submit(TIGHT)
        found = self.viewer.wait_state(run, "halted")
        return run, found["halt"]

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        try:
            if kind is None and self.daemon.process.poll() is None:
                assert self.daemon.stop() == 0
        finally:
            self.daemon.__exit__(kind, value, trace)


def tool_config(tool):
    return {"outgoing": {"allow": [f"127.0.0.1/32:{tool.ready['port']}"]}}


def asked(tool, path):
    """Waits until the tool server was asked for this path."""
    end = time.monotonic() + lib.PATIENCE
    while not [line for line in tool.lines() if path in json.dumps(line)]:
        assert time.monotonic() < end, path
        time.sleep(0.01)


def fetch(tool, path="/effect", method="GET", **more):
    return definition({"id": "get", "uses": "http.request", **more,
                       "with": {"method": method, "url": tool.url + path}})


# ---- every route


def test_a_run_from_submit_to_its_end():
    with lib.Place() as place, World(place) as world:
        answer = world.submitter.post("/v1/runs", definition(name="first", workflow="w1")).expect(201)
        run = answer.json["id"]
        assert answer.headers["location"] == f"/v1/runs/{run}"
        found = world.viewer.wait_state(run, "succeeded")
        assert found["name"] == "first" and found["submitted_by"] == "submitter", found
        assert [step["state"] for step in found["steps"]] == ["succeeded"]
        assert found["envelope"]["tool_steps"]["settled"] == 1
        events = world.viewer.get(f"/v1/runs/{run}/timeline").expect(200).json
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
        assert events[0]["type"] == "run.submitted" and events[-1]["type"] == "run.succeeded"
        calls = world.viewer.get(f"/v1/runs/{run}/calls").expect(200).json
        assert len(calls) == 1 and calls[0]["id"] == found["steps"][0]["call"], calls
        envelope = world.viewer.get(f"/v1/runs/{run}/envelope").expect(200).json
        assert envelope["envelope"] == found["envelope"]
        assert world.viewer.get(f"/v1/runs/{run}/holds").expect(200).json == []
        assert world.viewer.get("/v1/holds").expect(200).json == []
        assert world.viewer.get(f"/v1/runs/{run}/external-ids").expect(200).json == []
        world.viewer.get(f"/v1/runs/{run}/transcripts/{calls[0]['id']}").expect(404)
        usage = world.viewer.get(f"/v1/usage?by=workflow&run={run}").expect(200).json
        assert usage["groups"][0]["key"] == "w1" and usage["total"]["usage"]["tool_steps"] == 1, usage
        lines = world.viewer.get(f"/v1/export?run={run}").expect(200)
        assert lines.headers["content-type"] == "application/x-ndjson"
        tables = {json.loads(line)["table"] for line in lines.body.splitlines()}
        assert {"run", "event", "hold", "settlement"} <= tables, tables
        listed = world.viewer.get("/v1/runs?workflow=w1&state=succeeded").expect(200).json
        assert [short["id"] for short in listed["runs"]] == [run]
        assert world.viewer.get("/v1/runs?workflow=other").json["runs"] == []


def test_pages_go_through_all_runs_once():
    with lib.Place() as place, World(place) as world:
        made = [world.submit() for _ in range(7)]
        seen, cursor = [], ""
        while cursor is not None:
            more = f"&cursor={cursor}" if cursor else ""
            page = world.viewer.get(f"/v1/runs?limit=3{more}").expect(200).json
            seen += [run["id"] for run in page["runs"]]
            cursor = page["next_cursor"]
        assert seen == made[::-1]


def test_long_timelines_come_in_pages():
    with lib.Place() as place, World(place) as world:
        run = world.submit()
        world.viewer.wait_state(run, "succeeded")
        whole = world.viewer.get(f"/v1/runs/{run}/timeline").json
        seen, path = [], f"/v1/runs/{run}/timeline?limit=2"
        while path:
            page = world.viewer.get(path).expect(200)
            seen += page.json
            link = page.headers.get("link")
            path = link and re.fullmatch(r'<(.*)>; rel="next"', link)[1] + "&limit=2"
        assert seen == whole


def test_halt_grant_and_deny():
    with lib.Place() as place, World(place) as world:
        run, halt = world.halted()
        assert halt["kind"] == "budget", halt
        refused = halt["verdict"]["refused"]
        assert [(r["scope"], r["meter"], r["limit"], r["asked"]) for r in refused] == \
            [("run", "tool_steps", 1, 1)], refused
        open_halts = world.viewer.get("/v1/approvals").expect(200).json
        assert len(open_halts) == 1, open_halts
        path = f"/v1/runs/{run}/halts/{halt['id']}"
        # somebody else's word on another halt changes nothing
        world.approver.post(f"/v1/runs/{run}/halts/{HALT}", {"decision": "grant"}).expect(409)
        world.approver.post(path, {"decision": "grant", "reason": "go on"}).expect(200)
        world.viewer.wait_state(run, "succeeded")
        world.approver.post(path, {"decision": "grant"}).expect(409)
        assert world.viewer.get("/v1/approvals").json == []
        run, halt = world.halted()
        path = f"/v1/runs/{run}/halts/{halt['id']}"
        world.approver.post(path, {"decision": "grant", "grants": [
            {"scope": "run", "meter": "tokens", "amount": 5}]}).expect(200)
        found = world.viewer.wait_state(run, "halted")  # tokens were not what it lacked
        assert found["halt"]["id"] != halt["id"] and found["envelope"]["tokens"]["granted"] == 5
        world.approver.post(f"/v1/runs/{run}/halts/{found['halt']['id']}",
                            {"decision": "deny", "reason": "no"}).expect(200)
        world.viewer.wait_state(run, "failed")


def test_pause_resume_cancel_and_limits():
    with lib.Place() as place, World(place) as world:
        run = world.submit(definition({"id": "wait", "uses": "approval", "with": {"message": "?"}}))
        world.viewer.wait_state(run, "halted")
        world.submitter.post(f"/v1/runs/{run}/resume").expect(409)
        world.submitter.post(f"/v1/runs/{run}/pause", {"reason": "lunch"}).expect(200)
        world.submitter.post(f"/v1/runs/{run}/pause").expect(409)
        world.submitter.post(f"/v1/runs/{run}/resume").expect(200)
        world.admin.post(f"/v1/runs/{run}/envelope",
                         {"limits": {"tokens": 77}, "reason": "less"}).expect(200)
        assert world.viewer.run(run)["envelope"]["tokens"]["limit"] == 77
        types = [e["type"] for e in world.viewer.get(f"/v1/runs/{run}/timeline").json]
        assert "envelope.changed" in types, types
        world.submitter.post(f"/v1/runs/{run}/cancel", {"reason": "enough"}).expect(200)
        assert world.viewer.run(run)["state"] == "cancelled"
        world.submitter.post(f"/v1/runs/{run}/cancel").expect(409)
        for verb in ("cancel", "pause", "resume"):
            world.submitter.post(f"/v1/runs/{RUN}/{verb}").expect(404)


def test_dry_run_makes_nothing():
    with lib.Place() as place, World(place) as world:
        answer = world.submitter.post("/v1/runs?dry_run=true", TIGHT).expect(200).json
        assert answer["valid"] is True and answer["steps"] == 2, answer
        assert answer["budget"]["tool_steps"]["run"] == 1, answer
        world.submitter.post("/v1/runs?dry_run=true", definition(budget={"tokens": -1})).expect(400)
        world.submitter.post("/v1/runs?dry_run=yes", TIGHT).expect(400)
        assert world.viewer.get("/v1/runs").json["runs"] == []


def test_a_doubt_is_resolved_by_a_person():
    with lib.Place() as place, lib.ToolServer(place) as tool, World(place, tool_config(tool)) as world:
        run = world.submit({**fetch(tool, "/drop-after", "POST"), "budget": {"dangerous_ops": 1}})
        found = world.viewer.wait_state(run, "halted")
        if found["halt"]["kind"] == "dangerous":
            world.approver.post(f"/v1/runs/{run}/halts/{found['halt']['id']}",
                                {"decision": "grant"}).expect(200)
            found = world.viewer.wait_state(run, "halted")
        assert found["halt"]["kind"] == "in_doubt", found["halt"]
        held = world.viewer.get(f"/v1/runs/{run}/holds").json
        assert [hold["state"] for hold in held] == ["in_doubt"], held
        path = f"/v1/runs/{run}/halts/{found['halt']['id']}"
        world.approver.post(path, {"decision": "grant"}).expect(409)
        world.approver.post(path, {"decision": "resolve", "outcome": "happened",
                                   "external_id": "x-1", "reason": "seen there"}).expect(200)
        world.viewer.wait_state(run, "succeeded")
        assert world.viewer.get(f"/v1/runs/{run}/holds").json == []
        ids = world.viewer.get(f"/v1/runs/{run}/external-ids").json
        assert "x-1" in [found["id"] for found in ids], ids


def test_health_metrics_and_the_document():
    with lib.Place() as place, World(place) as world:
        assert world.nobody.get("/healthz").expect(200).json == {"status": "ok"}
        assert world.nobody.get("/readyz").expect(200).json == {"status": "ready"}
        paths = world.nobody.get("/openapi.json").expect(200).json["paths"]
        world.nobody.get("/metrics").expect(401)
        world.submit()
        text = world.viewer.get("/metrics").expect(200)
        assert text.headers["content-type"].startswith("text/plain; version=0.0.4")
        told = set()
        for line in text.body.decode().splitlines():
            if line.startswith("# TYPE "):
                told.add(line.split()[2])
            elif not line.startswith("#"):
                assert re.fullmatch(r'(\w+)(\{\w+="[^"]*"\})? \d+', line), line
                assert re.match(r"\w+", line)[0] in told, line
        bound = world.make("viewer", "bound", "acme")
        bound.get("/metrics").expect(403)
        # the document tells the truth about every path: it is there, and knows its methods
        for path, methods in paths.items():
            real = path.replace("{run}", RUN).replace("{halt}", HALT).replace("{call}", CALL)
            real = real.replace("{token}", "t_none").replace("{step}", "one")
            wrong = world.admin.ask("PATCH", real).expect(405)
            allowed = {word.lower() for word in wrong.headers["allow"].split(", ")} - {"head"}
            assert allowed == set(methods), (path, allowed)
            for method in methods:
                answer = world.admin.ask(method.upper(), real)
                assert answer.status not in (405, 500), (method, path, answer.status)


# ---- timelines as streams


def test_a_stream_tells_all_as_it_happens_and_ends():
    with lib.Place() as place, lib.ToolServer(place) as tool, World(place, tool_config(tool)) as world:
        run = world.submit(fetch(tool, "/slow?ms=200"))
        seen = list(world.viewer.follow(f"/v1/runs/{run}/timeline"))
        assert [seq for seq, _ in seen] == list(range(1, len(seen) + 1)), seen
        assert seen[-1][1]["type"] == "run.succeeded", seen[-1]
        whole = world.viewer.get(f"/v1/runs/{run}/timeline").json
        assert [event for _, event in seen] == whole
        for last in (0, 1, 3, len(whole) - 1):
            again = list(world.viewer.follow(f"/v1/runs/{run}/timeline", last))
            assert [event for _, event in again] == whole[last:], last
        gone = {"Accept": "text/event-stream", "Last-Event-ID": str(len(whole))}
        assert world.viewer.get(f"/v1/runs/{run}/timeline", gone).status == 204
        for bad in ("x", "-1", "", "1.5", "9" * 30):
            headers = {"Accept": "text/event-stream", "Last-Event-ID": bad}
            world.viewer.get(f"/v1/runs/{run}/timeline", headers).expect(400)
        world.viewer.get(f"/v1/runs/{RUN}/timeline", {"Accept": "text/event-stream"}).expect(404)


def test_many_streams_see_a_decision():
    with lib.Place() as place, World(place) as world:
        run, halt = world.halted()
        results, ready = [], []

        def watch():
            seen = []
            for _, event in world.viewer.follow(f"/v1/runs/{run}/timeline"):
                seen.append(event["seq"])
                if event["type"] == "run.halted":
                    ready.append(1)
            results.append(seen)

        threads = [threading.Thread(target=watch) for _ in range(20)]
        for thread in threads:
            thread.start()
        end = time.monotonic() + lib.PATIENCE
        while len(ready) < 20:
            assert time.monotonic() < end
            time.sleep(0.01)
        assert b"stint_timeline_streams 20\n" in world.viewer.get("/metrics").body
        world.approver.post(f"/v1/runs/{run}/halts/{halt['id']}", {"decision": "grant"}).expect(200)
        for thread in threads:
            thread.join(lib.PATIENCE)
        assert len(results) == 20 and all(seen == results[0] for seen in results)
        assert results[0] == list(range(1, len(results[0]) + 1))


# ---- who may


def test_roles():
    with lib.Place() as place, World(place) as world:
        run, halt = world.halted()
        decide = f"/v1/runs/{run}/halts/{halt['id']}"
        table = (
            ("GET", "/v1/runs", None, "viewer"), ("GET", f"/v1/runs/{run}", None, "viewer"),
            ("GET", "/v1/approvals", None, "viewer"), ("GET", "/v1/usage", None, "viewer"),
            ("POST", "/v1/runs", definition(), "submitter"),
            ("POST", f"/v1/runs/{RUN}/cancel", None, "submitter"),
            ("POST", f"/v1/runs/{RUN}/pause", None, "submitter"),
            ("POST", f"/v1/runs/{RUN}/resume", None, "submitter"),
            ("POST", f"/v1/runs/{RUN}/halts/{HALT}", {"decision": "deny"}, "approver"),
            ("POST", f"/v1/runs/{RUN}/envelope", {"limits": {"tokens": 1}}, "admin"),
            ("GET", "/v1/tokens", None, "admin"), ("POST", "/v1/tokens", {"role": "viewer"}, "admin"),
            ("DELETE", "/v1/tokens/t_none", None, "admin"),
        )
        roles = ("viewer", "submitter", "approver", "admin")
        for method, path, body, least in table:
            world.nobody.ask(method, path, body).expect(401)
            for role in roles:
                answer = getattr(world, role).ask(method, path, body)
                if roles.index(role) < roles.index(least):
                    answer.expect(403)
                else:
                    assert answer.status not in (401, 403), (role, method, path, answer.body)
        # B41: nobody approves what the same name submitted, whatever the role
        world.submitter.post(decide, {"decision": "grant"}).expect(403)
        for role in ("approver", "admin"):
            own = world.submit(TIGHT, by=getattr(world, role))
            found = world.viewer.wait_state(own, "halted")
            getattr(world, role).post(f"/v1/runs/{own}/halts/{found['halt']['id']}",
                                      {"decision": "grant"}).expect(403)
            assert world.viewer.run(own)["state"] == "halted"


def test_tokens():
    with lib.Place() as place, World(place) as world:
        # B40
        unknown = world.nobody.get("/v1/runs").expect(401)
        assert unknown.headers["www-authenticate"].startswith("Bearer")
        good = f"Bearer {world.viewer.token}"
        for bad in ("", "Bearer", "Bearer ", "Bearer x", "Basic " + world.viewer.token, good + "x",
                    good[:-1], "Bearer stint_" + "A" * 43, "Bearer " + "A" * 5000,
                    "Bearer ' OR 1=1--"):
            world.nobody.get("/v1/runs", {"Authorization": bad}).expect(401)
        world.nobody.get("/v1/runs", {"X-Api-Key": world.viewer.token}).expect(401)
        for name in ("token", "access_token", "api_key", "key"):
            world.nobody.get(f"/v1/runs?{name}={world.viewer.token}").expect(401)
            world.viewer.get(f"/v1/runs?{name}={world.viewer.token}").expect(401)
        world.nobody.get("/v1/runs", {"Authorization": good.replace("Bearer", "bearer")}).expect(200)
        # the store knows hashes only
        for name in os.listdir(place.folder):
            if os.path.isfile(place.path(name)):
                with open(place.path(name), "rb") as file:
                    text = file.read()
                assert world.viewer.token.encode() not in text, name
                assert place.token.encode() not in text, name
        # made, used, listed, revoked
        extra = world.make("viewer", "extra")
        extra.get("/v1/runs").expect(200)
        listed = world.admin.get("/v1/tokens").expect(200)
        assert b"hash" not in listed.body and b"stint_" not in listed.body
        assert {"extra", "viewer", "admin"} <= {token["name"] for token in listed.json}
        world.admin.delete(f"/v1/tokens/{world.token_ids['extra']}").expect(200)
        extra.get("/v1/runs").expect(401)
        world.admin.delete("/v1/tokens/t_none").expect(404)
        # a repeated request makes no second token, and does not show the first one again
        first = world.admin.post("/v1/tokens", {"role": "viewer", "name": "once"}, key="t1").expect(201)
        again = world.admin.post("/v1/tokens", {"role": "viewer", "name": "once"}, key="t1").expect(201)
        assert again.json["id"] == first.json["id"] and again.json["token"] is None, again.json
        for body in ({"role": "owner"}, {"role": "viewer", "hash": "x"}, {}, {"role": "viewer", "tenant": "a b"},
                     {"role": "viewer", "name": "\u202egnp"}, {"role": 3}):
            assert world.admin.post("/v1/tokens", body).expect(400).json["pointer"]


def test_tenants_do_not_see_each_other():
    with lib.Place() as place, World(place) as world:
        acme = {role: world.make(role, f"acme-{role}", "acme") for role in ("submitter", "approver", "admin")}
        rival = world.make("admin", "rival-admin", "rival")
        run = acme["submitter"].post("/v1/runs", TIGHT).expect(201).json
        assert run["tenant"] == "acme", run  # bound, although the definition did not say so
        run = run["id"]
        halt = acme["submitter"].wait_state(run, "halted")["halt"]["id"]
        call = acme["submitter"].get(f"/v1/runs/{run}/calls").json[0]["id"]
        for path in ("", "/timeline", "/calls", "/envelope", "/holds", "/external-ids",
                     f"/transcripts/{call}"):
            rival.get(f"/v1/runs/{run}{path}").expect(404)
        rival.get(f"/v1/runs/{run}/timeline", {"Accept": "text/event-stream"}).expect(404)
        for verb in ("cancel", "pause", "resume"):
            rival.post(f"/v1/runs/{run}/{verb}").expect(404)
        rival.post(f"/v1/runs/{run}/halts/{halt}", {"decision": "grant"}).expect(404)
        rival.post(f"/v1/runs/{run}/envelope", {"limits": {"tokens": 1}}).expect(404)
        assert rival.get("/v1/runs").json["runs"] == []
        assert rival.get("/v1/approvals").json == [] and rival.get("/v1/holds").json == []
        assert run.encode() not in rival.get("/v1/export").expect(200).body
        assert run.encode() in acme["admin"].get("/v1/export").expect(200).body
        rival.get(f"/v1/export?run={run}").expect(404)
        assert rival.get("/v1/usage").json["groups"] == []
        for path in ("/v1/runs", "/v1/approvals", "/v1/holds", "/v1/usage", "/v1/export", "/v1/tokens"):
            rival.get(f"{path}?tenant=acme").expect(403)
        # B43
        refused = acme["submitter"].post("/v1/runs", definition(tenant="rival")).expect(403)
        assert refused.json["pointer"] == "/tenant"
        # B42
        for asked in ({"role": "viewer", "tenant": "acme"}, {"role": "admin", "tenant": "other"}):
            rival.post("/v1/tokens", asked).expect(403)
        made = rival.post("/v1/tokens", {"role": "viewer"}).expect(201).json
        assert made["tenant"] == "rival", made
        rival.delete(f"/v1/tokens/{world.token_ids['acme-submitter']}").expect(404)
        names = {token["name"] for token in rival.get("/v1/tokens").json}
        assert "acme-submitter" not in names and "admin" not in names, names
        assert world.admin.run(run)["state"] == "halted"  # nothing of all that changed it
        assert world.viewer.get("/v1/runs?tenant=acme").json["runs"][0]["id"] == run
        acme["approver"].post(f"/v1/runs/{run}/halts/{halt}", {"decision": "grant"}).expect(200)


# ---- asked again


def test_a_key_stands_for_one_answer():
    with lib.Place() as place, World(place) as world:
        first = world.submitter.post("/v1/runs", definition(), key="k").expect(201)
        again = world.submitter.post("/v1/runs", definition(), key="k").expect(201)
        assert again.body == first.body and again.headers["idempotency-replayed"] == "true"
        assert again.headers["location"] == first.headers["location"]
        assert "idempotency-replayed" not in first.headers
        world.submitter.post("/v1/runs", definition(name="other"), key="k").expect(422)
        world.submitter.post("/v1/runs?dry_run=false", definition(), key="k").expect(422)
        assert len(world.viewer.get("/v1/runs").json["runs"]) == 1
        # the same key elsewhere, or of another tenant, is another one
        acme = world.make("submitter", "acme-1", "acme")
        assert acme.post("/v1/runs", definition(), key="k").expect(201).body != first.body
        # what was refused is not kept
        world.submitter.post("/v1/runs", definition(budget={"tokens": -1}), key="k2").expect(400)
        world.submitter.post("/v1/runs", definition(), key="k2").expect(201)
        # B38
        for bad in ("", "x" * 256, "a b", "caf\u00e9".encode().decode("latin-1")):
            world.submitter.post("/v1/runs", definition(), {"Idempotency-Key": bad}).expect(400)
        world.submitter.post("/v1/runs", definition(), key="x" * 255).expect(201)
        # decisions, too: the second asking changes nothing and is told what the first was
        run, halt = world.halted()
        path = f"/v1/runs/{run}/halts/{halt['id']}"
        first = world.approver.post(path, {"decision": "grant"}, key="d").expect(200)
        world.viewer.wait_state(run, "succeeded")
        assert world.approver.post(path, {"decision": "grant"}, key="d").expect(200).body == first.body
        world.approver.post(path, {"decision": "grant"}).expect(409)


def test_many_at_once_with_one_key_make_one_run():
    with lib.Place() as place, World(place) as world:
        for round_ in range(5):
            answers = []
            start = threading.Barrier(16)

            def ask(key=f"r{round_}"):
                start.wait()
                answers.append(world.submitter.post("/v1/runs", definition(), key=key))

            threads = [threading.Thread(target=ask) for _ in range(16)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            made = {answer.json["id"] for answer in answers if answer.status == 201}
            assert len(made) == 1, made
            assert all(answer.status in (201, 409) for answer in answers)
        assert len(world.viewer.get("/v1/runs").json["runs"]) == 5


def test_an_answer_survives_kill_and_restart():
    with lib.Place() as place:
        with World(place) as world:
            token = world.submitter.token
            first = world.submitter.post("/v1/runs", definition(), key="k").expect(201)
            world.daemon.kill()
        with place.serve() as daemon:
            client = daemon.client(token)
            again = client.post("/v1/runs", definition(), key="k").expect(201)
            assert again.body == first.body and again.headers["idempotency-replayed"] == "true"
            client.post("/v1/runs", definition(name="other"), key="k").expect(422)
            client.wait_state(first.json["id"], "succeeded")
            assert len(client.get("/v1/runs").json["runs"]) == 1
            assert daemon.stop() == 0


# ---- the process


def test_the_daemon_is_small_and_quiet():
    with lib.Place() as place:
        place.init()
        with place.serve() as daemon:
            client = daemon.client(place.token)
            client.get("/v1/runs").expect(200)
            idle = daemon.rss_bytes()
            print(f"     idle: {idle / 2**20:.1f} MiB resident")
            assert idle <= 16 * 2**20, idle
            ticks = cpu_ticks(daemon)
            time.sleep(0.5)
            assert cpu_ticks(daemon) - ticks <= 1  # sleeps when nothing happens
            assert daemon.ready["pid"] == daemon.process.pid
            assert daemon.ready["store"] == place.store
            assert daemon.stop() == 0
        for line in daemon.log:
            assert {"at", "level", "event", "text"} == set(json.loads(line)), line


def cpu_ticks(daemon):
    with open(f"/proc/{daemon.process.pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def test_one_daemon_a_store():
    with lib.Place() as place:
        place.init()
        with place.serve() as daemon:
            begun = time.monotonic()
            second = place.stint("serve", "--store", place.store, "--listen", "127.0.0.1:0")
            assert second.returncode == 5, second
            assert str(daemon.process.pid) in second.stderr, second.stderr
            assert time.monotonic() - begun < 1
            assert second.stdout == ""
            port = daemon.url.rsplit(":", 1)[1]
            daemon.client(place.token).get("/v1/runs").expect(200)
            with lib.Place() as other:
                other.init()
                taken = other.stint("serve", "--store", other.store, "--listen", f"127.0.0.1:{port}")
                assert taken.returncode == 5 and taken.stderr, taken
                remote = other.stint("serve", "--store", other.store, "--listen", "0.0.0.0:0")
                assert remote.returncode == 4 and remote.stderr, remote
        missing = place.stint("serve", "--store", "sqlite:" + place.path("none.db"))
        assert missing.returncode == 2 and "stint init" in missing.stderr, missing
        assert place.stint("serve").returncode == 2


def test_a_stop_drains():
    with lib.Place() as place, lib.ToolServer(place) as tool, World(place, tool_config(tool)) as world:
        run = world.submit(definition(
            {"id": "a", "uses": "http.request", "with": {"method": "GET", "url": tool.url + "/slow?ms=700"}},
            {"id": "b", "uses": "http.request", "needs": ["a"],
             "with": {"method": "GET", "url": tool.url + "/effect"}}))
        asked(tool, "/slow")
        stream = world.viewer.follow(f"/v1/runs/{run}/timeline")
        assert next(stream)[0] == 1
        world.daemon.signal(signal.SIGTERM)
        begun = time.monotonic()
        assert world.daemon.wait() == 0
        assert time.monotonic() - begun < 5
        list(stream)  # it has an end
        # what was in flight ended and counts; the next call waits for the next daemon
        assert not [line for line in tool.lines() if "/effect" in json.dumps(line)]
        with place.serve(config=tool_config(tool)) as daemon:
            found = daemon.client(place.token).wait_state(run, *FINAL)
            assert found["state"] == "succeeded", found
            assert found["envelope"]["http.requests"]["settled"] == 2
        slow = [line for line in tool.lines() if "/slow" in json.dumps(line)]
        assert len({json.dumps(line.get("key")) for line in slow}) <= 1, slow


def test_a_second_signal_ends_it_at_once():
    with lib.Place() as place, lib.ToolServer(place) as tool, World(place, tool_config(tool)) as world:
        world.submit(fetch(tool, "/hang"))
        asked(tool, "/hang")
        world.daemon.signal(signal.SIGTERM)
        time.sleep(0.3)
        assert world.daemon.process.poll() is None  # it waits for the call
        world.daemon.signal(signal.SIGTERM)
        assert world.daemon.wait() == 128 + signal.SIGTERM


def test_a_store_that_fails_ends_the_daemon():
    with lib.Place() as place, World(place) as world:
        world.submit()
        resource.prlimit(world.daemon.process.pid, resource.RLIMIT_FSIZE, (4096, 4096))
        begun = time.monotonic()
        answer = world.submitter.post("/v1/runs", definition())
        answer.expect(503)
        assert answer.headers["x-should-retry"] == "false", answer.headers
        for path in ("/v1/runs", "/healthz", "/readyz", "/metrics"):
            try:
                told = world.viewer.get(path)
            except OSError:
                break  # gone already
            assert told.status == 503 and told.headers["x-should-retry"] == "false", path
        assert world.daemon.wait() == 5
        assert time.monotonic() - begun < 2
        assert any('"store.failed"' in line for line in world.daemon.log), world.daemon.log
        with place.serve() as daemon:  # and nothing that was answered is lost
            assert len(daemon.client(place.token).get("/v1/runs").json["runs"]) == 1


def test_systemd_is_told():
    with lib.Place() as place:
        place.init()
        path = place.path("notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.bind(path)
            sock.settimeout(lib.PATIENCE)
            place.env["NOTIFY_SOCKET"] = path
            with place.serve() as daemon:
                assert sock.recv(100) == b"READY=1"
                daemon.signal(signal.SIGTERM)
                assert sock.recv(100) == b"STOPPING=1"
                assert daemon.wait() == 0


def test_a_unix_socket():
    with lib.Place() as place:
        path = place.path("api.sock")
        with World(place, listen="unix:" + path) as world:
            assert world.daemon.url == "unix:" + path
            assert os.stat(path).st_mode & 0o777 == 0o600
            run = world.submit()
            world.viewer.wait_state(run, "succeeded")
            world.nobody.get("/v1/runs").expect(401)
            seen = list(world.viewer.follow(f"/v1/runs/{run}/timeline"))
            assert seen[-1][1]["type"] == "run.succeeded"
            assert world.daemon.stop() == 0


def test_big_answers_are_streamed_in_bounded_memory():
    with lib.Place() as place, World(place) as world:
        items = list(range(1000))
        what = definition({"id": "many", "uses": "noop", "for_each": items, "for_each_concurrent": 64},
                          budget={"tool_steps": 100000})
        runs = [world.submit(what) for _ in range(8)]
        for run in runs:
            world.viewer.wait_state(run, "succeeded")
        whole = world.viewer.get("/v1/export").expect(200).body
        assert whole.endswith(b"\n") and len(whole) > 5 * 2**20, len(whole)
        before = world.daemon.rss_bytes()
        # a client that never reads is waited for by nobody but itself
        connection = world.viewer.connection()
        connection.request("GET", "/v1/export", None, {"Authorization": f"Bearer {world.viewer.token}"})
        time.sleep(0.3)
        begun = time.monotonic()
        world.viewer.get("/v1/runs").expect(200)
        assert time.monotonic() - begun < 1
        grown = world.daemon.rss_bytes() - before
        assert grown < 8 * 2**20, grown
        connection.close()
        end = time.monotonic() + lib.PATIENCE
        while world.viewer.get("/v1/export").status == 429:
            assert time.monotonic() < end
            time.sleep(0.05)
        streamed = list(world.viewer.follow(f"/v1/runs/{runs[0]}/timeline"))
        assert streamed[-1][1]["type"] == "run.succeeded" and len(streamed) > 2000, len(streamed)
        assert world.daemon.stop() == 0


if __name__ == "__main__":
    lib.main(globals())
