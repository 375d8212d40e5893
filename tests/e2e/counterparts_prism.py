# SPDX-License-Identifier: Apache-2.0
"""Do the vendors' own API descriptions accept what stint sends, and does stint read their answers?

Prism checks path, types, required fields and authentication of every request against the vendor's
description, and answers with the description's examples. It has no streams.
"""
import contextlib
import json

from counterparts import parts

VENDORS = ("openai", "anthropic", "exa", "firecrawl")
PRICE = {"input_usd_per_million": "3", "output_usd_per_million": "15"}
MODELS = ("openai/gpt-4o", "responses/gpt-4o", "anthropic/claude-sonnet-4-5")
TURNS = [{"role": "user", "content": "Name a tree."}, {"role": "assistant", "content": "An oak."},
         {"role": "user", "content": "Another: 樹, \U0001f333, \"quoted\"\n"}]
USAGE = {"openai": ("prompt_tokens", "completion_tokens"),
         "responses": ("input_tokens", "output_tokens"),
         "anthropic": ("input_tokens", "output_tokens")}


def config_of(urls):
    bases = {**urls, "responses": urls["openai"]}
    api = {"responses": "openai-responses"}
    return {"providers": {name: {"api": api.get(name, name), "base_url": url, "key": "env:VENDOR_KEY"}
                          for name, url in bases.items()},
            "prices": {**{model: PRICE for model in MODELS},
                       "exa": {"request_usd": "0.05"}, "firecrawl": {"request_usd": "0.001"}}}


def plain_steps(**more):
    return [*(parts.generate(model.split("/")[0], model, prompt="Name a tree.", stream=False,
                             max_output_tokens=64, **more) for model in MODELS),
            {"id": "exa", "uses": "web.search", "with": {"query": "trees"}, **more},
            {"id": "firecrawl", "uses": "web.extract", "with": {"url": "https://example.com/a?b=c"},
             **more}]


def rich_steps():
    """Every parameter that the kinds know."""
    shared = {"messages": TURNS, "system": "You are terse.", "stream": False, "temperature": 0.5,
              "max_output_tokens": 700}
    return [parts.generate("openai", MODELS[0], stop=["END", "\n\n\n"], reasoning_effort="low", **shared),
            parts.generate("responses", MODELS[1], reasoning_effort="high", **shared),
            parts.generate("anthropic", MODELS[2], stop=["END"], **shared),
            {"id": "exa", "uses": "web.search",
             "with": {"query": "trees", "results": 100, "max_chars": 0}},
            {"id": "firecrawl", "uses": "web.extract",
             "with": {"url": "https://example.com/a.pdf", "pdf_pages": 7, "max_chars": 10}}]


class Vendors:
    """A relay before each vendor, and stint configured to go through them."""

    def __init__(self, programs, **hooks):
        self.relays = {name: parts.Relay(program.url, **hooks)
                       for name, program in zip(VENDORS, programs)}
        self.stint = parts.Stint(config_of({name: relay.url for name, relay in self.relays.items()}),
                                 VENDOR_KEY="key-of-the-vendor")
        self.stack = None

    def seen(self):
        return [exchange for relay in self.relays.values() for exchange in relay.exchanges]

    def exchange(self, step):
        path = {"openai": "/chat/completions", "responses": "/responses"}.get(step, "/")
        relay = self.relays["openai" if step == "responses" else step]
        found = [e for e in relay.exchanges if e.path.startswith(path)]
        assert len(found) == 1, [e.path for e in found]
        return found[0]

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            for part in (*self.relays.values(), self.stint):
                stack.enter_context(part)
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()


def check_settled(run, vendors, step):
    """The ledger has what the vendor's answer says, or all that was held where it says nothing."""
    exchange, settled, held = vendors.exchange(step), run.one("call.settled", step), run.one("call.held", step)
    answer = exchange.answer_json
    assert exchange.status == 200 and settled["status"] == 200, (exchange.status, settled)
    used = settled["usage"]
    if step == "exa":
        dollars = answer.get("costDollars", {}).get("total")
        cost = round(dollars * 10**9) if dollars is not None else 50_000_000
        assert used == {"tool_steps": 1, "search.exa": 1, "cost_nusd": cost}, (used, dollars)
        return
    if step == "firecrawl":
        assert used["extract.firecrawl"] >= 1 and used["cost_nusd"] == used["extract.firecrawl"] * 10**6
        return
    names = USAGE[step]
    tokens_in, tokens_out = (answer["usage"][name] for name in names)
    if tokens_in == 0:
        assert settled["estimated"] is True and used["tokens"] == held["amounts"]["tokens"], settled
        return
    assert (settled["input_tokens"], settled["output_tokens"]) == (tokens_in, tokens_out), settled
    assert used["tokens"] == tokens_in + tokens_out, settled
    assert used["cost_nusd"] == tokens_in * 3000 + tokens_out * 15000, settled
    over = used["tokens"] - held["amounts"]["tokens"]
    assert settled.get("overrun", {}).get("tokens", 0) == max(0, over), settled
    assert len(run.of("call.overrun", step)) == (1 if "overrun" in settled else 0)


