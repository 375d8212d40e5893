# SPDX-License-Identifier: Apache-2.0
"""stint audit finds every edit: each column of each table, rows that go, rows that come, cut tails."""
import json
import os
import shutil
import sqlite3

import lib

# What cannot be proven, and why: (table, column or None for all, states in which). All else is found.
UNPROVEN = {
    ("token", None): "who may do what stands in no run's timeline; ids and roles are checked for their form",
    ("answer", None): "kept for a week for who asks again, and stands in no timeline",
    ("meta", "value"): "of alive_at, a heartbeat: nothing else says when the store was last in use",
    ("run", "active_ms"): "of a running run: it grows, from what was told when it last stopped",
    ("run", "active_at"): "of a running run: since when it counts time, also after a restart",
    ("run", "approved"): "of a client's dangerous call: it stands or was used",
    ("step", "due"): "of a sleeping item: moves when somebody sets the clock",
    ("attempt", "expires_at"): "of a client's open call: the client may extend it without a word",
}
# A row that says it is of another run, or is known by another name, is missed where it belongs.
MOVED = {"run_no", "hold", "n", "seq", "id", "no"}
DEFINITIONS = {
    "rich": {"steps": [
        {"id": "shape", "uses": "noop", "with": {"output": {"hosts": ["a", "b", "c"], "note": "plain text"}}},
        {"id": "each", "uses": "noop", "needs": ["shape"], "for_each": "${{ steps.shape.output.hosts }}",
         "with": {"output": "${{ item }}"}},
        {"id": "job", "uses": "sandbox.job", "needs": ["shape"], "budget": {"sandbox": {"seconds": 100}},
         "with": {"run": ["echo hello; echo x >f.txt"], "artifacts": ["f.txt"], "timeout_seconds": 5}},
        {"id": "get", "uses": "http.request", "needs": ["shape"],
         "with": {"method": "GET", "url": "{url}/x"}, "retry": {"attempts": 2, "base_seconds": 0}},
        {"id": "ask", "uses": "approval", "needs": ["shape"], "with": {"message": "go on?"}},
        {"id": "wait", "uses": "sleep", "needs": ["ask"], "with": {"seconds": 0}}],
        "budget": {"tool_steps": 2}},
    "doubt": {"steps": [{"id": "post", "uses": "http.request",
                         "with": {"method": "POST", "url": "{url}/drop-after"}}]},
    "fails": {"steps": [{"id": "bad", "uses": "noop", "with": {"fail": True}},
                        {"id": "after", "uses": "noop", "needs": ["bad"]}]},
    "danger": {"steps": [{"id": "del", "uses": "http.request",
                          "with": {"method": "DELETE", "url": "{url}/gone"}}]},
    "waits": {"steps": [{"id": "long", "uses": "sleep", "with": {"seconds": 3600}},
                        {"id": "next", "uses": "noop", "needs": ["long"]}]},
}


def definition(name, url):
    text = json.dumps({"stint": 1, "name": name, "kind": "implementation", **DEFINITIONS[name]})
    return json.loads(text.replace("{url}", url))


def drive(daemon, admin, run, last):
    """Answers every halt of a run until it is over; `last`: what a call in doubt came to."""
    for _ in range(20):
        found = daemon.client(admin.token).wait_state(run, "halted", "succeeded", "failed", "cancelled")
        if found["state"] != "halted":
            return found
        halt = found["halt"]
        body = {"decision": "grant", "reason": "the auditor says so"}
        if halt["kind"] == "in_doubt":
            body = {"decision": "resolve", "outcome": last, "reason": "looked it up",
                    "call": halt["call"], **({"external_id": "x-1"} if last == "happened" else {})}
            last = "happened"  # when it is sent again
        admin.post(f"/v1/runs/{run}/halts/{halt['id']}", body).expect(200)
    raise AssertionError(found)


