#!/usr/bin/env python3
"""Many clients at once on `crosscope serve`: nothing lost, nothing but 429 refused, memory flat.

Starts the service on a loopback port, keeps CLIENTS threads asking for short answers for SECONDS (plain, steered,
streamed, steered in comparison), prints one CSV row, and fails unless every request was answered as it should be.

    python3 Benchmarks/serve_load.py [--store FILE] [--model GGUF] [--clients 50] [--seconds 60] [--queue 16]
"""
import argparse
import collections
import http.client
import json
import os
import random
import re
import secrets
import signal
import subprocess
import sys
import threading
import time

WORDS = "sun rain stone river cat code night paper seven why music bread".split()


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=".build/release/crosscope")
    parser.add_argument("--store", default="data/demo/demo.crosscope")
    parser.add_argument("--model", default=os.environ.get("CROSSCOPE_MODEL"))
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--queue", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=8)
    return parser.parse_args()


def start(options, token):
    command = [options.program, "serve", options.store, "--port", "0", "--queue", str(options.queue)]
    if options.model:
        command += ["--model", options.model]
    environment = dict(os.environ, CROSSCOPE_TOKEN=token)
    service = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    for line in service.stderr:
        found = re.search(r"listens on http://127\.0\.0\.1:(\d+)", line)
        if found:
            threading.Thread(target=lambda: [sys.stderr.write(l) for l in service.stderr], daemon=True).start()
            return service, int(found.group(1))
    raise SystemExit("the service did not start")


def resident(pid):
    with open(f"/proc/{pid}/status") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1)) / 1024


def request(rng, tokens):
    """A path, its body, and whether the answer is a stream."""
    prompt = " ".join(rng.choices(WORDS, k=rng.randint(3, 12))) + "?"
    kind = rng.randrange(4)
    body = {"max_tokens": tokens, "temperature": rng.choice([0, 1]), "seed": rng.randrange(1000)}
    if kind == 3:
        return "/v1/steer", dict(body, prompt=prompt, interventions=[{"latent": 3330, "strength": 0.5}]), False
    body["messages"] = [{"role": "user", "content": prompt}]
    if kind == 1:
        body["interventions"] = [{"latent": 3330, "strength": 0.5}]
    if kind == 2:
        body["stream"] = True
    return "/v1/chat/completions", body, kind == 2


def whole(path, streamed, text):
    """Whether an answer is complete."""
    if streamed:
        events = [line[6:] for line in text.split("\n") if line.startswith("data: ")]
        return events[-1:] == ["[DONE]"] and '"finish_reason":"' in text and '"error"' not in text
    answer = json.loads(text)
    return bool(answer["steered"][0]["ids"] if path == "/v1/steer" else answer["choices"][0]["finish_reason"])


def client(number, port, token, options, end, counts, latencies):
    rng = random.Random(number)
    while time.monotonic() < end:
        path, body, streamed = request(rng, options.tokens)
        began = time.monotonic()
        counts["asked"] += 1
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            connection.request("POST", path, json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read().decode()
            connection.close()
        except (OSError, http.client.HTTPException) as error:
            counts["lost"] += 1
            print(f"client {number}: {error!r}", file=sys.stderr)
            continue
        if answer.status == 429:
            counts["refused"] += 1
            time.sleep(rng.uniform(0.05, 0.3))
        elif answer.status == 200 and whole(path, streamed, text):
            counts["answered"] += 1
            latencies.append(time.monotonic() - began)
        else:
            counts["wrong"] += 1
            print(f"client {number}: {answer.status} {text[:200]}", file=sys.stderr)


def main():
    options = arguments()
    token = secrets.token_hex(16)
    service, port = start(options, token)
    end = time.monotonic() + options.seconds
    # Each thread has its own counters: `+=` on a shared one would lose some.
    counts = [collections.Counter() for _ in range(options.clients)]
    latencies = [[] for _ in range(options.clients)]
    threads = [
        threading.Thread(target=client, args=(n, port, token, options, end, counts[n], latencies[n]))
        for n in range(options.clients)
    ]
    try:
        for thread in threads:
            thread.start()
        time.sleep(min(10, options.seconds / 2))
        early = resident(service.pid)
        for thread in threads:
            thread.join()
        late = resident(service.pid)
        service.send_signal(signal.SIGTERM)
        began = time.monotonic()
        code = service.wait(timeout=10)
        ending = time.monotonic() - began
    finally:
        service.kill()
    total = sum(counts, collections.Counter())
    times = sorted(t for some in latencies for t in some)
    print("clients,seconds,asked,answered,refused_429,wrong,lost,median_s,p95_s,rss_10s_mb,rss_end_mb,stop_s,exit_code")
    print(
        f"{options.clients},{options.seconds:g},{total['asked']},{total['answered']},{total['refused']},{total['wrong']},"
        f"{total['lost']},{times[len(times) // 2]:.2f},{times[len(times) * 95 // 100]:.2f},{early:.0f},{late:.0f},"
        f"{ending:.2f},{code}"
    )
    if total["wrong"] or total["lost"] or code or total["asked"] != total["answered"] + total["refused"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
