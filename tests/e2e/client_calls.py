# SPDX-License-Identifier: Apache-2.0
"""Calls that clients make themselves, over HTTP and the command line: hold, settle, void, extend."""
import json
import threading
import time

import lib

WORK = {"id": "work", "uses": "client"}
HASH = "ab" * 32


class Office:
    """A daemon with a submitter, an approver and a run that a client works in."""

    def __init__(self, place, daemon, budget=None, **more):
        self.place, self.daemon = place, daemon
        self.admin = daemon.client(place.token)
        self.tokens = {name: self.admin.post("/v1/tokens", {"role": role, "name": name})
                       .expect(201).json["token"]
                       for name, role in (("ann", "submitter"), ("bob", "approver"))}
        self.reconnect(daemon)
        self.run = self.ann.post("/v1/runs", lib.definition(
            WORK, budget=budget or {"tokens": 1000}, **more)).expect(201).json["id"]

    def reconnect(self, daemon):
        self.daemon = daemon
        self.admin = daemon.client(self.place.token)
        self.ann, self.bob = (daemon.client(self.tokens[name]) for name in ("ann", "bob"))

    def hold(self, tokens, status=201, key=None, **more):
        body = {"kind": "model.generate", "amounts": {"tokens": tokens}, **more}
        return self.ann.post(f"/v1/runs/{self.run}/calls", body, key=key).expect(status).json

    def tell(self, call, what, body=None, status=200, key=None):
        return self.ann.post(f"/v1/calls/{call}/{what}", body, key=key).expect(status).json

    def tokens_of(self):
        account = self.ann.run(self.run)["envelope"]["tokens"]
        return account["settled"], account["held"]

    def decide(self, decision, **more):
        halt = self.ann.run(self.run)["halt"]["id"]
        return self.bob.post(f"/v1/runs/{self.run}/halts/{halt}", {"decision": decision, **more})

    def types(self):
        return [event["type"] for event in self.ann.get(f"/v1/runs/{self.run}/timeline").json]


def office(test):
    """Runs the test with an office of its own; the daemon must stop cleanly."""
    def run():
        with lib.Place() as place:
            place.init()
            with place.serve() as daemon:
                test(Office(place, daemon))
                assert daemon.stop() == 0
    return run


@office
def test_a_hold_is_settled_and_the_step_ends(o):
    grant = o.hold(600, step="work", ttl_seconds=60)
    assert grant["idempotency_key"] == grant["call"] + "-1", grant
    assert grant["step"] == "work" and grant["amounts"] == {"tokens": 600}, grant
    assert o.tokens_of() == (0, 600)
    held = o.ann.get(f"/v1/runs/{o.run}/holds").expect(200).json
    assert [h["call"] for h in held] == [grant["call"]] and held[0]["state"] == "sent", held
    assert held[0]["expires_at"] == grant["expires_at"], held
    later = o.tell(grant["call"], "extend", {"ttl_seconds": 3600})
    assert later["expires_at"] > grant["expires_at"], later
    end = o.tell(grant["call"], "settle", {"usage": {"tokens": 450}, "external_id": "msg_1"})
    assert end["state"] == "settled" and end["usage"] == {"tokens": 450}, end
    assert end["by"] == "ann" and end["estimated"] is False and end["overrun"] == {}, end
    assert o.tokens_of() == (450, 0)
    ids = o.ann.get(f"/v1/runs/{o.run}/external-ids").expect(200).json
    assert [(i["id"], i["call"]) for i in ids] == [("msg_1", grant["call"])], ids
    o.ann.post(f"/v1/runs/{o.run}/steps/work/end",
               {"outcome": "succeeded", "output": {"answer": 42}}).expect(200)
    run = o.ann.wait_state(o.run, "succeeded")
    assert run["steps"][0]["output"] == {"answer": 42}, run["steps"]
    assert run["steps"][0]["usage"]["tokens"] == 450, run["steps"]
    calls = o.ann.get(f"/v1/runs/{o.run}/calls").expect(200).json
    assert calls[0]["settlement"]["by"] == "ann" and calls[0]["state"] == "settled", calls


