# SPDX-License-Identifier: Apache-2.0
"""Does the tool server fail exactly as it is told, and does its log tell the truth?"""
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading

FAULTS = (ConnectionError, http.client.HTTPException)


class Tool:
    """A tool server of its own, and the few requests a test makes of it."""

    def __init__(self, binary, folder, rules=()):
        self.log = os.path.join(folder, "log")
        script = os.path.join(folder, "script.json")
        with open(script, "w", encoding="utf-8") as file:
            json.dump({"rules": list(rules)}, file)
        self.process = subprocess.Popen([binary, "--log", self.log, "--script", script],
                                        stdout=subprocess.PIPE)
        ready = json.loads(self.process.stdout.readline())
        assert ready["event"] == "ready", ready
        self.port = ready["port"]

    def ask(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            text = None if body is None else json.dumps(body)
            names = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, text, names)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def json(self, method, path, body=None, **headers):
        status, text = self.ask(method, path, body, **headers)
        return status, json.loads(text)

    def broken(self, method, path, **headers):
        try:
            answer = self.ask(method, path, **headers)
        except FAULTS:
            return
        raise AssertionError(f"{path} answered: {answer}")

    def stats(self):
        return self.json("GET", "/__stats")[1]

    def lines(self, event):
        with open(self.log, encoding="utf-8") as file:
            return [line for line in map(json.loads, file) if line["event"] == event]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(20) == 0
        self.process.stdout.close()


def check_effects(tool):
    assert tool.json("POST", "/effect", {"a": 1}, Idempotency_Key="k1")[1]["replayed"] is False
    assert tool.json("POST", "/effect", {"a": 1}, Idempotency_Key="k1")[1]["replayed"] is True
    assert tool.ask("POST", "/effect", {"a": 2}, Idempotency_Key="k1")[0] == 422
    tool.ask("POST", "/effect-plain", Idempotency_Key="k1", x_stint_run="r_1")
    tool.ask("POST", "/effect-plain")
    stats = tool.stats()
    assert stats["effects"]["k1"]["count"] == 1 and stats["effects"]["k1"]["replays"] == 1, stats
    assert (stats["effects_keyed"], stats["effects_plain"]) == (1, 2), stats
    assert tool.lines("request")[3]["stint"] == {"x-stint-run": "r_1"}
    assert tool.lines("request")[0]["body"] == {"a": 1}
    assert [line["seq"] for line in tool.lines("request")] == [1, 2, 3, 4, 5]


def check_faults(tool):
    before = tool.stats()
    tool.broken("POST", "/drop-before", Idempotency_Key="b")
    tool.broken("POST", "/drop-after", Idempotency_Key="a")
    tool.broken("POST", "/effect?fault=drop=after;p=1", Idempotency_Key="c")
    tool.broken("POST", "/half", Idempotency_Key="h")
    tool.broken("GET", "/garbage", Idempotency_Key="g")
    assert tool.ask("POST", "/effect?fault=status%3D500;effect%3Dtrue", Idempotency_Key="s")[0] == 500
    assert tool.ask("POST", "/effect", Idempotency_Key="n", x_fault="status=503;retry-after=7")[0] == 503
    assert tool.ask("POST", "/effect", Idempotency_Key="z", x_fault="status=500;p=0")[0] == 200
    effects = tool.stats()["effects"]
    assert sorted(set(effects) - set(before["effects"])) == ["a", "c", "g", "h", "s", "z"], effects
    assert tool.ask("GET", "/status/418")[0] == 418
    assert tool.ask("GET", "/redirect?to=http://127.0.0.1:1/x&status=307")[0] == 307
    assert len(tool.ask("GET", "/big?bytes=5000000")[1]) == 5000000
    assert tool.ask("GET", "/slow?ms=30")[0] == 200


def wait_in_flight(tool, wanted):
    for _ in range(2000):
        if tool.stats()["in_flight"] == wanted:
            return
    raise AssertionError(f"in flight: {tool.stats()['in_flight']}, wanted {wanted}")


def check_hang(tool):
    with socket.create_connection(("127.0.0.1", tool.port), 20) as client:
        client.sendall(f"GET /hang HTTP/1.1\r\nHost: 127.0.0.1:{tool.port}\r\n\r\n".encode())
        wait_in_flight(tool, 1)
    wait_in_flight(tool, 0)
    assert tool.lines("gone")
    tool.ask("DELETE", "/__rules")


def held(tool, point, path="/effect", key=None):
    """Asks in a thread; returns when the gate is reached, with the thread and what it got."""
    got = []

    def run():
        try:
            got.append(tool.ask("POST", path, Idempotency_Key=key or point))
        except FAULTS as fault:
            got.append(fault)
    thread = threading.Thread(target=run)
    thread.start()
    reached = tool.json("GET", f"/__gate/{point}/wait")[1]["reached"]
    assert reached >= 1
    assert not got
    return thread, got