def make(place, tool):
    """A store in which everything happened; gives its path."""
    place.init()
    config = {"outgoing": {"allow": [f"127.0.0.1/32:{tool.ready['port']}"]}}
    with place.serve(config=config) as daemon:
        admin = daemon.client(place.token)
        other = admin.post("/v1/tokens", {"role": "submitter", "tenant": "default", "name": "ci"}).expect(201)
        more = admin.post("/v1/tokens", {"role": "viewer", "name": "gone"}).expect(201)
        admin.delete(f"/v1/tokens/{more.json['id']}").expect(200, 204)
        ci = daemon.client(other.json["token"])
        for i, (name, outcome) in enumerate([("rich", ""), ("doubt", "happened"), ("doubt", "did_not_happen"),
                                             ("fails", ""), ("danger", "")]):
            run = ci.post("/v1/runs", definition(name, tool.url), key=f"k{i}").expect(201).json["id"]
            drive(daemon, admin, run, outcome)
        ids = [ci.post("/v1/runs", definition(name, tool.url)).expect(201).json["id"]
               for name in ("waits", "waits", "waits", "danger", "danger", "doubt")]
        admin.post(f"/v1/runs/{ids[0]}/pause", {"reason": "for lunch"}).expect(200)
        admin.post(f"/v1/runs/{ids[0]}/resume", {"reason": "back"}).expect(200)
        admin.post(f"/v1/runs/{ids[0]}/envelope", {"limits": {"tokens": 77777}, "reason": "less"}).expect(200)
        admin.post(f"/v1/runs/{ids[1]}/pause", {"reason": "for good"}).expect(200)
        admin.post(f"/v1/runs/{ids[2]}/cancel", {"reason": "not wanted"}).expect(200)
        halted = daemon.client(place.token).wait_state(ids[3], "halted")
        admin.post(f"/v1/runs/{ids[3]}/halts/{halted['halt']['id']}",
                   {"decision": "deny", "reason": "too risky"}).expect(200)
        admin.wait_state(ids[4], "halted")
        admin.wait_state(ids[5], "halted")
        audited(place, daemon_runs=True)
        assert daemon.stop() == 0
    return place.store[len("sqlite:"):]


def audit(place, path, *more):
    done = place.stint("audit", "--json", "--store", "sqlite:" + path, *more)
    return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr


def audited(place, daemon_runs=False):
    code, found = audit(place, place.store[len("sqlite:"):])
    assert code == 0 and found["ok"], (daemon_runs, found)
    return found


class Copy:
    """A copy of a store to be spoiled, and what the audit says of it."""

    def __init__(self, place, path):
        self.place, self.original, self.path = place, path, place.path("copy.db")
        shutil.copy(path + ".key", self.path + ".key")

    def spoil(self, *statements):
        for suffix in ("", "-wal", "-shm"):
            if os.path.exists(self.path + suffix):
                os.unlink(self.path + suffix)
        shutil.copy(self.original, self.path)
        db = sqlite3.connect(self.path)
        db.execute("PRAGMA ignore_check_constraints=ON")
        db.execute("PRAGMA synchronous=OFF")
        for statement in statements:
            db.execute(*statement)
        db.commit()
        db.close()
        return audit(self.place, self.path)


def other_values(value, name):
    """What a hand may put in the place of a value."""
    if value is None:
        return [1, "x", b"\x01" * 16]  # the one that the column takes
    if isinstance(value, int):
        return [value + 1]
    if isinstance(value, bytes):
        return [value[:-1] + bytes([value[-1] ^ 128])]
    states = {"state": ["running", "halted", "succeeded", "failed", "sent", "in_doubt", "skipped"],
              "item_state": ["waiting", "calling", "succeeded", "failed", "cancelled", "sleeping"]}
    middle = len(value) // 2
    swapped = value[:middle] + ("y" if value[middle:middle + 1] != "y" else "z") + value[middle + 1:]
    return [swapped] + [other for other in states.get(name, []) if other != value]


def reason_of(table, column, row):
    """Why this edit cannot be found, or None."""
    live = {"run": row["state"] == "running" if table == "run" else False,
            "step": row["item_state"] == "sleeping" if table == "step" else False,
            "meta": row["name"] == "alive_at" if table == "meta" else False,
            "attempt": row["expires_at"] is not None if table == "attempt" else False}
    if (table, None) in UNPROVEN:
        return UNPROVEN[table, None]
    return UNPROVEN.get((table, column)) if live.get(table) else None


