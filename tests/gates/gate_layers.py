# SPDX-License-Identifier: Apache-2.0
"""Do the pure files of each folder call each other in one direction only?

Reads the symbols of the compiled objects: who uses what another file of its folder defines is above
it, and nobody is above oneself. Usage: gate_layers.py PURE.o...
"""
import os
import re
import subprocess
import sys

import tree


def short(path):
    return re.sub(r"^.*\.dir/(?:\./)?(.*)\.o$", r"\1", path)


def symbols(path):
    """The names that this object defines for others, and those that it uses."""
    made, used = set(), set()
    done = subprocess.run(["nm", path], check=True, capture_output=True, text=True)
    for line in done.stdout.splitlines():
        kind, name = line.split()[-2:]
        if kind in "Uw":
            used.add(name)
        elif kind.isupper():
            made.add(name)
    return made, used


def calls(objects):
    """above[file][other] = the symbols of another file of its folder that a file uses."""
    read = {short(path): symbols(path) for path in objects}
    maker = {name: file for file, (made, _) in read.items() for name in made}
    above = {}
    for file, (_, used) in read.items():
        below = above.setdefault(file, {})
        for name in sorted(used):
            other = maker.get(name, file)
            if other != file and os.path.dirname(other) == os.path.dirname(file):
                below.setdefault(other, []).append(name)
    return above


def reach(above, file):
    """All files that this one calls, directly or not."""
    seen, left = set(), list(above[file])
    while left:
        other = left.pop()
        if other not in seen:
            seen.add(other)
            left += above[other]
    return seen


def circles(above):
    """The sets of files that each reach all others of their set."""
    reached = {file: reach(above, file) for file in above}
    return {frozenset(other for other in reached[file] if file in reached[other])
            for file in above if file in reached[file]}


def main(objects):
    above = calls(objects)
    found = []
    for circle in sorted(sorted(circle) for circle in circles(above)):
        for file in circle:
            for other in sorted(set(above[file]) & set(circle)):
                found.append(f"{file}: in a circle of {len(circle)}: "
                             f"uses {', '.join(above[file][other])} of {other}")
    tree.report(found, len(objects))


main([path for path in sys.argv[1:] if path.endswith(".o")])