def check_accepted(programs, steps):
    with Vendors(programs) as vendors:
        run = vendors.stint.run(*steps).expect(0)
        for step in ("openai", "responses", "anthropic", "exa", "firecrawl"):
            check_settled(run, vendors, step)
            assert vendors.exchange(step).headers["idempotency-key"].endswith("-1")
        assert run.output("openai")["text"] and run.output("responses")["text"]
        assert run.output("anthropic")["finish_reason"] == "end_turn"
        assert run.output("exa")["results"][0]["url"].startswith("https://")
        assert run.output("firecrawl")["markdown"]
        for meter in ("tokens", "cost_nusd", "tool_steps", "search.exa", "extract.firecrawl"):
            run.account(meter)
        return {step: vendors.exchange(step).json for step in USAGE}


def check_plain(programs):
    check_accepted(programs, plain_steps())


def check_rich(programs):
    bodies = check_accepted(programs, rich_steps())
    assert bodies["openai"]["max_completion_tokens"] == 700, bodies["openai"]
    assert bodies["responses"]["max_output_tokens"] == 700, bodies["responses"]
    assert bodies["anthropic"]["max_tokens"] == 700, bodies["anthropic"]
    assert bodies["anthropic"]["messages"] == TURNS


def break_body(exchange):
    """One wrong type or missing field in each request."""
    body = exchange.json
    if "messages" in body:
        body["messages"] = [{**message, "role": "tyrant"} for message in body["messages"]]
    elif "input" in body:
        body["input"] = [{"role": "tyrant", "content": 3}]
    else:
        body = {name: value for name, value in body.items() if name not in ("query", "url")}
    exchange.body = json.dumps(body).encode()


def check_broken(programs):
    """Prism refuses a broken request, so that the tests above can fail; and stint tells what it said."""
    with Vendors(programs, on_request=break_body) as vendors:
        run = vendors.stint.run(*plain_steps(continue_on_error=True))
        for step in ("openai", "responses", "anthropic", "exa", "firecrawl"):
            status = vendors.exchange(step).status
            assert 400 <= status < 500, (step, status)
            failed, settled = run.one("step.failed", step), run.one("call.settled", step)
            assert failed["code"].startswith("provider."), failed
            assert f"answered {status}" in failed["error"], failed
            assert settled["usage"] == {"tool_steps": 1}, settled
        assert run.account("tokens")[2] == 0 and run.account("cost_nusd")[2] == 0


# What each description has an answer for, by step, and the attempts that it is worth.
ERRORS = {429: {"openai": 2, "responses": 2, "anthropic": 2, "firecrawl": 2},
          402: {"anthropic": 1, "firecrawl": 1},
          500: {"firecrawl": 2}}
CODES = {429: "provider.rate_limited", 402: "provider.payment_required", 500: "provider.failed"}


def check_error(programs, status):
    """The vendor's own error answers: tried again when that may help, and never twice when not."""
    def prefer(exchange):
        exchange.headers["prefer"] = f"code={status}"

    expected = ERRORS[status]
    retry = {"attempts": 2, "base_seconds": 0}
    steps = [step for step in plain_steps(continue_on_error=True, retry=retry) if step["id"] in expected]
    with Vendors(programs, on_request=prefer) as vendors:
        run = vendors.stint.run(*steps)
        for step, attempts in expected.items():
            settled = run.of("call.settled", step)
            assert [end["status"] for end in settled] == [status] * attempts, settled
            assert run.one("step.failed", step)["code"] == CODES[status], run.failures()
        keys = [exchange.headers["idempotency-key"] for exchange in vendors.seen()]
        assert len(set(keys)) == len(keys) == sum(expected.values()), keys
        assert run.account("tokens")[2] == 0
        # A 5xx may have been billed, so what was held stays settled; a refusal has cost nothing.
        assert (run.account("cost_nusd")[2] > 0) == (status >= 500)


def check_key_missing(programs):
    """A key that is configured and not there: nothing goes out without it."""
    with Vendors(programs) as vendors:
        del vendors.stint.env["VENDOR_KEY"]
        run = vendors.stint.run(*plain_steps(continue_on_error=True))
        assert not vendors.seen(), [exchange.path for exchange in vendors.seen()]
        for step in ("openai", "responses", "anthropic", "exa", "firecrawl"):
            assert "env:VENDOR_KEY" in run.one("step.failed", step)["error"], run.failures()
        assert run.account("tokens")[2:4] == (0, 0) and run.account("tool_steps")[2:4] == (0, 0)


def main():
    with parts.running(*(("prism", vendor) for vendor in VENDORS)) as programs:
        parts.report(check_plain, programs)
        parts.report(check_rich, programs)
        parts.report(check_broken, programs)
        for status in ERRORS:
            parts.report(check_error, programs, status)
        parts.report(check_key_missing, programs)


main()
