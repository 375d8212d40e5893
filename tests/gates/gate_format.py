# SPDX-License-Identifier: Apache-2.0
"""Is every C file laid out as .clang-format says? Usage: gate_format.py ROOT"""
import os
import subprocess
import sys

import tree


def main(root):
    name = tree.judge("clang-format", 14)
    paths = tree.files(root, (".c", ".h"))
    done = subprocess.run([name, "--dry-run", "-Werror", *paths], cwd=root, capture_output=True,
                          text=True, check=False)
    found = sorted({line.split(": ")[0] + ": is laid out differently; run clang-format -i"
                    for line in done.stderr.splitlines() if "-Wclang-format-violations" in line})
    if done.returncode != 0 and not found:
        found = [done.stderr.strip()]
    tree.report(found, len(paths))


main(os.path.abspath(sys.argv[1]))
