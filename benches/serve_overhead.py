#!/usr/bin/env python3
"""Times of the server: from a request to its first token for schemas never seen before, and what a token costs.

    cargo build --release && python3 benches/serve_overhead.py [--binary target/release/warpgrammar] [--requests 400]

Each request of the first part has a schema of examples/schemas/ with names that no earlier request had, so that nothing of
it is in a cache; the client's clock runs from before the request is written to after the first event with text is read,
on one connection that is kept open. The second part has clients of which each streams one reply after another. Processor time
a token is told of the decoding thread, which does what `warpgrammar batch` does in its loop, and of all other threads, which
is what connections and streams cost; beside them is that of `batch` for the same replies, as many at a time. Processor time is
what other processes disturb least; tokens a second are those of a machine that runs the clients, too. Needs Linux, and
nothing but Python.
"""

import argparse
import http.client
import json
import os
import pathlib
import re
import resource
import subprocess
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Schemas of examples/schemas/ that are from no vendor's guide to structured outputs.
OWN = {"contact", "meeting_notes"}
TEXT = "Name: Ada Lovelace. Date: Friday. Title: Notes on the engine. Order: 4711. City: London. High: 21. Low: 9."


def renamed(schema, mark):
    """The schema with every property's name marked, so that no cache knows it."""
    if isinstance(schema, list):
        return [renamed(item, mark) for item in schema]
    if not isinstance(schema, dict):
        return schema
    out = {}
    for key, value in schema.items():
        if key == "properties":
            out[key] = {f"{name}_{mark}": renamed(inner, mark) for name, inner in value.items()}
        elif key == "required":
            out[key] = [f"{name}_{mark}" for name in value]
        else:
            out[key] = renamed(value, mark)
    return out


def body(schema, stream=True, **more):
    schema = {"type": "json_schema", "json_schema": {"name": "s", "schema": schema, "strict": False}}
    messages = [{"role": "user", "content": TEXT}]
    return json.dumps(
        {"model": "copy", "messages": messages, "response_format": schema, "stream": stream} | more
    ).encode()


def first_token(connection, request):
    """Seconds to the first event with text; the rest is read without being timed."""
    start = time.perf_counter()
    connection.request("POST", "/v1/chat/completions", request, {"Content-Type": "application/json"})
    reply = connection.getresponse()
    assert reply.status == 200, reply.read()
    took = None
    for line in reply:
        if took is None and line.startswith(b"data: {") and json.loads(line[6:])["choices"][0]["delta"].get("content"):
            took = time.perf_counter() - start
    return took


def quantile(times, q):
    times = sorted(times)
    return times[min(len(times) - 1, int(q * len(times)))]


def metrics(port):
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    return {name: float(value) for name, value in re.findall(r"^warpgrammar_(\w+) (\S+)$", text, re.M)}


# What the second part asks for, again and again.
DIGITS = {"type": "array", "items": {"enum": [1, 2, 3]}, "minItems": 100, "maxItems": 100}


def batch_cost(binary, slots):
    """Microseconds of processor time a token of `batch`, without what it takes to begin."""

    def run(lines):
        with tempfile.TemporaryDirectory() as folder:
            requests = pathlib.Path(folder, "in.jsonl")
            request = json.loads(body(DIGITS, stream=False, max_completion_tokens=500))
            del request["stream"]
            line = {"method": "POST", "url": "/v1/chat/completions", "body": request}
            requests.write_text("".join(json.dumps(line | {"custom_id": str(k)}) + "\n" for k in range(lines)))
            command = [binary, "batch", requests, "-o", f"{folder}/out.jsonl", "--json", "--threads", "1"]
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            done = subprocess.run(command + ["--slots", str(slots)], capture_output=True, check=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            return json.loads(done.stdout)["tokens"], used

    (few, little), (many, much) = run(slots), run(20 * slots + 100)
    return 1e6 * (much - little) / (many - few)


def processor_seconds(pid):
    """User and system time of the decoding thread, and of all others."""
    times = [0.0, 0.0]
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        try:
            name, fields = task.joinpath("stat").read_text().split("(", 1)[1].rsplit(")", 1)
        except FileNotFoundError:
            continue  # it has ended meanwhile
        fields = fields.split()
        times[name != "decoding"] += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return times


def clients(pid, port, n, seconds):
    """`n` clients at a time for about so many seconds: tokens a second, and microseconds of processor time a token, of the
    decoding thread and of all others."""
    request = body(DIGITS, max_completion_tokens=500)
    until = time.perf_counter() + seconds

    def client():
        connection = http.client.HTTPConnection("127.0.0.1", port)
        while time.perf_counter() < until:
            connection.request("POST", "/v1/chat/completions", request)
            reply = connection.getresponse()
            assert reply.status == 200, reply.read()
            reply.read()

    before, start, used = metrics(port), time.perf_counter(), processor_seconds(pid)
    threads = [threading.Thread(target=client) for _ in range(n)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    took = time.perf_counter() - start
    used = [after - before for before, after in zip(used, processor_seconds(pid))]
    tokens = metrics(port)["completion_tokens_total"] - before["completion_tokens_total"]
    return tokens / took, *(1e6 * seconds / tokens for seconds in used)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", default=str(ROOT / "target/release/warpgrammar"))
    parser.add_argument("--requests", type=int, default=400)
    parser.add_argument("--seconds", type=float, default=5)
    args = parser.parse_args()
    command = [args.binary, "serve", "--listen", "127.0.0.1:0", "--backend", "cpu", "--threads", "1"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        port = int(server.stdout.readline().rsplit(":", 1)[1])
        schemas = {path.stem: json.loads(path.read_text()) for path in sorted((ROOT / "examples/schemas").glob("*.json"))}
        connection = http.client.HTTPConnection("127.0.0.1", port)
        # The connection, and what the first request of all has to set up.
        for k in range(20):
            first_token(connection, body({"enum": [f"warm {k}"]}))
        times = {name: [] for name in schemas}
        for k in range(args.requests):
            name = list(schemas)[k % len(schemas)]
            times[name].append(first_token(connection, body(renamed(schemas[name], k))))
        print("| schema, never seen | n | median ms | p99 ms | max ms |\n|---|---|---|---|---|")
        guides = [t for name, of in times.items() if name not in OWN for t in of]
        rows = list(times.items()) + [("all of vendors' guides", guides)]
        for name, of in rows:
            if of:
                shown = [1e3 * quantile(of, 0.5), 1e3 * quantile(of, 0.99), 1e3 * max(of)]
                print(f"| {name} | {len(of)} | " + " | ".join(f"{ms:.2f}" for ms in shown) + " |")
        seen = [first_token(connection, body(schemas["calendar_event"])) for _ in range(200)][1:]
        print(f"| calendar_event, seen before | {len(seen)} | {1e3 * quantile(seen, 0.5):.2f} | {1e3 * quantile(seen, 0.99):.2f} | {1e3 * max(seen):.2f} |")
        print("\n| at a time | streamed, tokens a second | decoding thread, µs a token | other threads | `batch` |")
        print("|---|---|---|---|---|")
        for n in (1, 4, 16):
            rate, decoding, others = clients(server.pid, port, n, args.seconds)
            alone = batch_cost(args.binary, n)
            print(f"| {n} | {rate:,.0f} | {decoding:.1f} | {others:.1f} | {alone:.1f} |")
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
