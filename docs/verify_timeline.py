#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Recomputes the hash chain of every timeline in a store. Usage: verify_timeline.py stint.db

Needs nothing but Python and read access. 0: every chain is whole; 1: one is not, and it says where.
"""
import datetime
import hashlib
import sqlite3
import sys
import uuid

ZERO = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
NO_ID = bytes(16)


def number(n):
    return n.to_bytes(8, "big", signed=True)


def text(value):
    data = (value or "").encode()
    return number(len(data)) + data


def identity(value):
    return uuid.UUID(value.split("_", 1)[1]).bytes if value else NO_ID


def milliseconds(at):
    return (datetime.datetime.fromisoformat(at.replace("Z", "+00:00")) - ZERO) // datetime.timedelta(milliseconds=1)


def link(before, run, seq, at, kind, step, item, call, data):
    return hashlib.blake2b(
        before + identity(run) + number(seq) + number(milliseconds(at)) + text(kind) + text(step)
        + number(item) + identity(call) + text(data), digest_size=32).digest()


def verify(db, run, last_seq, last_hash):
    before, expected = bytes(32), 1
    for seq, at, kind, step, item, call, data, shown in db.execute(
            "SELECT seq, at, type, step, item, call, data, hash FROM v_event WHERE run = ? ORDER BY seq", (run,)):
        if seq != expected:
            return f"event {expected} is missing"
        before = link(before, run, seq, at, kind, step, item, call, data)
        if before.hex() != shown:
            return f"event {seq} ({kind}) is not what was written"
        expected += 1
    if expected - 1 != last_seq or before.hex() != last_hash:
        return f"the run ends with event {last_seq}, the timeline with {expected - 1}"
    return None


def main(path):
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    runs = db.execute("SELECT id, seq, hash FROM v_run ORDER BY run_no").fetchall()
    wrong = 0
    for run, seq, head in runs:
        fault = verify(db, run, seq, head)
        wrong += fault is not None
        print(f"{run}: {fault or f'{seq} events, whole'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
