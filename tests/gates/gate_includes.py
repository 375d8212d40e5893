# SPDX-License-Identifier: Apache-2.0
"""Does every file include only what its folder may know?

A folder includes itself and lower levels, pure files know no I/O, each library has one owner, and
every header compiles alone. Usage: gate_includes.py ROOT
"""
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import tree

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)
WALL_CLOCK = re.compile(r"\bCLOCK_(?:REALTIME|TAI)\w*")
PURE_SYSTEM = {"assert.h", "ctype.h", "errno.h", "float.h", "inttypes.h", "jansson.h", "limits.h",
               "pcre2.h", "sodium.h", "stdalign.h", "stdarg.h", "stdbool.h", "stddef.h", "stdint.h",
               "stdio.h", "stdlib.h", "stdnoreturn.h", "string.h"}
# Which files may include a library's headers.
OWNERS = ((re.compile(r"sqlite3"), re.compile(r"orchestrator/io/store")),
          (re.compile(r"curl/"), re.compile(r"steps/io/http")),
          (re.compile(r"git2(/|\.h)"), re.compile(r"steps/io/git")),
          (re.compile(r"libpq-fe"), re.compile(r"orchestrator/io/store")),
          (re.compile(r"llhttp"), re.compile(r"orchestrator/io/")),
          (re.compile(r"sys/random\.h"), re.compile(r"orchestrator/io/")),
          (re.compile(r"time\.h"), re.compile(r"[a-z]+/io/")))


def check_own(root, path, included):
    folder, target = path.split("/")[0], included.split("/")[0]
    if "/" in included and "." not in target and target not in tree.LEVELS:
        return f'"{included}" is not part of the product'
    if not os.path.exists(os.path.join(root, included)):
        return f'"{included}" is not a path from the root of the tree'
    if target != folder and tree.LEVELS[target] >= tree.LEVELS[folder]:
        return f'{folder}/ may not know {target}/: "{included}"'
    if tree.is_pure(path) and "/io/" in included:
        return f'a pure file may not know an io/ folder: "{included}"'
    return None


def check_system(path, included):
    if tree.is_pure(path) and path != "schemas/banned.h":  # it comes before all others
        if included not in PURE_SYSTEM:
            return f"a pure file may not include <{included}>"
        return None
    for library, owner in OWNERS:
        if library.match(included) and not owner.match(path):
            return f"<{included}> has one owner, files like {owner.pattern}*"
    return None


def check_file(root, path):
    found = []
    text = tree.read(root, path)
    includes = [(match.group(1), match.group(2), match.start()) for match in INCLUDE.finditer(text)]
    for own, system, at in includes:
        wrong = check_own(root, path, own) if own else check_system(path, system)
        if wrong:
            found.append(f"{path}:{text.count(chr(10), 0, at) + 1}: {wrong}")
    for match in WALL_CLOCK.finditer(text):
        if not path.startswith("orchestrator/io/"):
            line = text.count("\n", 0, match.start()) + 1
            found.append(f"{path}:{line}: only orchestrator/io/ asks what time it is")
    header = path[:-1] + "h"
    if path.endswith(".c") and os.path.exists(os.path.join(root, header)):
        if not includes or includes[0][0] != header:
            found.append(f'{path}:1: its own header "{header}" comes first')
    return found


def library_flags():
    names = ["libuv", "sqlite3", "libcurl", "libgit2", "jansson", "libsodium", "libpcre2-8"]
    found = subprocess.run(["pkg-config", "--cflags", *names], check=True, capture_output=True)
    return found.stdout.decode().split() + ["-I/usr/share/include/llhttp"]


def compile_alone(root, path, flags):
    standard = ["-std=c11"] if tree.is_pure(path) else ["-std=c11", "-D_GNU_SOURCE"]
    command = ["gcc", *standard, "-Wall", "-Werror", "-fsyntax-only", "-x", "c", "-I", root, *flags, path]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    return [f"{path}: does not compile alone\n{done.stderr}"] if done.returncode != 0 else []


def main(root):
    paths = tree.product(root)
    found = [line for path in paths for line in check_file(root, path)]
    flags = library_flags()
    with ThreadPoolExecutor(max_workers=2) as pool:
        headers = [path for path in paths if path.endswith(".h")]
        for lines in pool.map(lambda path: compile_alone(root, path, flags), headers):
            found += lines
    tree.report(found, len(paths))


main(os.path.abspath(sys.argv[1]))