def tables_of(path):
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    db.row_factory = sqlite3.Row
    names = [row[0] for row in db.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name")]
    keys = {}
    for name in names:
        infos = db.execute(f"PRAGMA table_info({name})").fetchall()
        columns = [(info["name"], info["type"]) for info in infos]
        key = next(info["name"] for info in infos if info["pk"])
        keys[name] = (key, columns, db.execute(f"SELECT * FROM {name} ORDER BY 1").fetchall())
    db.close()
    return keys


def fits(value, kind):
    return isinstance(value, {"INTEGER": int, "TEXT": str, "BLOB": bytes}[kind])


def edits(path, every):
    """(table, key, value of the key, column, other value, row) of every n-th row, first and last."""
    for table, (key, columns, rows) in tables_of(path).items():
        chosen = rows[::every] + (rows[-1:] if (len(rows) - 1) % every else [])
        for row in chosen:
            for column, kind in columns:
                for value in other_values(row[column], column):
                    if fits(value, kind):
                        yield table, key, column, value, row


def shown(value):
    return value.hex() if isinstance(value, bytes) else str(value)


def names(found, table, key, column, value, row):
    """Does the audit name the row that was edited, by its old or its new key?"""
    first = found["first"]
    here = [f"{key}={shown(row[key])}"] + ([f"{key}={shown(value)}"] if column == key else [])
    return first["table"] == table and first["key"] in here


class Spoiled:
    """What became of the edits."""

    def __init__(self):
        self.made = self.named = 0
        self.missed, self.elsewhere, self.excused = [], [], set()

    def note(self, edit, code, found):
        table, key, column, value, row = edit
        self.made += 1
        assert code in (0, 1), (code, found, edit[:3])
        told = (table, column, shown(row[key])[:16], shown(row[column])[:40], shown(value)[:40])
        if code == 0 and reason_of(table, column, row) is not None:
            self.excused.add((table, column))
        elif code == 0:
            self.missed.append(told)
        elif names(found, *edit):
            self.named += 1
        elif column not in MOVED:
            self.elsewhere.append((*told, found["first"]))


def every_edit(copy):
    every = int(os.environ.get("ST_AUDIT_EVERY", "1000"))
    spoiled = Spoiled()
    for edit in edits(copy.original, every):
        table, key, column, value, row = edit
        try:
            code, found = copy.spoil((f'UPDATE "{table}" SET "{column}" = ? WHERE "{key}" = ?',
                                      (value, row[key])))
        except sqlite3.IntegrityError:
            continue  # another row has it: the database itself refuses
        spoiled.note(edit, code, found)
    print(f"{spoiled.made} edits: {spoiled.named} named by their row; not provable: {sorted(spoiled.excused)}")
    assert spoiled.made > 250
    assert not spoiled.missed, spoiled.missed
    assert not spoiled.elsewhere, spoiled.elsewhere


def every_deletion(copy):
    for table, (key, _, rows) in tables_of(copy.original).items():
        if table in ("answer", "meta", "token") or not rows:
            continue
        for row in {0: rows[0], 1: rows[-1]}.values():
            code, found = copy.spoil((f'DELETE FROM "{table}" WHERE "{key}" = ?', (row[key],)))
            assert code == 1, (table, shown(row[key]), found)


def every_insertion(copy):
    for table, (key, columns, rows) in tables_of(copy.original).items():
        if table in ("answer", "meta", "token", "def") or not rows:
            continue
        names_ = [name for name, _ in columns]
        new = {**dict(rows[-1]), key: rows[-1][key] + 1}
        for name in ("id", "hold") if table in ("run", "halt", "attempt", "scope") else ():
            if name in new:
                new[name] = new[name] + "x" if isinstance(new[name], str) else bytes(15) + b"\x01"
        if table == "event":
            new["seq"] += 1
        marks = ",".join("?" * len(names_))
        code, found = copy.spoil((f'INSERT INTO "{table}" VALUES ({marks})',
                                  tuple(new[name] for name in names_)))
        assert code == 1, (table, found)


def other_damage(copy):
    code, found = copy.spoil(("DELETE FROM event WHERE no = (SELECT max(no) FROM event)",),
                             ("UPDATE event SET n = n - 1 WHERE no = (SELECT max(no) FROM event WHERE n > 1) "
                              "AND no + n - 2 = (SELECT max(no) FROM event)",))
    assert code == 1, ("a cut tail", found)
    code, found = copy.spoil(("CREATE TRIGGER t AFTER INSERT ON event BEGIN SELECT 1; END",))
    assert code == 1 and found["first"]["law"] == "schema" and "trigger t" in found["first"]["key"], found
    code, found = copy.spoil(("DROP INDEX run_of_state",))
    assert code == 1 and found["first"]["law"] == "schema", found
    code, before = copy.spoil()
    assert code == 0 and before["ok"] and before["sealed_opened"], before
    os.unlink(copy.path + ".key")
    code, found = audit(copy.place, copy.path)
    assert code == 0 and not found["sealed_opened"] and found["digest"] == before["digest"], found
    assert audit(copy.place, copy.path + ".no")[0] == 5
    with open(copy.path, "r+b") as file:
        file.truncate(os.path.getsize(copy.path) // 2 // 4096 * 4096)
    assert audit(copy.place, copy.path)[0] in (1, 5)


def test_whatever_is_done_by_hand_is_found():
    with lib.Place() as place, lib.ToolServer(place) as tool:
        copy = Copy(place, make(place, tool))
        every_edit(copy)
        every_deletion(copy)
        every_insertion(copy)
        other_damage(copy)


if __name__ == "__main__":
    lib.main(globals())
