# SPDX-License-Identifier: Apache-2.0
"""The wrong store, a second daemon, a copy taken meanwhile, an orderly end."""
import contextlib
import hashlib
import os
import shutil
import signal
import sqlite3
import time

import disk
import kills
import rig


def expect_refusal(world, report, what, *words):
    """It does not start, says which, and calls nothing (I38)."""
    sent = len(world.tool.lines("request"))
    report.plan("refused store")
    begun = time.monotonic()
    try:
        with world.life() as daemon:
            raise AssertionError(f"I38: it starts on {what}: {daemon.ready}")
    except rig.lib.NotReady as refused:
        assert refused.code in (2, 4, 5), f"{what}: {refused}"
        assert any(word in " ".join(refused.log) for word in words), f"{what}: {refused}"
        assert time.monotonic() - begun < 10, what
    assert len(world.tool.lines("request")) == sent, f"I38: a call on {what}"
    report.fire("refused store")


def change(path, sql):
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript(sql)


def overwrite(path, at, data):
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(data)


def other_stores(world, template, report):
    """None, another's, a newer one, a torn one (I38)."""
    db = world.db
    disk.fresh(world, template)
    os.unlink(db)
    expect_refusal(world, report, "no store", "there is no store")
    with open(db, "wb"):
        pass
    expect_refusal(world, report, "an empty file", "empty")
    with open(db, "wb") as file:
        file.write(world.rng.randbytes(65536))
    expect_refusal(world, report, "random bytes", "no SQLite database")
    os.unlink(db)
    change(db, "CREATE TABLE t (x); INSERT INTO t VALUES (1);")
    expect_refusal(world, report, "another program's database", "not a stint store")
    disk.fresh(world, template)
    change(db, "PRAGMA user_version = 9999")
    expect_refusal(world, report, "a newer store", "newer")
    disk.fresh(world, template)
    change(db, "CREATE TRIGGER t AFTER INSERT ON run BEGIN DELETE FROM hold; END")
    expect_refusal(world, report, "a store with a trigger", "trigger")
    disk.fresh(world, template)
    os.truncate(db, os.path.getsize(db) - 5000)
    expect_refusal(world, report, "a store that is cut off", "cut off", "damaged")
    disk.fresh(world, template)
    with open(db + ".key", "wb") as file:
        file.write(bytes(32))
    expect_refusal(world, report, "another store's key", "seal key")
    os.unlink(db + ".key")
    expect_refusal(world, report, "no key", "seal key")
    disk.fresh(world, template)


def corrupt_pages(world, template, report, tries):
    """Noise in any page: it does not start, or stops, or never reads that page; it does not crash."""
    disk.fresh(world, template)
    with world.life() as daemon:
        for family in rig.FAMILIES:
            assert world.submit(daemon, family) is not None
        world.settle(daemon)
        assert daemon.stop() == 0
    full = world.place.path("full")
    shutil.copytree(template, full)
    shutil.copy(world.db, full)
    pages = os.path.getsize(world.db) // 4096
    for _ in range(tries):
        report.plan("noise")
        disk.fresh(world, full)
        page = world.rng.randrange(pages)
        overwrite(world.db, 4096 * page + world.rng.randrange(3000), world.rng.randbytes(1000))
        try:
            with world.life() as daemon:
                for family in ("idempotent", "plain"):
                    with contextlib.suppress(AssertionError, *rig.GONE):
                        world.submit(daemon, family)
                time.sleep(0.05)
                code = daemon.stop()
        except rig.lib.NotReady as refused:
            code = refused.code
            assert refused.log, f"I38: noise in page {page}: exit {code} without a word"
        assert code in (0, 5), f"I38: noise in page {page}: exit {code}"
        report.fire("noise")
        report.fire("noise seen", code != 0)


def fingerprint(world):
    found = {}
    for name in ("stint.db", "stint.db-wal", "stint.db.key"):
        with open(os.path.join(world.folder, name), "rb") as file:
            found[name] = hashlib.sha256(file.read()).hexdigest()
    return found


def second_daemon(world, report):
    """I39: it ends within a second, names the first, touches nothing; also when that one is frozen."""
    with world.life() as daemon:
        world.submit(daemon, "plain")
        time.sleep(0.2)
        for frozen in (False, True):
            report.plan("second daemon")
            if frozen:
                daemon.signal(signal.SIGSTOP)
            before, begun = fingerprint(world), time.monotonic()
            try:
                with world.life():
                    raise AssertionError("I39: a second daemon starts")
            except rig.lib.NotReady as refused:
                assert refused.code == 5 and str(daemon.process.pid) in " ".join(refused.log), refused
            assert time.monotonic() - begun < 5, "I39"
            assert fingerprint(world) == before, "I39: the second daemon changed the store"
            report.fire("second daemon")
        daemon.signal(signal.SIGCONT)
        assert daemon.stop() == 0


