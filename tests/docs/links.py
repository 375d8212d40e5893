# SPDX-License-Identifier: Apache-2.0
"""Does what the pages mention exist, and does what they show parse?

In docs/*.md, README.md and their like: every relative link and its anchor, every file and function
of ours that is named in `code`, every ```json block, and every file of docs/examples that is
included by hand is the same as the file. Usage: links.py ROOT [--negative]
"""
import glob
import json
import os
import re
import sys
import tempfile

FOLDERS = ("schemas", "budgets", "redact", "steps", "sandbox", "telemetry", "orchestrator", "tests", "docs",
           ".packaging")
LINK = re.compile(r"!?\[[^\]]*\]\(([^()\s]+)\)")
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`\n]+)`")
PATH = re.compile(r"^(?:%s)/[\w./*{},-]+$" % "|".join(re.escape(f) for f in FOLDERS))
FUNCTION = re.compile(r"^(st_[a-z0-9_]+)(?:\(\))?$")
INCLUDED = re.compile(r"<!-- (docs/examples/[\w./-]+\.json) -->\n+```json\n(.*?)^```", re.MULTILINE | re.DOTALL)


def pages(root):
    found = glob.glob(os.path.join(root, "*.md")) + glob.glob(os.path.join(root, "docs", "**", "*.md"),
                                                              recursive=True)
    return sorted(found)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def anchors(text):
    """As forges make them: lower case, no punctuation, spaces to hyphens."""
    found = set()
    for title in re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.MULTILINE):
        title = re.sub(r"[^\w\- ]", "", title.lower()).strip()
        found.add(title.replace(" ", "-"))
    return found


def sources(root):
    text = []
    for folder in FOLDERS[:8]:
        for path in glob.glob(os.path.join(root, folder, "**", "*.[ch]"), recursive=True):
            text.append(read(path))
    return "\n".join(text)


def check_links(path, text):
    for target in LINK.findall(FENCE.sub("", text)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        other = os.path.join(os.path.dirname(path), name) if name else path
        if not os.path.exists(other):
            yield f"links to {target}, which is not there"
        elif anchor and other.endswith(".md") and anchor not in anchors(read(other)):
            yield f"links to {target}, where there is no such heading"


def check_names(root, text, code):
    for word in CODE.findall(FENCE.sub("", text)):
        place, _, function = word.partition(":")
        if PATH.match(place) and not expand(root, place):
            yield f"names the file {place}, which is not there"
        elif PATH.match(place) and re.fullmatch(r"\w+", function):
            if not any(re.search(rf"\b{function}\b", read(found)) for found in expand(root, place)):
                yield f"names {function} in {place}, which has no such thing"
        elif FUNCTION.match(word) and not re.search(rf"\b{FUNCTION.match(word).group(1)}\b", code):
            yield f"names {word}, which no source has"


def expand(root, place):
    """Shell-like: * and {a,b}."""
    choice = re.search(r"\{([^{}]*)\}", place)
    if choice:
        return [found for part in choice.group(1).split(",")
                for found in expand(root, place[:choice.start()] + part + place[choice.end():])]
    return glob.glob(os.path.join(root, place))


def check_json(root, text):
    for language, block in FENCE.findall(text):
        if language == "json":
            try:
                json.loads(block)
            except ValueError as error:
                yield f"shows JSON that does not parse ({error}): {block[:60]!r}"
    for name, block in INCLUDED.findall(text):
        path = os.path.join(root, name)
        if not os.path.exists(path):
            yield f"includes {name}, which is not there"
        elif json.loads(block) != json.loads(read(path)):
            yield f"includes {name}, but not as it is now"


def check(root):
    found, looked_at, code = [], 0, sources(root)
    for path in pages(root):
        text = read(path)
        looked_at += len(LINK.findall(text)) + len(CODE.findall(text))
        for problem in (*check_links(path, text), *check_names(root, text, code), *check_json(root, text)):
            found.append(f"{os.path.relpath(path, root)} {problem}")
    return found, looked_at


PLANTS = {
    "docs/innocent.md": ("# A page\n[it](#a-page) [that](other.md#the-b-part) [web](https://example.org/x)\n"
                         "`steps/a.c:st_a` `st_a()` `steps/{a,b}.c`\n```json\n{\"a\": 1}\n```\n"
                         "<!-- docs/examples/e.json -->\n```json\n{\"stint\":\n1}\n```\n", None),
    "docs/other.md": ("## The B part!\n", None),
    "docs/plant_link.md": ("[gone](gone.md)\n", "gone.md, which is not there"),
    "docs/plant_anchor.md": ("[gone](other.md#gone)\n", "no such heading"),
    "docs/plant_file.md": ("`steps/gone.c`\n", "names the file steps/gone.c"),
    "docs/plant_place.md": ("`steps/a.c:st_gone`\n", "names st_gone in steps/a.c"),
    "docs/plant_function.md": ("`st_gone()`\n", "which no source has"),
    "docs/plant_json.md": ("```json\n{\"a\": }\n```\n", "does not parse"),
    "docs/plant_example.md": ("<!-- docs/examples/e.json -->\n\n```json\n{\"stint\": 2}\n```\n", "not as it is now"),
    "README.md": ("[gone](docs/gone.md)\n", "docs/gone.md, which is not there"),
}


def negative():
    with tempfile.TemporaryDirectory() as root:
        for path in ("docs/examples", "steps"):
            os.makedirs(os.path.join(root, path))
        files = {name: text for name, (text, _) in PLANTS.items()}
        files.update({"steps/a.c": "int st_a;\n", "steps/b.c": "\n", "docs/examples/e.json": "{\"stint\": 1}\n"})
        for name, text in files.items():
            with open(os.path.join(root, name), "w", encoding="utf-8") as file:
                file.write(text)
        found, _ = check(root)
    wrong = []
    for name, (_, reason) in PLANTS.items():
        said = [line for line in found if line.startswith(name + " ")]
        if reason is None and said:
            wrong.append(f"innocent, but: {said}")
        if reason is not None and not any(reason in line for line in said):
            wrong.append(f"{name} was not refused with: {reason}")
    return wrong


def main():
    if sys.argv[2:] == ["--negative"]:
        wrong = negative()
        print("\n".join(wrong))
        return 1 if wrong else 0
    found, looked_at = check(os.path.abspath(sys.argv[1]))
    print("\n".join(found))
    assert looked_at > 20, "nothing was looked at"
    return 1 if found else 0


sys.exit(main())
