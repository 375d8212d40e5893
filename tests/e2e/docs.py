# SPDX-License-Identifier: Apache-2.0
"""Do the queries and the script of the pages work on a real store, and does the script find an edit?"""
import os
import re
import shutil
import sqlite3
import subprocess
import sys

import lib

SOURCE = os.environ["ST_SOURCE_DIR"]
EXAMPLES = os.path.join(SOURCE, "docs", "examples")


def page(name):
    with open(os.path.join(SOURCE, "docs", name), encoding="utf-8") as file:
        return file.read()


def store(place):
    """A run that ended, one that is halted, one that was approved."""
    path = os.path.join(place.folder, "docs.db")
    for name, code in (("doc-conditions", 0), ("doc-for-each", 0), ("first", 3)):
        done = place.stint("run", os.path.join(EXAMPLES, f"{name}.json"), "--store", f"sqlite:{path}", "--no-input")
        assert done.returncode == code, f"{name}: {done.returncode}: {done.stdout}{done.stderr}"
    done = place.stint("approve", "last", "--store", f"sqlite:{path}", "--no-input", "--reason", "one more")
    assert done.returncode == 0, done.stderr
    return path


def verify(path):
    return subprocess.run([sys.executable, os.path.join(SOURCE, "docs", "verify_timeline.py"), path],
                          capture_output=True, text=True, check=False)


def test_every_query_of_the_pages_runs():
    with lib.Place() as place:
        db = sqlite3.connect(f"file:{store(place)}?mode=ro", uri=True)
        queries = [query for name in ("sql.md", "runbook.md")
                   for query in re.findall(r"^```sql\n(.*?)^```", page(name), re.MULTILINE | re.DOTALL)]
        assert len(queries) >= 6, queries
        answers = [db.execute(query).fetchall() for query in queries]
        assert sum(1 for rows in answers if rows) >= 4, answers


def test_the_table_of_views_names_every_view_and_column():
    with lib.Place() as place:
        db = sqlite3.connect(f"file:{store(place)}?mode=ro", uri=True)
        told = {}
        for view, columns in re.findall(r"^\| `(v_\w+)` \|[^|]*\| (.*) \|$", page("sql.md"), re.MULTILINE):
            told[view] = re.findall(r"`(\w+)`", columns)
        there = {name: [row[1] for row in db.execute(f"PRAGMA table_info({name})")]
                 for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'view' "
                                            "AND name GLOB 'v_*'")}
        assert told == there, f"docs/sql.md says {told}, the store has {there}"


def test_the_script_finds_whole_chains_and_every_kind_of_edit():
    edits = ("UPDATE event SET data = replace(data, 'tool_steps', 'tool_stops') WHERE seq = 4",
             "UPDATE event SET at = at + 1 WHERE seq = 2",
             "DELETE FROM event WHERE seq = 3",
             "DELETE FROM event WHERE no = (SELECT max(no) FROM event)")
    with lib.Place() as place:
        path = store(place)
        done = verify(path)
        assert done.returncode == 0 and done.stdout.count("whole") == 3, done.stdout + done.stderr
        sqlite3.connect(path).execute("PRAGMA wal_checkpoint(TRUNCATE)")
        for edit in edits:
            copy = os.path.join(place.folder, "edited.db")
            shutil.copy(path, copy)
            db = sqlite3.connect(copy)
            assert db.execute(edit).rowcount > 0, edit
            db.commit()
            db.close()
            done = verify(copy)
            assert done.returncode == 1, f"{edit}: {done.stdout}{done.stderr}"


def test_every_event_type_of_the_core_is_on_the_page_and_nothing_else():
    emitted = set()
    for name in os.listdir(os.path.join(SOURCE, "orchestrator")):
        if name.endswith(".c"):
            with open(os.path.join(SOURCE, "orchestrator", name), encoding="utf-8") as file:
                for call in re.findall(r"st_run_emit\((.*?)\);", file.read(), re.DOTALL):
                    emitted |= set(re.findall(r'"((?:run|step|call|verdict|decision|envelope|external_id)\.\w+)"', call))
    emitted -= {"call.unknown"}  # a code within the data of call.in_doubt
    told = set(re.findall(r"^\| `([a-z_]+\.[a-z_]+)` \|", page("timeline.md"), re.MULTILINE))
    assert len(emitted) > 20 and told == emitted, f"not told: {emitted - told}; not emitted: {told - emitted}"


def test_every_error_code_of_steps_is_on_the_page_and_nothing_else():
    code = ""
    for folder in ("steps", "orchestrator", "orchestrator/io"):
        for name in os.listdir(os.path.join(SOURCE, folder)):
            if name.endswith(".c"):
                with open(os.path.join(SOURCE, folder, name), encoding="utf-8") as file:
                    code += file.read()
    section = page("run-definition.md").split("## Error codes of steps")[1].split("\n## ")[0]
    told = {word for row in section.splitlines() if row.startswith("| `")
            for word in re.findall(r"`([a-z_.]+)`", row.split(" | ")[0])}
    used = set(re.findall(r'"((?:definition|call|transport|provider|page|http|job|noop|config|client)\.[a-z_]+)"', code))
    used -= {"call.clamped", "call.held", "call.sent", "call.settled", "call.voided", "call.overrun", "call.in_doubt",
             "call.unknown", "http.request", "http.requests"}
    used.add("denied")
    known = {word for word in used if not word.startswith("http.") or word in ("http.status", "http.params")}
    assert told == known, f"not told: {known - told}; not used: {told - known}"


lib.main(globals())
