# SPDX-License-Identifier: Apache-2.0
"""Does stint read the usage of an answer as the vendors' own SDKs do?

The SDKs and stint ask the same scripted server, in four wire formats, streaming and not; a relay
gives its answers other usage figures. What an SDK parsed must be what stint settles.
"""
import json
import re

from counterparts import parts

# What a kind of answer says it used: fresh input, read from a cache, written to one, text, reasoning.
VARIANTS = {
    "plain": (1234, 0, 0, 56, 0),
    "cached": (437, 1500, 63, 180, 120),
    "all-cached": (1, 2047, 0, 1, 0),
    "large": (900_000, 90_001, 9_999, 120_000, 11_072),
}
PRICE = {"input_usd_per_million": "3", "output_usd_per_million": "15",
         "cache_read_usd_per_million": "0.3", "cache_write_usd_per_million": "3.75"}
NUSD = {"input": 3000, "output": 15000, "read": 300, "write": 3750}
# SDK client, stint's provider, streaming.
PAIRS = (("openai-chat", "chat", False), ("openai-chat-stream", "chat", True),
         ("openai-responses", "responses", False), ("openai-responses-stream", "responses", True),
         ("anthropic", "anthropic", False), ("anthropic-stream", "anthropic", True),
         ("genai", "gemini", False), ("genai-stream", "gemini", True),
         ("ai-openai", "responses", False), ("ai-openai-chat-stream", "chat", True),
         ("ai-anthropic", "anthropic", False))
MODELS = {"chat": "gpt-4o-mini", "responses": "gpt-4o-mini", "anthropic": "claude-sonnet-4-5",
          "gemini": "gemini-2.5-flash"}
KEY = "sk-test"


def config_of(url):
    api = {"chat": "openai", "responses": "openai-responses"}
    below = {"chat": "/v1", "responses": "/v1"}
    return {"providers": {name: {"api": api.get(name, name), "base_url": url + below.get(name, ""),
                                 "key": "env:SDK_KEY"} for name in MODELS},
            "prices": {f"{name}/{model}": PRICE for name, model in MODELS.items()}}


# ---- what the server says ----

def openai_usage(names, variant):
    fresh, read, write, text, reasoning = variant
    tokens_in, tokens_out = fresh + read + write, text + reasoning
    return {names[0]: tokens_in, names[1]: tokens_out, "total_tokens": tokens_in + tokens_out,
            names[0] + "_details": {"cached_tokens": read, "cache_write_tokens": write},
            names[1] + "_details": {"reasoning_tokens": reasoning}}


def anthropic_usage(variant, seen):
    """The beginning of a stream counts one token of output; its end counts all again."""
    fresh, read, write, text, reasoning = variant
    is_start = seen.get("output_tokens") == 1
    return {"input_tokens": fresh, "cache_read_input_tokens": read,
            "cache_creation_input_tokens": write,
            "output_tokens": 1 if is_start else text + reasoning,
            "output_tokens_details": {"thinking_tokens": 0 if is_start else reasoning}}


def gemini_usage(variant):
    """Zeros are left out on this wire."""
    fresh, read, write, text, reasoning = variant
    counts = {"promptTokenCount": fresh + read + write, "cachedContentTokenCount": read,
              "candidatesTokenCount": text, "thoughtsTokenCount": reasoning,
              "totalTokenCount": fresh + read + write + text + reasoning}
    return {name: count for name, count in counts.items() if count > 0}


def usage_of(path, variant, seen):
    if "/chat/completions" in path:
        return openai_usage(("prompt_tokens", "completion_tokens"), variant)
    if "/responses" in path:
        return openai_usage(("input_tokens", "output_tokens"), variant)
    return anthropic_usage(variant, seen) if "/messages" in path else gemini_usage(variant)


def retold(value, path, variant):
    """The same JSON with the usage of a variant."""
    if isinstance(value, list):
        return [retold(element, path, variant) for element in value]
    if not isinstance(value, dict):
        return value
    return {name: usage_of(path, variant, member)
            if name in ("usage", "usageMetadata") and isinstance(member, dict)
            else retold(member, path, variant) for name, member in value.items()}


def tell(variant):
    def on_answer(exchange):
        if not exchange.answer.startswith((b"data:", b"event:")):
            exchange.answer = json.dumps(retold(exchange.answer_json, exchange.path, variant)).encode()
            return
        lines = exchange.answer.decode().split("\n")
        for i, line in enumerate(lines):
            if line.startswith("data: {"):
                lines[i] = "data: " + json.dumps(retold(json.loads(line[6:]), exchange.path, variant))
        exchange.answer = "\n".join(lines).encode()
    return on_answer


# ---- what an SDK made of it ----

