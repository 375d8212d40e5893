# SPDX-License-Identifier: Apache-2.0
"""Does the simulator find planted bugs? Each tests/sim/mutants/*.patch plants one.

A mutant is built out of a copy of the sources: only the files that its patch changes are compiled,
with the commands of the build directory, and linked before the rest. Then sim runs from seed 1 until
a law is broken. A patch that no longer applies, does not compile, or is not found is a failure.

Usage: mutants.py [--seeds N] ROOT BUILD [NAME...]     (N: how many worlds each gets, 20000)
"""
import argparse
import glob
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

FOLDERS = ("schemas", "budgets", "redact", "steps", "sandbox", "telemetry", "orchestrator")
SECONDS_MAX = 240
SHRUNK = "sleeps_short"  # the one whose failing world is shrunk, too, and replayed by the printed command


def compile_commands(root, build):
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        return {os.path.relpath(e["file"], root): shlex.split(e["command"]) for e in json.load(file)}


def link_command(build):
    """How the build links sim: the last command that makes it."""
    done = subprocess.run(["ninja", "-C", build, "-t", "commands", "tests/sim"],
                          check=True, capture_output=True, text=True)
    line = [line for line in done.stdout.splitlines() if " -o tests/sim " in line][-1]
    return line[line.index("&&") + 2:line.rindex("&&")].strip()


def plant(root, patch, into):
    """A copy of the sources with the bug in it; gives the files that changed."""
    for folder in FOLDERS:
        shutil.copytree(os.path.join(root, folder), os.path.join(into, folder),
                        ignore=shutil.ignore_patterns("*.svg", "dashboard"))
    done = subprocess.run(["patch", "-p1", "--batch", "--forward", "--fuzz=2", "-i", patch], cwd=into,
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return None, done.stdout + done.stderr
    return re.findall(r"^patching file '?([\w./]+)'?", done.stdout, re.MULTILINE), ""


def build_mutant(root, build, changed, into):
    """Compiles what changed and links it before the rest; gives the program, or why not."""
    commands = compile_commands(root, build)
    objects = []
    for path in changed:
        words = [word.replace(f"-I{root}", f"-I{into}") if word == f"-I{root}" else word
                 for word in commands[path]]
        words = [word for word in words if not word.startswith("-Werror")]
        out = words.index("-o")
        words[out + 1] = os.path.join(into, path.replace("/", "_") + ".o")
        words[words.index(os.path.join(root, path))] = os.path.join(into, path)
        done = subprocess.run(words, cwd=build, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return None, done.stderr
        objects.append(words[out + 1])
    program = os.path.join(into, "sim")
    link = link_command(build)
    link = link.replace(" -o tests/sim ", f" {' '.join(objects)} -o {program} ")
    done = subprocess.run(link, shell=True, cwd=build, capture_output=True, text=True, check=False)
    return (program, "") if done.returncode == 0 else (None, done.stderr)


def hunt(program, seeds):
    """Runs worlds until a law is broken; gives (law, where, worlds, core steps), or None."""
    try:
        done = subprocess.run([program, "--seeds", str(seeds), "--no-shrink"], capture_output=True,
                              text=True, check=False, timeout=SECONDS_MAX, errors="replace")
    except subprocess.TimeoutExpired:
        return None
    law = re.search(r"^broken: (\w+)", done.stdout, re.MULTILINE)
    worlds = re.search(r"^(\d+) worlds from seed \d+, (\d+) core steps", done.stdout, re.MULTILINE)
    if law is None or worlds is None:
        return None
    where = re.search(r"(\w+\.c):\d+: .*Assertion", done.stderr)
    text = re.search(r"^  tick \d+: (.*)$", done.stdout, re.MULTILINE)
    said = f"assertion in {where.group(1)}" if where else text.group(1)
    return law.group(1), said, int(worlds.group(1)), int(worlds.group(2))


def replays(program, law, seeds):
    """Does the command that a failure prints break the same law, in fewer ticks?"""
    done = subprocess.run([program, "--seeds", str(seeds)], capture_output=True, text=True,
                          check=False, timeout=SECONDS_MAX, errors="replace")
    command = re.search(r"^replay: sim (.*)$", done.stdout, re.MULTILINE)
    if command is None or re.search(r"--steps (\d+)", command.group(1)).group(1) == "300":
        return False
    again = subprocess.run([program, *shlex.split(command.group(1))], capture_output=True, text=True,
                           check=False, timeout=SECONDS_MAX, errors="replace")
    return again.returncode == 1 and f"broken: {law} " in again.stdout


def judge(root, build, patch, seeds):
    name = os.path.splitext(os.path.basename(patch))[0]
    with tempfile.TemporaryDirectory(prefix="mutant-") as into:
        changed, why = plant(root, patch, into)
        if not changed:
            return name, None, f"does not apply any more; plant the same bug in the present source: {why.strip()}"
        program, why = build_mutant(root, build, changed, into)
        if program is None:
            return name, None, f"does not build: {why.strip()[:400]}"
        found = hunt(program, seeds)
        if found and name == SHRUNK and not replays(program, found[0], seeds):
            return name, None, "was found, but the printed command does not replay it"
        return name, found, "" if found else f"was not found in {seeds} worlds"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("root")
    parser.add_argument("build")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--seeds", type=int, default=20000)
    args = parser.parse_args()
    root, build = os.path.abspath(args.root), os.path.abspath(args.build)
    patches = sorted(glob.glob(os.path.join(root, "tests/sim/mutants/*.patch")))
    patches = [p for p in patches if not args.names or os.path.basename(p)[:-6] in args.names]
    began = time.monotonic()
    missed = 0
    with ThreadPoolExecutor(max_workers=2) as pool:
        jobs = [pool.submit(judge, root, build, patch, args.seeds) for patch in patches]
        for job in jobs:
            name, found, why = job.result()
            missed += found is None
            if found is None:
                print(f"{name:26} NOT CAUGHT: {why}", flush=True)
            else:
                law, said, worlds, steps = found
                print(f"{name:26} {law:18} {worlds:5} worlds {steps:7} steps  {said[:90]}", flush=True)
    print(f"{len(patches) - missed} of {len(patches)} mutants caught, {time.monotonic() - began:.0f} s")
    sys.exit(1 if missed > 0 or not patches else 0)


main()
