# SPDX-License-Identifier: Apache-2.0
"""64 calls at once at an account with room for k: exactly k leave the house."""
import lib

CALLS = 64
CONFIG = {"outgoing": {"allow": ["127.0.0.1/32"]}}


def definition(tool, k):
    steps = [{"id": f"s{i}", "uses": "http.request",
              "with": {"method": "POST", "url": f"{tool.url}/effect", "idempotent": True,
                       "body": {"i": i}}} for i in range(CALLS)]
    return lib.definition(*steps, name="room", budget={"http_requests": k, "tool_steps": 1000})


def test_exactly_k_leave_and_the_rest_after_a_grant():
    for k in (1, 23, 63):
        with lib.Place() as place, lib.ToolServer(place) as tool:
            place.init()
            with place.serve(config=CONFIG) as daemon:
                admin = daemon.client(place.token)
                approver = admin.post("/v1/tokens", {"role": "approver", "name": "bob"},
                                      key="t").expect(201).json["token"]
                run = admin.post("/v1/runs", definition(tool, k), key="r").expect(201).json["id"]
                halted = admin.wait_state(run, "halted")
                refused = halted["halt"]["verdict"]["refused"]
                assert [r["meter"] for r in refused] == ["http.requests"], refused
                assert refused[0]["remaining"] == 0 and refused[0]["limit"] == k, refused
                wait_settled(admin, run)
                effects = tool.client.get("/__stats").expect(200).json["effects"]
                assert len(effects) == k, f"{len(effects)} of {CALLS} left, room was {k}"
                grant = {"decision": "grant",
                         "grants": [{"scope": "run", "meter": "http.requests",
                                     "amount": CALLS - k}]}
                daemon.client(approver).post(f"/v1/runs/{run}/halts/{halted['halt']['id']}", grant,
                                             key="g").expect(200)
                admin.wait_state(run, "succeeded")
                effects = tool.client.get("/__stats").expect(200).json["effects"]
                assert len(effects) == CALLS
                assert daemon.stop() == 0


def wait_settled(client, run):
    """In flight at the halt: they end and settle."""
    import time
    end = time.monotonic() + lib.PATIENCE
    while client.get(f"/v1/runs/{run}/holds").expect(200).json:
        assert time.monotonic() < end
        time.sleep(0.01)


if __name__ == "__main__":
    lib.main(globals())