def normal(client, usage):
    """(input in all, output in all, read from the cache, reasoning) of what an SDK printed."""
    if client.startswith("ai-"):
        return (usage["inputTokens"], usage["outputTokens"],
                usage["inputTokenDetails"].get("cacheReadTokens") or 0,
                usage["outputTokenDetails"].get("reasoningTokens") or 0)
    if client.startswith("anthropic"):
        read = usage.get("cache_read_input_tokens") or 0
        write = usage.get("cache_creation_input_tokens") or 0
        details = usage.get("output_tokens_details") or {}
        return (usage["input_tokens"] + read + write, usage["output_tokens"], read,
                details.get("thinking_tokens") or 0)
    if client.startswith("genai"):
        thoughts = usage.get("thoughtsTokenCount", 0)
        return (usage["promptTokenCount"], usage["candidatesTokenCount"] + thoughts,
                usage.get("cachedContentTokenCount", 0), thoughts)
    names = ("prompt_tokens", "completion_tokens") if "chat" in client else ("input_tokens", "output_tokens")
    return (usage[names[0]], usage[names[1]],
            usage.get(names[0] + "_details", {}).get("cached_tokens") or 0,
            usage.get(names[1] + "_details", {}).get("reasoning_tokens") or 0)


def ask_with_sdks(relay):
    printed = {}
    for line in parts.run_starter("sdk/clients", relay.url).splitlines():
        found = re.fullmatch(r"OK +(\S+) +\S+s (\{.*\})", line)
        assert found is not None, line
        printed[found[1]] = normal(found[1], json.loads(found[2]))
    assert set(printed) == {client for client, _, _ in PAIRS}, printed
    return printed


# ---- what stint made of it ----

def step_of(provider, stream):
    return f"{provider}-{'stream' if stream else 'whole'}"


def steps(**more):
    return [parts.generate(step_of(provider, stream), f"{provider}/{model}", prompt="hi",
                           max_output_tokens=16, stream=stream, **more)
            for provider, model in MODELS.items() for stream in (False, True)]


def settled_of(run, step):
    end = run.one("call.settled", step)
    return (end["input_tokens"], end["output_tokens"], end.get("cache_read_tokens", 0),
            end.get("reasoning_tokens", 0))


def check_cost(run, step, variant):
    fresh, read, write, text, reasoning = variant
    if step.startswith("gemini"):  # this wire has no writes of its own
        fresh, write = fresh + write, 0
    cost = (fresh * NUSD["input"] + read * NUSD["read"] + write * NUSD["write"] +
            (text + reasoning) * NUSD["output"])
    used = run.one("call.settled", step)["usage"]
    assert used["cost_nusd"] == cost, (step, used, cost)
    assert used["tokens"] == sum(variant), (step, used, variant)


def check_usage(server, name):
    variant = VARIANTS[name]
    with parts.Relay(server.url, on_answer=tell(variant)) as relay, \
            parts.Stint(config_of(relay.url), SDK_KEY=KEY) as stint:
        printed = ask_with_sdks(relay)
        run = stint.run(*steps(), budget={"tokens": {"run": 20_000_000}, "cost_usd": "100"}).expect(0)
        for client, provider, stream in PAIRS:
            mine = settled_of(run, step_of(provider, stream))
            assert mine == printed[client], (client, printed[client], mine)
        for provider in MODELS:
            check_cost(run, step_of(provider, False), variant)
            check_cost(run, step_of(provider, True), variant)
        run.account("tokens")
        run.account("cost_nusd")


def check_requests(server):
    """stint's requests go where the SDKs' go, with the same key in a header that one of them uses."""
    def place(exchange):
        body = exchange.json
        return exchange.path, bool(body.get("stream")), body.get("model")

    def key(exchange):
        names = ("authorization", "x-api-key", "x-goog-api-key", "anthropic-version")
        return (exchange.path.split(":")[0],
                tuple((name, exchange.headers.get(name)) for name in names))

    with parts.Relay(server.url) as sdks, parts.Relay(server.url) as relay, \
            parts.Stint(config_of(relay.url), SDK_KEY=KEY) as stint:
        ask_with_sdks(sdks)
        stint.run(*steps()).expect(0)
        assert len(relay.exchanges) == 8
        for told in (place, key):
            theirs, mine = set(map(told, sdks.exchanges)), set(map(told, relay.exchanges))
            assert mine <= theirs, (mine - theirs, theirs)


def check_broken_streams(server):
    """A stream that breaks off, or ends with an error, is settled at what was held."""
    broken = {"cut": {"kind": "ok", "cut": 1},
              "error": {"kind": "ok", "midstream": {"type": "overloaded_error", "code": "server_error",
                                                    "message": "so sorry"}}}
    wanted = [step for step in steps(continue_on_error=True, retry={"attempts": 1})
              if step["with"]["stream"]]
    for name, mode in broken.items():
        parts.ask(server.url, "/__mode", mode)
        # Its one event makes a whole Gemini answer, so that a cut comes too late for it.
        some = [step for step in wanted if name == "error" or not step["id"].startswith("gemini")]
        with parts.Stint(config_of(server.url), SDK_KEY=KEY) as stint:
            run = stint.run(*some)
            for step in some:
                failed = run.one("step.failed", step["id"])
                assert name == "cut" or "so sorry" in failed["error"], failed
                held = run.one("call.held", step["id"])["amounts"]
                settled = run.one("call.settled", step["id"])
                assert settled["estimated"] is True and settled["usage"] == held, (settled, held)
            assert run.account("tokens")[3] == 0
    parts.ask(server.url, "/__mode", {"kind": "ok"})


def main():
    with parts.running(("agents",)) as (server,):
        for name in VARIANTS:
            parts.report(check_usage, server, name)
        parts.report(check_requests, server)
        parts.report(check_broken_streams, server)


main()