def check_gates(tool):
    rules = [{"path": "/effect", "nth": [2], "gate": "arrive"},
             {"path": "/effect", "nth": [3], "gate": "applied"},
             {"path": "/effect", "nth": [4], "gate": "k@half"}]
    tool.ask("POST", "/__rules", rules)
    tool.ask("POST", "/effect", Idempotency_Key="free")
    for point, done in (("arrive", False), ("applied", True)):
        thread, got = held(tool, point)
        assert (point in tool.stats()["effects"]) == done
        assert tool.json("POST", f"/__gate/{point}/open")[1]["released"] == 1
        thread.join()
        assert got[0][0] == 200 and point in tool.stats()["effects"], got
    thread, got = held(tool, "k")
    assert tool.json("POST", "/__gate/k/open")[1]["released"] == 1
    thread.join()
    assert json.loads(got[0][1])["replayed"] is False, got
    assert [rule["hit"] for rule in tool.stats()["rules"]] == [1, 1, 1]
    tool.ask("DELETE", "/__rules")


def check_client_gone_at_gate(tool):
    """What a kill -9 at a point leaves: the effect still happens when the gate opens."""
    tool.ask("POST", "/__rules", [{"path": "/effect", "gate": "dead@arrive"}])
    with socket.create_connection(("127.0.0.1", tool.port), 20) as client:
        client.sendall(f"POST /effect HTTP/1.1\r\nHost: 127.0.0.1:{tool.port}\r\n"
                       "Idempotency-Key: orphan\r\nContent-Length: 0\r\n\r\n".encode())
        tool.ask("GET", "/__gate/dead/wait")
    assert "orphan" not in tool.stats()["effects"]
    tool.ask("POST", "/__gate/dead/open")
    assert tool.stats()["effects"]["orphan"]["count"] == 1
    tool.ask("DELETE", "/__rules")


def check_providers(tool):
    usage = {"x_usage_input": "120", "x_usage_output": "7", "x_usage_cache_read": "20"}
    ask = {"model": "m", "max_tokens": 50, "messages": []}
    answer = tool.json("POST", "/v1/messages", ask, **usage)[1]
    assert answer["usage"] == {"input_tokens": 100, "cache_creation_input_tokens": 0,
                               "cache_read_input_tokens": 20, "output_tokens": 7}, answer
    assert tool.json("POST", "/v1/messages/count_tokens", ask, **usage)[1] == {"input_tokens": 120}
    answer = tool.json("POST", "/v1/chat/completions", ask, **usage)[1]
    assert answer["usage"]["total_tokens"] == 127, answer
    answer = tool.json("POST", "/v1/responses", {"model": "m", "input": "x"}, **usage)[1]
    assert answer["usage"]["input_tokens"] == 120 and answer["output"][0]["content"], answer
    answer = tool.json("POST", "/v1beta/models/g:generateContent", {}, **usage)[1]
    assert answer["usageMetadata"]["promptTokenCount"] == 120, answer
    answer = tool.json("POST", "/v1beta/models/g:streamGenerateContent", {}, **usage)[1]
    assert answer[0]["usageMetadata"]["totalTokenCount"] == 127, answer
    assert len(tool.json("POST", "/search", {"query": "q", "numResults": 3})[1]["results"]) == 3
    answer = tool.json("POST", "/v2/scrape", {"url": "https://example.org/\""})[1]
    assert answer["data"]["metadata"]["sourceURL"] == "https://example.org/\"", answer
    answer = tool.json("POST", "/v1/messages", ask, x_usage_json='{"input_tokens":-1}')[1]
    assert answer["usage"] == {"input_tokens": -1}, answer
    assert "usage" not in tool.json("POST", "/v1/messages", ask, x_usage_json="null")[1]
    tool.ask("POST", "/__rules", [{"path": "/v1/messages", "status": 529, "answer": {"type": "error"}}])
    assert tool.json("POST", "/v1/messages", ask) == (529, {"type": "error"})
    tool.ask("DELETE", "/__rules")


def events(text):
    found = []
    for block in text.decode().split("\n\n")[:-1]:
        data = [line[6:] for line in block.split("\n") if line.startswith("data: ")][0]
        found.append(data if data == "[DONE]" else json.loads(data))
    return found


def check_streams(tool):
    usage = {"x_usage_input": "9", "x_usage_output": "3"}
    ask = {"model": "m", "max_tokens": 5, "stream": True, "stream_options": {"include_usage": True}}
    got = events(tool.ask("POST", "/v1/messages", ask, **usage)[1])
    assert got[0]["message"]["usage"]["input_tokens"] == 9 and got[-1]["type"] == "message_stop", got
    assert got[-2]["usage"] == {"output_tokens": 3}, got
    got = events(tool.ask("POST", "/v1/chat/completions", ask, **usage)[1])
    assert got[-1] == "[DONE]" and got[-2]["usage"]["prompt_tokens"] == 9, got
    got = events(tool.ask("POST", "/v1/responses", ask, **usage)[1])
    assert got[-1]["response"]["usage"]["output_tokens"] == 3, got
    got = events(tool.ask("POST", "/v1beta/models/g:streamGenerateContent?alt=sse", {}, **usage)[1])
    assert got[0]["usageMetadata"]["promptTokenCount"] == 9, got
    tool.broken("POST", "/v1/messages?fault=half", x_usage_input="9")


def main():
    binary = os.environ.get("TOOLSERVER")
    if binary is None:
        print("skipped: TOOLSERVER names no tool server")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as folder:
        tool = Tool(binary, folder, [{"path": "/never", "nth": [1]}])
        try:
            for check in (check_effects, check_faults, check_hang, check_gates,
                          check_client_gone_at_gate, check_providers, check_streams):
                check(tool)
                print(f"ok {check.__name__}")
        finally:
            tool.stop()


main()
