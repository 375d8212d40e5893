# SPDX-License-Identifier: Apache-2.0
"""Is every C file laid out as .clang-format says? Usage: gate_format.py ROOT"""
import os
import re
import shutil
import subprocess
import sys

import tree

VERSION = "14"


def formatter():
    """The one version that decides; others lay out some lines differently."""
    for name in (f"clang-format-{VERSION}", "clang-format"):
        if shutil.which(name):
            said = subprocess.run([name, "--version"], check=True, capture_output=True, text=True)
            if re.search(rf"version {VERSION}\.", said.stdout):
                return name
            print(f"{name} is another version than {VERSION}: {said.stdout.strip()}")
    return None


def main(root):
    name = formatter()
    if name is None:
        print(f"skipped: clang-format {VERSION} is not here; sh orchestrator/setup check installs it")
        sys.exit(77 if os.path.exists("/etc/debian_version") is False else 1)
    paths = tree.files(root, (".c", ".h"))
    done = subprocess.run([name, "--dry-run", "-Werror", *paths], cwd=root, capture_output=True,
                          text=True, check=False)
    found = sorted({line.split(": ")[0] + ": is laid out differently; run clang-format -i"
                    for line in done.stderr.splitlines() if "-Wclang-format-violations" in line})
    if done.returncode != 0 and not found:
        found = [done.stderr.strip()]
    tree.report(found, len(paths))


main(os.path.abspath(sys.argv[1]))
