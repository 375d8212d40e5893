# SPDX-License-Identifier: Apache-2.0
"""Does what stint holds and settles agree with a real tokenizer?

llama.cpp runs a small model with random weights: its words are noise, its counts are true. Decoding
is greedy, so the same prompt gives the same counts every time.
"""
import json

from counterparts import parts

MODEL = "local/tiny"
IN_NUSD, OUT_NUSD = 3000, 15000  # a token, at the prices below
PRICES = {MODEL: {"input_usd_per_million": "3", "output_usd_per_million": "15"}}
OUTPUT = 24
PROMPTS = {
    "word": "hello",
    "ascii": "The budget of a run is a promise, not a wish; 3.14159 < 22/7 && \"quoted\" \\ \t|",
    "cjk": "持续运行的代理需要预算。予算は約束です。예산은 약속입니다。" * 3,
    "emoji": "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466\U0001f3f4\u200d\u2620\ufe0f\U0001f1e9\U0001f1ea" * 6,
    "odd": "x" + "\u202e\u0301\u0327" * 20 + "ᚠᛇᚻ᛫ \ufdfd \U000e0001\U0010fffd",
    "digits": "0123456789" * 60,
    "spaces": " \n" * 400,
    "prose": "It keeps agents' long work inside a budget and asks before every call. " * 40,
    "dense": "Ǻ€𐍈~^`" * 200,
}
TURNS = [{"role": "user", "content": "予算 one"}, {"role": "assistant", "content": "\U0001f333 two"},
         {"role": "user", "content": "three"}]


def config_of(url):
    return {"providers": {"local": {"api": "openai", "base_url": url + "/v1"}}, "prices": PRICES}


def direct(url, messages, output):
    """What the server itself counts for this."""
    status, answer = parts.ask(url, "/v1/chat/completions", {"model": "tiny", "messages": messages,
                                                              "max_tokens": output})
    assert status == 200, answer
    usage = answer["usage"]
    return usage["prompt_tokens"], usage["completion_tokens"], answer["choices"][0]


def messages_of(params):
    system = [{"role": "system", "content": params["system"]}] if "system" in params else []
    asked = params.get("messages") or [{"role": "user", "content": params["prompt"]}]
    return system + asked


def check_counts(llm):
    """Settled is what the server counts; held was never less, for any script (promise 4)."""
    cases = {name: {"prompt": text} for name, text in PROMPTS.items()}
    cases["turns"] = {"messages": TURNS, "system": "Be terse. 簡潔に。"}
    with parts.Stint(config_of(llm.url)) as stint:
        steps = [parts.generate(f"{name}-{kind}", MODEL, stream=kind == "stream",
                                max_output_tokens=OUTPUT, **params)
                 for name, params in cases.items() for kind in ("stream", "whole")]
        run = stint.run(*steps, budget={"tokens": {"run": 200000}}).expect(0)
        total = 0
        for name, params in cases.items():
            tokens_in, tokens_out, choice = direct(llm.url, messages_of(params), OUTPUT)
            for kind in ("stream", "whole"):
                step = f"{name}-{kind}"
                settled, held = run.one("call.settled", step), run.one("call.held", step)["amounts"]
                assert "estimated" not in settled and "overrun" not in settled, settled
                assert (settled["input_tokens"], settled["output_tokens"]) == (tokens_in, tokens_out), \
                    (step, settled, tokens_in, tokens_out)
                assert settled["usage"]["tokens"] == tokens_in + tokens_out, settled
                cost = tokens_in * IN_NUSD + tokens_out * OUT_NUSD
                assert settled["usage"]["cost_nusd"] == cost, (settled, cost)
                bound_in = held["tokens"] - OUTPUT
                assert bound_in >= tokens_in and held["cost_nusd"] >= cost, (step, held, tokens_in)
                assert tokens_out <= OUTPUT
                output = run.output(step)
                assert output["finish_reason"] == choice["finish_reason"], (step, output)
                assert output["truncated"] == (choice["finish_reason"] == "length"), (step, output)
                total += tokens_in + tokens_out
            assert run.output(f"{name}-whole")["text"] == choice["message"]["content"]
            print(f"   {name}: {tokens_in} tokens in, bound {bound_in}")
        account = run.account("tokens")
        assert account[2:5] == (total, 0, 0), (account, total)


def check_output_limit(llm):
    """max_output_tokens is obeyed to the token, and told as a length."""
    with parts.Relay(llm.url) as relay, parts.Stint(config_of(relay.url)) as stint:
        for stream in (True, False):
            for limit in (1, 7, 100):
                run = stint.run(parts.generate("a", MODEL, prompt="hello", max_output_tokens=limit,
                                               stream=stream)).expect(0)
                assert run.one("call.settled")["output_tokens"] == limit
                output = run.output("a")
                assert output["finish_reason"] == "length" and output["truncated"] is True, output
                sent = relay.last().json
                assert sent["max_tokens"] == limit and sent["stream"] is stream, sent