def backups(world, report, rounds):
    """I40, I1: a copy made while runs go on opens, adds up, and is a moment of the truth."""
    with world.life() as daemon:
        for n in range(rounds):
            for _ in range(3):
                world.submit(daemon)
            path = world.place.path("backup.db")
            report.plan("backup")
            with contextlib.closing(sqlite3.connect(f"file:{world.db}?mode=ro", uri=True)) as source:
                if n % 2 == 0:
                    with contextlib.closing(sqlite3.connect(path)) as target:
                        source.backup(target, pages=7)
                else:
                    source.execute("VACUUM INTO ?", (path,))
            report.laws.update(rig.oracle.judge(path, [], rig.Books(), {}, at_rest=False))
            for name in os.listdir(world.place.folder):
                if name.startswith("backup.db"):
                    os.unlink(world.place.path(name))
            report.fire("backup")
        world.settle(daemon)
        assert daemon.stop() == 0


def older_copy(world, report):
    """I10: a store restored from a copy sends the same keys, so an idempotent tool does nothing twice."""
    report.plan("older copy")
    gate = kills.HttpGate(world, "older", "idempotent", "arrive")
    copied = world.place.path("older")
    with world.life() as daemon:
        run = world.submit_steps(daemon, [world.step("a", "idempotent")])
        gate.wait()
        daemon.kill()
    os.mkdir(copied)
    for name in os.listdir(world.folder):
        if name.startswith("stint.db") and os.path.isfile(os.path.join(world.folder, name)):
            shutil.copy(os.path.join(world.folder, name), copied)
    gate.open()
    world.settle_down()
    first = {line["idempotency_key"] for line in world.tool.lines("request")
             if line["stint"].get("x-stint-run") == run}
    disk.fresh(world, copied)
    world.settle_down()
    again = [line["idempotency_key"] for line in world.tool.lines("request")
             if line["stint"].get("x-stint-run") == run]
    assert len(first) == 1 and set(again) == first and len(again) == 3, f"I10: {first} and {again}"
    effects = world.tool.client.get("/__stats").expect(200).json["effects"]
    assert effects[first.pop()]["count"] == 1, "I10: an effect twice"
    report.fire("older copy")
    world.tool.client.delete("/__rules").expect(200)


def orderly_end(world, report, twice):
    """I41: no new call, what is in flight ends, exit 0; asked twice it is a crash."""
    report.plan("SIGTERM")
    gate = kills.HttpGate(world, f"term-{twice}", "once", "applied")
    with world.life() as daemon:
        run = world.submit_steps(daemon, [world.step("a", "once"), world.step("b", "idempotent", ["a"])])
        gate.wait()
        sent = len(world.tool.lines("request"))
        daemon.signal(signal.SIGTERM)
        time.sleep(0.1)
        if twice:
            daemon.signal(signal.SIGTERM)
            assert daemon.wait() == 128 + signal.SIGTERM
        gate.open()
        if not twice:
            assert daemon.wait() == 0
            assert disk.stored(world, "SELECT count(*) FROM v_settlement WHERE run = ?", run) == 1, \
                "I41: what was in flight is not settled"
        assert len(world.tool.lines("request")) == sent, "I41: a call after SIGTERM"
        report.fire("SIGTERM")
    world.settle_down()
    world.tool.client.delete("/__rules").expect(200)


def wrong_stores(rng, size, report):
    """I38-I41: wrong, damaged, copied and older stores; a second daemon; backups; SIGTERM."""
    with rig.World(rng) as world:
        template = disk.keep_template(world)
        other_stores(world, template, report)
        corrupt_pages(world, template, report, {"short": 25, "long": 300}[size])
        report.operations(*disk.fresh(world, template)[:2])
        older_copy(world, report)
        past = disk.fresh(world, template)[2]
        second_daemon(world, report)
        backups(world, report, {"short": 6, "long": 60}[size])
        for twice in (False, True):
            orderly_end(world, report, twice)
        world.settle_down()
        checked = world.judge(lines=world.tool.lines()[past:])
        report.judged(world, checked)