@office
def test_the_same_end_twice_is_answered_the_same(o):
    settled = o.hold(100)["call"]
    first = o.tell(settled, "settle", {"usage": {"tokens": 10}})
    assert o.tell(settled, "settle", {"usage": {"tokens": 10}}) == first
    o.tell(settled, "settle", {"usage": {"tokens": 11}}, 409)
    o.tell(settled, "settle", None, 409)
    o.tell(settled, "void", None, 409)
    o.tell(settled, "extend", None, 409)
    whole = o.hold(100)["call"]
    first = o.tell(whole, "settle")
    assert first["estimated"] and first["usage"] == {"tokens": 100}, first
    assert o.tell(whole, "settle") == first
    voided = o.hold(100)["call"]
    first = o.tell(voided, "void", {"reason": "not needed"})
    assert first["state"] == "voided" and first["usage"] == {}, first
    assert o.tell(voided, "void") == first
    o.tell(voided, "settle", {"usage": {"tokens": 0}}, 409)
    assert o.tokens_of() == (110, 0)


@office
def test_one_key_holds_once(o):
    first = o.hold(100, key="k1")
    assert o.hold(100, key="k1") == first
    o.hold(200, 422, key="k1")
    assert o.tokens_of() == (0, 100)
    end = o.tell(first["call"], "settle", {"usage": {"tokens": 5}}, key="k2")
    assert o.tell(first["call"], "settle", {"usage": {"tokens": 5}}, key="k2") == end
    assert o.tokens_of() == (5, 0)