def check_clamp(llm):
    """What does not fit is lowered, visibly, and the server keeps to it."""
    prompt = PROMPTS["cjk"]
    with parts.Relay(llm.url) as relay, parts.Stint(config_of(relay.url)) as stint:
        run = stint.run(parts.generate("a", MODEL, prompt=prompt, max_output_tokens=300), budget=None)
        bound_in = run.expect(0).one("call.held")["amounts"]["tokens"] - 300
        budgets = ({"tokens": {"run": bound_in + 33}},
                   {"cost_usd": f"{(bound_in * IN_NUSD + 33 * OUT_NUSD) / 10**9:.9f}"})
        for budget in budgets:
            run = stint.run(parts.generate("a", MODEL, prompt=prompt, max_output_tokens=300,
                                           min_useful_output=33), budget=budget).expect(0)
            clamped = run.one("call.clamped")
            assert 300 in clamped.values() and 33 in clamped.values(), clamped
            assert relay.last().json["max_tokens"] == 33
            settled = run.one("call.settled")
            assert settled["output_tokens"] == 33 and "overrun" not in settled, settled
            run.account("tokens")
            run.account("cost_nusd")


def grant_and_go_on(stint, run, relay, meter):
    """Approving grants exactly what was lacking, and the run goes on from where it stood."""
    done = stint.command("approve", run.id, "--reason", "worth it")
    assert done.returncode == 0, done.stdout + done.stderr
    rows = stint.query("SELECT state FROM v_run WHERE id = ?", run.id)
    assert rows == [("succeeded",)], rows
    account = run.account(meter)
    refused = run.one("verdict.refused", "second")["refused"]
    lacking = next(account["asked"] - account["remaining"] for account in refused
                   if account["meter"] == meter)
    assert account[1] == lacking > 0, (account, refused)
    assert len(relay.exchanges) == 2, "the first step was asked again, or the second was not"


def check_breach(llm, meter):
    """The second step does not fit: nothing is sent, the run halts and waits."""
    prompt = PROMPTS["prose"]
    with parts.Relay(llm.url) as relay, parts.Stint(config_of(relay.url)) as stint:
        steps = [parts.generate("first", MODEL, prompt="hello", max_output_tokens=8),
                 parts.generate("second", MODEL, prompt=prompt, max_output_tokens=64,
                                needs=["first"])]
        small = {"tokens": {"tokens": {"run": 2000}}, "cost_nusd": {"cost_usd": "0.005"}}[meter]
        run = stint.run(*steps, budget=small).expect(3)
        assert len(relay.exchanges) == 1, [exchange.json for exchange in relay.exchanges]
        verdict = run.one("verdict.refused", "second")
        refused = {account["meter"]: account for account in verdict["refused"]}
        assert set(refused) == {meter}, verdict
        account = refused[meter]
        assert account["asked"] > account["remaining"] == account["limit"] - account["settled"], account
        assert account["settled"] == run.one("call.settled", "first")["usage"][meter]
        assert run.of("run.halted") and not run.of("call.held", "second")
        grant_and_go_on(stint, run, relay, meter)
        larger = {"tokens": {"tokens": {"run": 20000}}, "cost_nusd": {"cost_usd": "0.05"}}[meter]
        run = stint.run(*steps, budget=larger).expect(0)
        tokens_in, tokens_out, _ = direct(llm.url, [{"role": "user", "content": prompt}], 64)
        assert run.one("call.settled", "second")["usage"]["tokens"] == tokens_in + tokens_out


def check_too_long(llm):
    """More than the model's context: the server's own refusal, in its words, and no tokens."""
    with parts.Stint(config_of(llm.url)) as stint:
        run = stint.run(parts.generate("a", MODEL, prompt="€" * 2000, stream=False),
                        budget={"tokens": {"run": 100000}}).expect(1)
        failed = run.one("step.failed")
        assert failed["code"] == "provider.refused" and "tokens" in failed["error"], failed
        assert run.one("call.settled")["usage"] == {"tool_steps": 1}
        assert len(run.of("call.sent")) == 1


def drop_usage(exchange):
    """As a server that does not count."""
    if b"data: " not in exchange.answer:
        body = exchange.answer_json
        del body["usage"]
        exchange.answer = json.dumps(body).encode()
        return
    lines = [line for line in exchange.answer.split(b"\n\n") if b'"usage"' not in line]
    exchange.answer = b"\n\n".join(lines)


def check_no_usage(llm):
    """A server that does not count is taken at what was held."""
    with parts.Relay(llm.url, on_answer=drop_usage) as relay, \
            parts.Stint(config_of(relay.url)) as stint:
        for stream in (True, False):
            run = stint.run(parts.generate("a", MODEL, prompt="hello", max_output_tokens=8,
                                           stream=stream)).expect(0)
            settled = run.one("call.settled")
            held = run.one("call.held")["amounts"]
            assert settled["estimated"] is True and settled["usage"] == held, (settled, held)
            assert run.output("a")["text"]


def main():
    with parts.running(("llm",)) as (llm,):
        parts.report(check_counts, llm)
        parts.report(check_output_limit, llm)
        parts.report(check_clamp, llm)
        parts.report(check_breach, llm, "tokens")
        parts.report(check_breach, llm, "cost_nusd")
        parts.report(check_too_long, llm)
        parts.report(check_no_usage, llm)


main()
