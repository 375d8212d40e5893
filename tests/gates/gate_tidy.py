# SPDX-License-Identifier: Apache-2.0
"""Does clang-tidy find anything in the product's files?

A file whose preprocessed text and checks have not changed since it was clean is not read again,
whichever checkout or build directory it was clean in.
Usage: gate_tidy.py ROOT BUILD
"""
import hashlib
import json
import os
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import tree


def compiled(root, build):
    """path -> the compile command as a list, for the product's own C files."""
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        entries = json.load(file)
    found = {}
    for entry in entries:
        path = os.path.relpath(entry["file"], root)
        if path.endswith(".c") and path.split("/")[0] in tree.LEVELS:
            found[path] = shlex.split(entry["command"])
    return found


def fingerprint(root, command, config):
    """Of everything the answer depends on; where the checkout lies is not part of it."""
    start = next(i for i, word in enumerate(command) if word.startswith("-"))
    words = command[start:]
    out = words.index("-o")
    preprocess = ["clang", "-E", "-C", "-P", "-Wno-unknown-warning-option",
                  f"-fmacro-prefix-map={root}=.", *words[:out], *words[out + 2:]]
    done = subprocess.run(preprocess, capture_output=True, check=True)
    return hashlib.sha256(config + done.stdout).hexdigest()


def stamps():
    """Where the marks of clean texts are kept."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(home, "stint", "tidy")


def check(tidy, root, build, path, command, config):
    stamp = os.path.join(stamps(), fingerprint(root, command, config))
    if os.path.exists(stamp):
        return []
    done = subprocess.run([tidy, "--quiet", "-p", build, "--warnings-as-errors=*",
                           "--extra-arg=-Wno-unknown-warning-option",
                           os.path.join(root, path)],
                          cwd=build, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        os.makedirs(stamps(), exist_ok=True)
        with open(stamp, "w", encoding="utf-8"):
            return []
    return [f"{path}: clang-tidy says\n{done.stdout}{done.stderr if not done.stdout else ''}"]


def main(root, build):
    with open(os.path.join(root, ".clang-tidy"), "rb") as file:
        config = file.read()
    tidy = tree.judge("clang-tidy", 14)
    version = subprocess.run([tidy, "--version"], check=True, capture_output=True)
    commands = compiled(root, build)
    found = []
    with ThreadPoolExecutor(max_workers=2) as pool:
        jobs = [pool.submit(check, tidy, root, build, path, commands[path], config + version.stdout)
                for path in sorted(commands)]
        for job in jobs:
            found += job.result()
    tree.report(found, len(commands))


main(os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]))
