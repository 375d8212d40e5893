# SPDX-License-Identifier: Apache-2.0
"""Can every function and file be read at one sitting? Usage: gate_size.py ROOT"""
import os
import re
import subprocess
import sys

import tree

FUNCTION_LINES = 60
FILE_LINES = 600
TEST_FILE_LINES = 1000  # tables of cases are read a line at a time
PARAMETERS = 5


def count_parameters(signature):
    """Of "(int a, void (*b)(int, int))": commas of the outer parentheses, plus one."""
    depth, count = 0, 1
    for char in signature:
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(char, 0)
        count += char == "," and depth == 1
    return 0 if re.fullmatch(r"\(\s*(void)?\s*\)", signature) else count


def functions(root, paths):
    """Yields (path, line, name, lines, parameters) of each function that has a body or is declared."""
    command = ["ctags", "-x", "--language-force=C", "--kinds-C=fp", "--_xformat=%F\t%n\t%e\t%N\t%S",
               "-f", "-", *paths]
    done = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True)
    for line in done.stdout.splitlines():
        path, start, end, name, signature = line.split("\t")
        lines = int(end) - int(start) + 1 if end.isdigit() else 0
        yield path, start, name, lines, count_parameters(signature)


def shaped_by_table(root, path, name):
    """A function that stands in a table takes what the table says."""
    return re.search(rf"\.\w+ = {re.escape(name)}\b", tree.read(root, path)) is not None


def main(root):
    paths = tree.files(root, (".c", ".h"))
    found = []
    for path in paths:
        lines = tree.read(root, path).count("\n")
        stop = TEST_FILE_LINES if path.startswith("tests/") else FILE_LINES
        if lines > stop:
            found.append(f"{path}: {lines} lines; stop at {stop}")
    for path, start, name, lines, parameters in functions(root, paths):
        if lines > FUNCTION_LINES:
            found.append(f"{path}:{start}: {name} has {lines} lines; stop at {FUNCTION_LINES}")
        if parameters > PARAMETERS and not shaped_by_table(root, path, name):
            found.append(f"{path}:{start}: {name} takes {parameters}; at most {PARAMETERS}, or a struct")
    tree.report(found, len(paths))


main(os.path.abspath(sys.argv[1]))
