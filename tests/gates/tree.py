# SPDX-License-Identifier: Apache-2.0
"""What is in the tree, and how does a gate report what it found?"""
import os
import re
import shutil
import subprocess
import sys

LEVELS = {"schemas": 0, "budgets": 1, "redact": 1, "steps": 2, "sandbox": 2, "telemetry": 2,
          "orchestrator": 3}
SKIPPED_FOLDERS = {".git", ".cache", "build", "__pycache__"}


def files(root, suffixes=("",)):
    """Paths relative to root, sorted; everything but what git and builds leave behind."""
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(f for f in folders if f not in SKIPPED_FOLDERS)
        for name in names:
            if name == ".git":  # a file, where a work tree stands beside its repository
                continue
            if name.endswith(tuple(suffixes)) and not os.path.islink(os.path.join(folder, name)):
                found.append(os.path.relpath(os.path.join(folder, name), root))
    return sorted(found)


def product(root, suffixes=(".c", ".h")):
    """As files(), but only the folders that the product is made of."""
    return [path for path in files(root, suffixes) if path.split("/")[0] in LEVELS]


def is_pure(path):
    return path.split("/")[0] in LEVELS and "/io/" not in path


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        return file.read()


def judge(tool, version):
    """The name of the tool of that major version, the one whose word decides: others lay out and
    warn differently. Ends the program when there is none: red when the tool is not here at all."""
    for name in (f"{tool}-{version}", tool):
        if shutil.which(name):
            said = subprocess.run([name, "--version"], check=True, capture_output=True, text=True)
            if re.search(rf"version {version}\.", said.stdout):
                return name
    if shutil.which(tool):
        print(f"skipped: {tool} {version} decides, and here is another version: {said.stdout.strip()}")
        sys.exit(77)
    print(f"{tool} is missing: sh orchestrator/setup check installs it")
    sys.exit(1)


def report(found, looked_at):
    """Prints what was found, one per line, and ends the program."""
    for line in found:
        print(line)
    if looked_at == 0:
        print("nothing to look at: a gate that sees nothing proves nothing")
    print(f"{len(found)} found in {looked_at} looked at")
    sys.exit(1 if found or looked_at == 0 else 0)
