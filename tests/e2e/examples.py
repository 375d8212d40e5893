# SPDX-License-Identifier: Apache-2.0
"""Are the examples in docs/examples valid, and do they do what they say?"""
import glob
import json
import os
import re
import shlex
import subprocess

import lib

FOLDER = os.path.join(os.environ["ST_SOURCE_DIR"], "docs", "examples")


def read(name):
    with open(os.path.join(FOLDER, name), encoding="utf-8") as file:
        return json.load(file)


def documents(is_wanted):
    """(name below the folder, document) of every example that is wanted; at least two."""
    found = []
    for path in sorted(glob.glob(os.path.join(FOLDER, "**", "*.json"), recursive=True)):
        name = os.path.relpath(path, FOLDER)
        document = read(name)
        if is_wanted(document):
            found.append((name, document))
    assert len(found) >= 2, f"only {found} in {FOLDER}"
    return found


def definitions():
    return documents(lambda document: "stint" in document)


def configs():
    return documents(lambda document: "providers" in document)


def test_every_file_is_of_a_kind_that_is_tested():
    known = {name for name, _ in definitions() + configs()} | {"demo/answers.json"}
    others = {name for name, _ in documents(lambda document: True)} - known
    assert not others, f"neither definition nor config: {others}"


def test_every_definition_is_valid():
    config = read("config.json")
    config["providers"]["recorded"] = {"api": "openai"}
    with lib.Place() as place:
        path = place.write("config.json", config)
        for name, _ in definitions():
            done = place.stint("check", os.path.join(FOLDER, name), "--config", path)
            assert done.returncode == 0, f"{name}: {done.stderr}{done.stdout}"


def test_a_slip_in_an_example_is_found():
    with lib.Place() as place:
        config = place.write("config.json", read("config.json"))
        for name, definition in definitions():
            definition["budget"]["tokns"] = 5
            done = place.stint("check", place.write("slip.json", definition), "--config", config)
            assert done.returncode == 2, f"{name} with a slip: {done.returncode}"
            assert "/budget/tokns" in done.stderr + done.stdout, done.stderr


def test_every_config_is_valid():
    nothing = lib.definition()
    with lib.Place() as place:
        definition = place.write("nothing.json", nothing)
        for name, config in configs():
            path = place.write("config.json", config)
            done = place.stint("check", definition, "--config", path)
            assert done.returncode == 0, f"{name}: {done.stderr}{done.stdout}"
            config["provders"] = {}
            path = place.write("config.json", config)
            done = place.stint("check", definition, "--config", path)
            assert done.returncode == 2, f"{name} with a slip: {done.returncode}"


def test_everything_says_what_it_is_for():
    for name, document in definitions() + configs():
        assert len(document.get("description", "")) > 20, f"{name} has no description"
        schema = os.path.join(FOLDER, os.path.dirname(name), document["$schema"])
        assert os.path.exists(schema), f"{name}: no {schema}"


def test_the_pages_for_newcomers_lead_somewhere():
    root = os.environ["ST_SOURCE_DIR"]
    for page in ("README.md", "CHANGELOG.md"):
        with open(os.path.join(root, page), encoding="utf-8") as file:
            links = re.findall(r"\]\(([^)#]+)", file.read())
        assert links, f"{page} has no links"
        dead = [link for link in links if not link.startswith("https://")
                and not os.path.exists(os.path.join(root, link))]
        assert not dead, f"{page}: {dead}"


def test_the_tour_goes_as_the_readme_says():
    with open(os.path.join(os.environ["ST_SOURCE_DIR"], "README.md"), encoding="utf-8") as file:
        readme = file.read()
    commands = re.findall(r"^\$ stint (.* last.*|run .*)$", readme, re.MULTILINE)
    tour = [shlex.split(command) for command in commands[:4]]
    assert [words[0] for words in tour] == ["run", "show", "approve", "usage"], commands
    with lib.Place() as place:
        place.env["STINT_STORE"] = place.store
        place.env["COLUMNS"] = "500"
        said = ""
        for words, code in zip(tour, (3, 0, 0, 0)):
            words = [word.replace("docs/examples", FOLDER) for word in words]
            done = place.stint(*words)
            assert done.returncode == code, f"{words}: {done.returncode}, {done.stderr}"
            said += done.stdout
        for block in re.findall(r"^```text\n(.*?)^```", readme, re.MULTILINE | re.DOTALL):
            for line in block.splitlines():
                types = re.findall(r" ((?:run|step|call|verdict|decision)\.[a-z_]+) ", line)
                wanted = types or re.findall(r"^ *([a-zA-Z]+) ", line)
                assert all(word in said for word in wanted), f"the README shows {line!r}:\n{said}"


