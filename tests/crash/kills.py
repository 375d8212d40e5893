# SPDX-License-Identifier: Apache-2.0
"""The process dies or freezes: at any moment, and exactly between any two effects."""
import os
import signal
import time

import rig

POINTS = ("arrive", "applied", "half")
STATES = ("running", "halted", "paused", "cancelled")


def live_and_die(world, report):
    """One life that ends by kill -9 some milliseconds after it began, some of them frozen between."""
    rng = world.rng
    with world.life() as daemon:
        deadline = time.monotonic() + rng.uniform(0.003, 0.080)
        made = [world.submit(daemon) for _ in range(rng.randrange(1, 4))]
        if rng.random() < 0.4:
            world.approve(daemon, most=3)
        if made[0] is not None and rng.random() < 0.15:
            world.cancel(daemon, made[0])
        if world.books.runs and rng.random() < 0.5:
            world.look(daemon, rng.choice(sorted(world.books.runs)))
        if rng.random() < 0.2:
            daemon.signal(signal.SIGSTOP)
            time.sleep(rng.uniform(0.001, 0.030))
            daemon.signal(signal.SIGCONT)
            report.fire("freeze")
        time.sleep(max(0.0, deadline - time.monotonic()))
        daemon.kill()
        report.fire("kill")


def random_kills(rng, size, report):
    """I1-I22 after kill -9 at random moments, over runs of every family (Z1, Z7)."""
    kills = {"short": 60, "long": 600}[size]
    report.plan("kill", kills)
    report.plan("freeze", 1)
    # So that some moments are long enough to be hit.
    rules = [{"path": path, "fault": "delay=15;p=0.4"} for path in rig.PATHS.values()]
    rules += [{"path": "/effect", "fault": "drop=after;p=0.1"},
              {"path": "/effect", "fault": "status=500;effect=true;p=0.1"}]
    with rig.World(rng, rules, sleepy=True) as world:
        for _ in range(kills):
            live_and_die(world, report)
        world.tool.client.delete("/__rules").expect(200)
        world.settle_down(patience=180)
        report.judged(world, world.judge())
        assert world.marks(), "no job left its line: nothing is known of jobs"
        again = sum(1 for line in world.tool.lines("request")) - len(
            {line.get("idempotency_key") for line in world.tool.lines("request")})
        report.figure(runs=len(world.books.runs), granted=len(world.books.granted),
                      resolved=len(world.books.resolved), cancelled=len(world.books.cancelled),
                      requests_sent_again=again)


class JobGate:
    """A job that says how far it is, and waits."""

    def __init__(self, world, name):
        self.name = name
        self.at, self.go = (os.path.join(world.jobs, name + end) for end in (".at", ".go"))

    def steps(self, world, point):
        said, wait = f"touch {self.name}.at", f"while ! test -e {self.name}.go; do sleep 0.02; done"
        effect = "echo {mark}-a >> log"
        order = [said, wait, effect] if point == "arrive" else [effect, said, wait]
        return {"id": "a", "uses": "sandbox.job", "with": {
            "run": ["; ".join(order)], "workdir": world.jobs, "timeout_seconds": 20}}

    def wait(self):
        end = time.monotonic() + rig.lib.PATIENCE
        while not os.path.exists(self.at):
            assert time.monotonic() < end, "the job did not get there"
            time.sleep(0.005)

    def open(self):
        with open(self.go, "w", encoding="ascii"):
            pass


class HttpGate:
    """A request that the tool server holds."""

    def __init__(self, world, name, family, point):
        self.world, self.name, self.family = world, name, family
        rule = {"path": rig.PATHS[family], "nth": [1], "gate": point, "name": name}
        world.tool.client.post("/__rules", [rule]).expect(200)

    def steps(self, world, _):
        return world.step("a", self.family)

    def wait(self):
        self.world.tool.wait_gate(self.name).expect(200)

    def open(self):
        self.world.tool.open_gate(self.name).expect(200)


def gated_run(world, daemon, gate, point, state):
    """A run with a call held at the gate, brought into the state."""
    steps = [gate.steps(world, point), world.step("b", "noop", ["a"])]
    if state == "halted":
        steps.append({"id": "ask", "uses": "approval", "with": {"message": "go on?"}})
    run = world.submit_steps(daemon, steps)
    assert run is not None
    gate.wait()
    if state == "halted":
        world.submitter(daemon).wait_state(run, "halted")
    elif state == "paused":
        world.post(daemon, f"/v1/runs/{run}/pause")
    elif state == "cancelled":
        world.cancel(daemon, run)
    return run


def one_point(world, family, point, state, act, report):
    name = f"{family}-{point}-{state}-{act}"
    gate = JobGate(world, name) if family == "job" else HttpGate(world, name, family, point)
    report.plan(f"{act}@{point}")
    with world.life() as daemon:
        gated_run(world, daemon, gate, point, state)
        if act == "kill":
            daemon.kill()
        else:
            daemon.signal(signal.SIGSTOP)
        report.fire(f"{act}@{point}")
        gate.open()
        if act == "freeze":
            time.sleep(0.02)
            daemon.signal(signal.SIGCONT)
            world.settle(daemon)
            assert daemon.stop() == 0
            return
    with world.life() as daemon:
        world.settle(daemon)
        assert daemon.stop() == 0


def exact_points(rng, size, report):
    """I4-I13: kill -9 and SIGSTOP with a call at each named point, for each family and run state (Z2)."""
    states = {"short": ("running", "halted"), "long": STATES}[size]
    reached = 0
    with rig.World(rng) as world:
        for family in rig.FAMILIES:
            for point in POINTS if family != "job" else POINTS[:2]:
                for state in states:
                    one_point(world, family, point, state, "kill", report)
                    reached += 1
                if size == "long" or point == "half" or family == "job":
                    one_point(world, family, point, "running", "freeze", report)
                    reached += 1
        world.settle_down()
        report.judged(world, world.judge())
    report.figure(points=reached, families=len(rig.FAMILIES), states=len(states))


def many_runs(rng, size, report):
    """I21, I5: with many open runs the daemon is killed, and comes back; how fast is told (Z11)."""
    count = {"short": 200, "long": 10000}[size]
    with rig.World(rng) as world:
        gate = HttpGate(world, "many", "idempotent", "arrive")
        sleep = {"id": "w", "uses": "sleep", "with": {"seconds": 86400}}
        with world.life() as daemon:
            for _ in range(count):
                assert world.submit_steps(daemon, [sleep]) is not None
            held = world.submit_steps(daemon, [gate.steps(world, None)])
            gate.wait()
            report.plan("kill")
            daemon.kill()
            report.fire("kill")
        world.tool.client.delete("/__rules").expect(200)
        sent, begun = len(world.tool.lines("request")), time.monotonic()
        with world.life() as daemon:
            ready = time.monotonic() - begun
            while len(world.tool.lines("request")) == sent:
                assert time.monotonic() - begun < rig.lib.PATIENCE, "nothing is recovered"
                time.sleep(0.005)
            first = time.monotonic() - begun
            world.submitter(daemon).wait_state(held, "succeeded")
            gate.open()
            assert daemon.stop() == 0
        report.judged(world, world.judge(at_rest=False))
    report.figure(open_runs=count, ready_s=round(ready, 2), first_recovered_call_s=round(first, 2))
