# SPDX-License-Identifier: Apache-2.0
"""How long do hold and settle take over loopback HTTP, durable, with 1 client and with many?

Usage: STINT=build/release/stint client_calls.py [FOLDER [SECONDS]]     (of the store; 5 s each)
Prints JSON: p50 and p99 in milliseconds and pairs of hold and settle per second, beside what one
fdatasync takes on the same file system. Clients are processes with a connection of their own.
"""
import http.client
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time


def sync_ms(folder):
    times = []
    with open(os.path.join(folder, "probe"), "wb") as file:
        for _ in range(100):
            file.write(b"x" * 4096)
            file.flush()
            begun = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - begun)
    return sorted(times)[50] * 1000


def client(url, token, run, until, results):
    host, port = url[len("http://"):].rsplit(":", 1)
    connection = http.client.HTTPConnection(host, int(port))
    head = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    hold = json.dumps({"kind": "bench", "amounts": {"tokens": 10}})
    end = json.dumps({"usage": {"tokens": 7}})
    times = ([], [])

    def post(path, body, into, status):
        begun = time.perf_counter()
        connection.request("POST", path, body, head)
        answer = connection.getresponse()
        told = answer.read()
        into.append(time.perf_counter() - begun)
        assert answer.status == status, (answer.status, told)
        return told
    while time.time() < until:
        call = json.loads(post(f"/v1/runs/{run}/calls", hold, times[0], 201))["call"]
        post(f"/v1/calls/{call}/settle", end, times[1], 200)
    results.put(times)


def at(times, share):
    return round(sorted(times)[min(len(times) - 1, int(len(times) * share))] * 1000, 3)


def measure(url, token, run, clients, seconds):
    results = multiprocessing.Queue()
    until = time.time() + seconds
    processes = [multiprocessing.Process(target=client, args=(url, token, run, until, results))
                 for _ in range(clients)]
    for process in processes:
        process.start()
    told = [results.get() for _ in processes]
    for process in processes:
        process.join()
    holds, ends = ([t for one in told for t in one[i]] for i in (0, 1))
    return {"clients": clients, "pairs_per_s": round(len(ends) / seconds),
            "hold_ms": {"p50": at(holds, 0.5), "p99": at(holds, 0.99)},
            "settle_ms": {"p50": at(ends, 0.5), "p99": at(ends, 0.99)}}


def main():
    stint = os.environ["STINT"]
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 5
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as folder:
        store = "sqlite:" + os.path.join(folder, "stint.db")
        token = json.loads(subprocess.check_output([stint, "init", "--store", store]))["token"]
        daemon = subprocess.Popen([stint, "serve", "--store", store, "--listen", "127.0.0.1:0"],
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            url = json.loads(daemon.stdout.readline())["url"]
            definition = {"stint": 1, "name": "bench", "kind": "research",
                          "budget": {"tokens": 10 ** 12}, "steps": [{"id": "work", "uses": "client"}]}
            connection = http.client.HTTPConnection(*url[len("http://"):].rsplit(":", 1))
            connection.request("POST", "/v1/runs", json.dumps(definition), {
                "Authorization": f"Bearer {token}", "Content-Type": "application/json"})
            run = json.loads(connection.getresponse().read())["id"]
            print(json.dumps({"fdatasync_ms": round(sync_ms(folder), 3),
                              "at": [measure(url, token, run, n, seconds) for n in (1, 32)]}, indent=1))
        finally:
            daemon.terminate()
            daemon.wait()


if __name__ == "__main__":
    main()