@office
def test_exactly_k_of_64_when_there_is_room_for_k(o):
    answers = []

    def ask():
        answers.append(o.ann.post(f"/v1/runs/{o.run}/calls",
                                  {"kind": "x", "amounts": {"tokens": 40}}).status)
    threads = [threading.Thread(target=ask) for _ in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers.count(201) == 25, answers
    assert answers.count(402) == 1 and answers.count(409) == 38, answers
    assert o.tokens_of() == (0, 1000)


@office
def test_a_refusal_names_the_account_and_a_grant_helps(o):
    o.hold(900)
    problem = o.hold(200, 402)
    refused = problem["verdict"]["refused"]
    assert [(r["scope"], r["meter"], r["remaining"]) for r in refused] == [("run", "tokens", 100)]
    assert problem["halt"]["kind"] == "budget", problem
    again = o.hold(1, 409)
    assert again["halt"]["id"] == problem["halt"]["id"], again
    o.decide("grant").expect(200)
    o.hold(200)


@office
def test_a_dangerous_call_waits_for_its_approval(o):
    body = {"kind": "db.drop", "amounts": {"dangerous.ops": 1}}
    path = f"/v1/runs/{o.run}/calls"
    assert o.ann.post(path, body).expect(400).json["pointer"] == "/params_hash"
    problem = o.ann.post(path, {**body, "params_hash": HASH}).expect(402).json
    assert problem["type"].endswith("approval-required"), problem
    waits = o.bob.get("/v1/approvals").expect(200).json[0]
    assert HASH in waits["intent"] and waits["kind"] == "dangerous", waits
    o.decide("grant").expect(200)
    o.ann.post(path, {**body, "params_hash": "cd" * 32}).expect(402)
    o.decide("grant").expect(200)
    o.ann.post(path, {**body, "params_hash": "cd" * 32}).expect(201)


@office
def test_what_expires_is_in_doubt_until_somebody_speaks(o):
    late = o.hold(300, ttl_seconds=1)["call"]
    run = o.ann.wait_state(o.run, "halted")
    assert run["halt"]["kind"] == "in_doubt" and run["halt"]["call"] == late, run["halt"]
    assert o.tokens_of() == (0, 300)
    o.tell(late, "extend", None, 409)
    assert o.tell(late, "settle", {"usage": {"tokens": 20}})["by"] == "ann"
    o.ann.wait_state(o.run, "running")
    assert o.tokens_of() == (20, 0)
    lost = o.hold(300, ttl_seconds=1)["call"]
    o.ann.wait_state(o.run, "halted")
    o.decide("resolve", call=lost, outcome="did_not_happen").expect(200)
    o.ann.wait_state(o.run, "running")
    assert o.tokens_of() == (20, 0)
    o.tell(lost, "settle", {"usage": {"tokens": 1}}, 409)
    assert o.types().count("decision.resolved") == 2


@office
def test_an_overrun_is_recorded_and_lets_nothing_through(o):
    call = o.hold(900)["call"]
    assert o.tell(call, "settle", {"usage": {"tokens": 1500}})["overrun"] == {"tokens": 600}
    assert "call.overrun" in o.types()
    o.hold(1, 402)


def test_kill_between_keeps_holds_and_ends():
    with lib.Place() as place:
        place.init()
        with place.serve() as daemon:
            o = Office(place, daemon)
            calls = [o.hold(100)["call"] for _ in range(5)]
            o.tell(calls[0], "settle", {"usage": {"tokens": 7}})
            o.tell(calls[1], "void")
            daemon.kill()
        with place.serve() as daemon:
            o.reconnect(daemon)
            assert o.tokens_of() == (7, 300)
            assert o.tell(calls[0], "settle", {"usage": {"tokens": 7}})["state"] == "settled"
            for call in calls[2:]:
                o.tell(call, "settle", {"usage": {"tokens": 1}})
            assert o.tokens_of() == (10, 0)
            daemon.kill()
        with place.serve() as daemon:
            o.reconnect(daemon)
            assert o.tokens_of() == (10, 0)
            assert daemon.stop() == 0


@office
def test_others_see_nothing_of_it(o):
    call = o.hold(100)["call"]
    other = o.daemon.client(o.admin.post("/v1/tokens", {
        "role": "admin", "tenant": "other", "name": "eve"}).expect(201).json["token"])
    viewer = o.daemon.client(o.admin.post("/v1/tokens", {
        "role": "viewer", "name": "vic"}).expect(201).json["token"])
    for what in ("settle", "void", "extend"):
        other.post(f"/v1/calls/{call}/{what}").expect(404)
        viewer.post(f"/v1/calls/{call}/{what}").expect(403)
    other.post(f"/v1/runs/{o.run}/calls", {"kind": "x", "amounts": {"tokens": 1}}).expect(404)
    other.post(f"/v1/runs/{o.run}/steps/work/end", {"outcome": "succeeded"}).expect(404)
    o.tell("c_019aa2c3-5f00-7000-8000-000000000001", "settle", None, 404)
    o.tell("nonsense", "settle", None, 404)
    assert o.tokens_of() == (0, 100)


@office
def test_a_cancelled_run_still_takes_ends(o):
    calls = [o.hold(100)["call"] for _ in range(2)]
    o.ann.post(f"/v1/runs/{o.run}/cancel").expect(200)
    o.hold(1, 409)
    o.ann.post(f"/v1/runs/{o.run}/steps/work/end", {"outcome": "succeeded"}).expect(409)
    o.tell(calls[0], "settle", {"usage": {"tokens": 9}})
    o.tell(calls[1], "void")
    assert o.tokens_of() == (9, 0)
    assert o.ann.run(o.run)["state"] == "cancelled"


@office
def test_bad_bodies_say_where(o):
    bad = [({}, "/kind"), ({"kind": "x"}, "/amounts"), ({"kind": "x", "amounts": {}}, "/amounts"),
           ({"kind": "x", "amounts": {"tokens": -1}}, "/amounts/tokens"),
           ({"kind": "x", "amounts": {"tokens": 1.5}}, "/amounts/tokens"),
           ({"kind": "x", "amounts": {"coins": 1}}, "/amounts/coins"),
           ({"kind": "x", "amounts": {"tokens": 2 ** 62}}, "/amounts/tokens"),
           ({"kind": "x", "amounts": {"wall_seconds": 1}}, "/amounts/wall_seconds"),
           ({"kind": "x y", "amounts": {"tokens": 1}}, "/kind"),
           ({"kind": "k" * 32, "amounts": {"tokens": 1}}, "/kind"),
           ({"kind": "x", "amounts": {"tokens": 1}, "ttl_seconds": 0}, "/ttl_seconds"),
           ({"kind": "x", "amounts": {"tokens": 1}, "ttl_seconds": 86401}, "/ttl_seconds"),
           ({"kind": "x", "amounts": {"tokens": 1}, "params_hash": "zz"}, "/params_hash"),
           ({"kind": "x", "amounts": {"tokens": 1}, "ttl": 5}, "/ttl")]
    for body, pointer in bad:
        problem = o.ann.post(f"/v1/runs/{o.run}/calls", body).expect(400).json
        assert problem.get("pointer") == pointer, (body, problem)
    call = o.hold(1)["call"]
    for body, pointer in [({"usage": {"coins": 1}}, "/usage/coins"), ({"usage": 5}, "/usage"),
                          ({"usage": {"tokens": 2 ** 62}}, "/usage/tokens"),
                          ({"usage": {"wall_seconds": 1}}, "/usage/wall_seconds"),
                          ({"external_id": "x" * 257}, "/external_id"), ({"used": {}}, "/used")]:
        assert o.tell(call, "settle", body, 400).get("pointer") == pointer, body
    for body, pointer in [({}, "/outcome"), ({"outcome": "done"}, "/outcome"),
                          ({"outcome": "failed", "output": 1}, "/output"),
                          ({"outcome": "succeeded", "item": 0}, "/item")]:
        problem = o.ann.post(f"/v1/runs/{o.run}/steps/work/end", body).expect(400).json
        assert problem.get("pointer") == pointer, (body, problem)
    o.hold(1, 400, step="nowhere")
    assert o.tokens_of() == (0, 1)


@office
def test_the_command_line(o):
    o.place.env.update({"STINT_URL": o.daemon.url, "STINT_TOKEN": o.tokens["ann"]})

    def stint(*arguments, code=0):
        done = o.place.stint(*arguments)
        assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
        return done.stdout
    grant = json.loads(stint("call", "hold", "last", "--amount", "tokens=700", "--step", "work",
                             "--kind", "model.generate", "--ttl", "60", "--json"))
    stint("call", "extend", grant["call"], "--ttl", "120")
    end = json.loads(stint("call", "settle", grant["call"], "--usage", "tokens=600", "--json"))
    assert end["usage"] == {"tokens": 600}, end
    bare = stint("call", "hold", "last", "--amount", "tokens=100").strip()
    assert bare.startswith("c_"), bare
    stint("call", "void", bare, "--reason", "not needed")
    stint("call", "hold", "last", "--amount", "tokens=900", code=4)
    stint("call", "hold", "last", "--amount", "tokens=1", code=4)
    o.decide("grant").expect(200)
    stint("step", "end", "last", "work", "--as", "succeeded", "--output", '{"n":1}')
    assert o.ann.wait_state(o.run, "succeeded")["steps"][0]["output"] == {"n": 1}


@office
def test_many_clients_at_once_lose_and_double_nothing(o):
    spent = []

    def work():
        for _ in range(10):
            call = o.hold(3)["call"]
            o.tell(call, "settle", {"usage": {"tokens": 2}})
            spent.append(2)
    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    end = time.monotonic() + 1
    while o.tokens_of()[1] and time.monotonic() < end:
        time.sleep(0.01)
    assert o.tokens_of() == (sum(spent), 0) == (320, 0)


if __name__ == "__main__":
    lib.main(globals())