def events_of(place, store):
    done = place.stint("timeline", "last", "--json", "--store", store)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_research_run_runs():
    with lib.Place() as place, lib.ToolServer(place) as tool:
        config = read("config.json")
        config["providers"] = {
            "anthropic": {"api": "anthropic", "base_url": tool.url},
            "exa": {"api": "exa", "base_url": tool.url},
            "firecrawl": {"api": "firecrawl", "base_url": tool.url + "/v2"},
        }
        done = place.stint("run", os.path.join(FOLDER, "research.json"), "--store", place.store,
                           "--config", place.write("config.json", config))
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr
        settled = {}
        for event in events_of(place, place.store):
            if event["type"] == "call.settled":
                settled[event["step"]] = settled.get(event["step"], 0) + 1
        assert settled == {"find": 1, "read": 3, "write": 1}, settled
        asked = [line["path"] for line in tool.lines("request")]
        for path, times in (("/search", 1), ("/v2/scrape", 3), ("/v1/messages", 1)):
            assert asked.count(path) == times, f"{path} in {asked}"


def implementation(place, patch):
    """The implementation example in a checkout of its own, with a model that answers `patch`."""
    project = place.path("library")
    os.makedirs(project)
    for source in glob.glob(os.path.join(FOLDER, "demo", "project", "*")):
        with open(source, encoding="utf-8") as file:
            text = file.read()
        with open(os.path.join(project, os.path.basename(source)), "w", encoding="utf-8") as file:
            file.write(text)
    answer = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m",
              "content": [{"type": "text", "text": patch}], "stop_reason": "end_turn",
              "usage": {"input_tokens": 400, "output_tokens": 90}}
    sse = "".join(f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n" for kind, data in (
        ("message_start", {"message": {**answer, "content": []}}),
        ("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}}),
        ("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": patch}}),
        ("content_block_stop", {"index": 0}),
        ("message_delta", {"delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 90}}),
        ("message_stop", {})))
    cassette = place.write("answers.json", {
        "stint_cassette": 1, "match": "order",
        "entries": [{"request": {"method": "POST", "target": "/v1/messages"},
                     "response": {"status": 200, "headers": {"content-type": "text/event-stream"},
                                  "body_text": sse}}]})
    config = read("config.json")
    config["providers"]["anthropic"] = {"api": "anthropic", "replay": cassette}
    config["sandbox"]["workdirs"] = [project]
    return ["run", os.path.join(FOLDER, "implementation.json"), "--store", place.store, "--config",
            place.write("config.json", config), "--param", f"checkout={project}", "--param",
            "file=ring.c"]


def test_the_implementation_run_asks_before_it_applies():
    patch = read("demo/answers.json")["entries"][1]["response"]["body"]["choices"][0]["message"]["content"]
    with lib.Place() as place:
        command = implementation(place, patch)
        done = place.stint(*command)
        assert done.returncode == 3, f"{done.returncode}: {done.stdout[-3000:]}{done.stderr}"
        source = os.path.join(place.path("library"), "ring.c")
        with open(source, encoding="utf-8") as file:
            assert "len >= RING_MAX" not in file.read(), "applied without being asked"
        config = command[command.index("--config") + 1]
        done = place.stint("approve", "last", "--store", place.store, "--config", config)
        assert done.returncode == 0, f"{done.returncode}: {done.stdout[-3000:]}{done.stderr}"
        with open(source, encoding="utf-8") as file:
            assert "len >= RING_MAX" in file.read(), "approved and not applied"
        subprocess.run(["make", "-s", "-C", place.path("library"), "test"], check=True,
                       stdout=subprocess.DEVNULL)


lib.main(globals())
