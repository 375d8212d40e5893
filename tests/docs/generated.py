# SPDX-License-Identifier: Apache-2.0
"""Do the committed pages say what the code says now? And would this test see it if they did not?

Usage: generated.py REFERENCE_DOC ROOT
"""
import difflib
import os
import re
import shutil
import subprocess
import sys
import tempfile

program, root = sys.argv[1:]
PAGES = ("states.md", "errors.md", "meters.md", "kinds.md", "fields.md", "commands.md", "routes.md")
HEADER = "schemas/state.h"


def make(source, folder):
    return subprocess.run([program, source, folder], capture_output=True, text=True, check=False)


def differences(made, committed):
    found = []
    for page in PAGES:
        texts = []
        for folder in (committed, made):
            with open(os.path.join(folder, page), encoding="utf-8") as file:
                texts.append(file.read().splitlines())
        found += list(difflib.unified_diff(*texts, f"docs/{page}", "what the code says", lineterm="", n=1))
    return found


def main():
    with tempfile.TemporaryDirectory() as made:
        done = make(root, made)
        assert done.returncode == 0, done.stderr
        assert sorted(os.listdir(made)) == sorted(PAGES), os.listdir(made)
        found = differences(made, os.path.join(root, "docs"))
        if found:
            print("\n".join(found[:80]))
            print("\nThe pages are behind the code: cmake --build BUILD --target docs, and commit docs/.")
            return 1
        # Negative: a page with one slip, and a source that says something else, are both seen.
        slip = os.path.join(made, "errors.md")
        with open(slip, encoding="utf-8") as file:
            text = file.read()
        with open(slip, "w", encoding="utf-8") as file:
            file.write(text.replace("403", "404", 1))
        assert differences(made, os.path.join(root, "docs")), "a slip in a page was not seen"
        other = os.path.join(made, "other")
        for name in ("schemas/json", "schemas"):
            os.makedirs(os.path.join(other, name), exist_ok=True)
        shutil.copytree(os.path.join(root, "schemas/json"), os.path.join(other, "schemas/json"), dirs_exist_ok=True)
        with open(os.path.join(root, HEADER), encoding="utf-8") as file:
            header = file.read()
        assert re.search("granted, resolved, resumed", header), "the drawing changed: mend this test"
        with open(os.path.join(other, HEADER), "w", encoding="utf-8") as file:
            file.write(header.replace("granted, resolved, resumed", "never"))
        done = make(other, made)
        assert done.returncode == 0, done.stderr
        assert differences(made, os.path.join(root, "docs")), "another drawing was not seen"
    return 0


sys.exit(main())
