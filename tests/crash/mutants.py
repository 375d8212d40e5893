#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Does the crash harness find bugs? Plants one after the other, and expects it to say so (Z12).

    python3 tests/crash/mutants.py [NAME...]

Each is built out of a copy of the tree (ccache helps) and given to the scenario that should find it.
"""
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# name: (file, what stands there, what stands there instead, the scenario that notices)
MUTANTS = {
    "not synced": ("orchestrator/io/store_open.c", "PRAGMA synchronous=FULL;", "PRAGMA synchronous=NORMAL;",
                   "power"),
    "calls leave before they are written": (
        "orchestrator/io/engine.c", "	note_grown(batch);\n",
        "	note_grown(batch);\n	for (size_t i = 0; i < batch->update.n_effects; i++) {\n"
        "		struct st_effect *effect = &batch->update.effects[i];\n"
        "		if (effect->type == ST_EFFECT_CALL) {\n			st_engine_let_out(engine, effect);\n"
        "			*effect = (struct st_effect){.type = ST_EFFECT_ABORT};\n		}\n	}\n", "disk"),
    "a sync may fail": ("orchestrator/io/store_writer.c", "return rc == SQLITE_DONE ? ST_OK",
                        "return rc == SQLITE_DONE || sql == ST_STORE_SQL_COMMIT ? ST_OK", "disk"),
    "a checkpoint may fail": ("orchestrator/io/store_room.c", "bool failed = (rc & 0xff) == SQLITE_IOERR &&",
                              "bool failed = rc == -1 &&", "disk"),
    "key not of the attempt": ("budgets/grant.c", "grant->claim.attempt);\n	assert(n > 0);",
                               "grant->claim.attempt + 1);\n	assert(n > 0);", "points"),
    "a paid call is sent again": ("orchestrator/call_end.c", "flight->idempotence == ST_IDEMPOTENT && resend",
                                  "flight->idempotence != ST_REPEATABLE && resend", "points"),
    "a lost call costs nothing": ("orchestrator/call_end.c", "		end.used = &held;\n		end.estimated = true;",
                                  "		static const struct st_amounts none;\n		(void)held;\n"
                                  "		end.used = &none;\n		end.estimated = true;", "points"),
    "a hold stays": ("budgets/ledger.c", "account->held -= held->of[m];\n			account->settled",
                     "account->held -= s == 0 ? held->of[m] : 0;\n			account->settled", "points"),
    "a grant without a row": ("orchestrator/decide.c", "row->amount = asked->amount;",
                              "row->amount = asked->amount + 1;", "kills"),
    "answers are not kept": ("orchestrator/registry.c",
                             "row->status = st_answer_event_status(turn->type, ST_OK);",
                             "row->status = st_answer_event_status(turn->type, ST_OK);\n"
                             "	row->key_hash[0] ^= 1;", "kills"),
    "two daemons": ("orchestrator/io/store_open.c", "flock(fd, LOCK_EX | LOCK_NB) != 0",
                    "flock(fd, LOCK_SH | LOCK_NB) != 0", "stores"),
    "calls while draining": ("orchestrator/call.c", "turn->core->draining || !st_queue_slot",
                             "!st_queue_slot", "stores"),
    "calls on a full disk": ("orchestrator/io/engine_room.c",
                             "engine->room == ST_STORE_ROOM || effect->type", "true || effect->type", "full"),
    "a full disk is the end": ("orchestrator/io/store_writer.c", "err != ST_OK && wants_room; tries++",
                               "err != ST_OK && wants_room && tries < 0; tries++", "full"),
    "the clock is believed": ("orchestrator/io/clock.c", "moved >= SET_MIN_MS || moved <= -SET_MIN_MS ? moved",
                              "moved == INT64_MAX ? moved", "clock"),
    "told more than held": ("steps/model_openai.c", "(json_int_t)output_max,",
                            "(json_int_t)output_max * 1000,", "points"),
}


def plant(folder, name):
    """Gives the path and what stood there."""
    path, old, new, _ = MUTANTS[name]
    path = os.path.join(folder, path)
    with open(path, encoding="utf-8") as file:
        before = text = file.read()
    assert text.count(old) == 1, f"{name}: the place is not there any more: {old!r}"
    text = text.replace(old, new)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path, before


def try_one(folder, name):
    """True when the harness noticed."""
    scenario = MUTANTS[name][3]
    path, before = plant(folder, name)
    try:
        subprocess.run(["cmake", "--build", os.path.join(folder, "build"), "--target", "stint", "toolserver",
                        "faultio"], check=True, stdout=subprocess.DEVNULL)
        env = {**os.environ, "STINT": os.path.join(folder, "build", "stint"),
               "TOOLSERVER": os.path.join(folder, "build", "tools", "toolserver"),
               "FAULTIO": os.path.join(folder, "build", "tests", "libfaultio.so")}
        done = subprocess.run([sys.executable, os.path.join(ROOT, "tests", "crash", "run.py"), scenario],
                              env=env, capture_output=True, text=True, check=False)
    finally:
        with open(path, "w", encoding="utf-8") as file:
            file.write(before)
    words = [line for line in (done.stdout + done.stderr).splitlines() if "Error" in line or "Breach" in line
             or line.startswith("  I")]
    print(f"{'found' if done.returncode == 1 else 'MISSED'}  {name}, by {scenario}: "
          f"{' '.join(words[-2:])[:200] if words else ''}", flush=True)
    return done.returncode == 1


def main():
    chosen = sys.argv[1:] or list(MUTANTS)
    with tempfile.TemporaryDirectory(prefix="stint-mutants-") as folder:
        tree = os.path.join(folder, "tree")
        shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns("build", ".git"), symlinks=True)
        subprocess.run(["cmake", "-S", tree, "-B", os.path.join(tree, "build"), "-G", "Ninja",
                        "-DCMAKE_BUILD_TYPE=Debug"], check=True, stdout=subprocess.DEVNULL)
        found = sum(try_one(tree, name) for name in chosen)
    print(f"{found} of {len(chosen)} bugs found")
    return 0 if found == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main())
