# SPDX-License-Identifier: Apache-2.0
"""Is every text finished, licensed, and free of what only one machine knows?

Usage: gate_words.py ROOT
"""
import os
import re
import sys

import tree

# Split, so that this file does not hold what it looks for.
BANNED = (
    (re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b"), "unfinished: do it or drop it"),
    (re.compile(r"(?<![\w.])/(?:ro" r"ot|ho" r"me|wo" r"rk|tmp/w" r"t)/[\w.]"), "a path of one machine"),
    (re.compile(r"\b(?:deb\.deb" r"ian\.org|reg" r"istry\.npmjs|crat" r"es\.io|py" r"pi\.org)"),
     "a registry's host name"),
    (re.compile(r"^(?:<{7} |>{7} |={7}$)", re.MULTILINE), "a merge conflict"),
    (re.compile(r"[ \t]+$", re.MULTILINE), "white space at the end of the line"),
    (re.compile(r"\r"), "a carriage return"),
    (re.compile(r"\bassert\(!" r'"'), 'clang refuses it: assert(false && "why")'),
)
# Kept byte for byte: recorded traffic, fuzz inputs, foreign text, files that are not ours.
UNTOUCHED = re.compile(r"^(?:LICENSE$|tests/fuzz/corpus/|tests/e2e/data/|tests/data/"
                       r"|telemetry/dashboard/vendor/)")
LICENSED = re.compile(r"\.(?:c|h|S|py|sh)$")
COMMENTED_CODE = re.compile(r"^[ \t]*//", re.MULTILINE)


def check(path, text):
    found = []
    for pattern, why in BANNED:
        if path.endswith(".md") and "white space" in why:
            continue
        for match in pattern.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            found.append(f"{path}:{line}: {why}: {match.group(0).strip()!r}")
    if LICENSED.search(path) and "SPDX-License-Identifier: Apache-2.0" not in text[:200]:
        found.append(f"{path}:1: the licence line is missing")
    if path.endswith((".c", ".h")):
        for match in COMMENTED_CODE.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            found.append(f"{path}:{line}: comments are /* sentences */")
    if text and not text.endswith("\n"):
        found.append(f"{path}: does not end with a new line")
    return found


def main(root):
    found, looked_at = [], 0
    for path in tree.files(root):
        if UNTOUCHED.match(path):
            continue
        try:
            text = tree.read(root, path)
        except UnicodeDecodeError:
            if path.endswith((".c", ".h", ".md", ".py", ".json", ".txt")):
                found.append(f"{path}: is not UTF-8")
            continue
        looked_at += 1
        found += check(path, text)
    tree.report(found, looked_at)


main(os.path.abspath(sys.argv[1]))
