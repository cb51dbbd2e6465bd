#!/usr/bin/env python3
"""Measures the pass of `crosscope differences` against the same comparison in PyTorch, in bf16, in turns.

Both read the same texts of 64 tokens under both models of the demo's pair. A ratio is PyTorch's seconds over crosscope's in the
same round; the median over the rounds counts, and above 1 crosscope is the faster. crosscope's seconds are those of its whole
process less those of a run over one text, so that loading does not count on either side. Needs a release build of crosscope
and a Python with torch, transformers and peft (--python). CSV on stdout, a table on stderr.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

from engine import HERE, ROOT, environment, say, wait_for_quiet

TOKENS = 64


def texts(count):
    with open(os.path.join(ROOT, "Sources/CCorpus/texts.jsonl"), encoding="utf-8") as lines:
        return [json.loads(line)["text"] for line, _ in zip(lines, range(count))]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--crosscope", default=os.path.join(ROOT, ".build/release/crosscope"))
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--model", required=True)
    parser.add_argument("--adapter", default=os.path.join(ROOT, "data/demo/adapter"))
    parser.add_argument("--texts", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--even-if-busy", action="store_true")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        def pass_over(count):
            path = os.path.join(folder, f"{count}.jsonl")
            with open(path, "w", encoding="utf-8") as out:
                for text in texts(count):
                    out.write(json.dumps({"text": text}) + "\n")
            command = [options.crosscope, "differences", "--model", options.model, "--adapter", options.adapter, "--texts", path,
                       "--tokens", str(TOKENS), "--quick", "--topics", "0", "--threads", str(options.threads), "--json"]
            start = time.perf_counter()
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            return time.perf_counter() - start, json.loads(output)

        # The peer reads as many tokens: ids of the same number in texts of the same length.
        _, document = pass_over(options.texts)
        tokens = sum(row["tokens"] for row in document["divergences"])
        count = tokens // TOKENS
        ids = os.path.join(folder, "ids.json")
        with open(ids, "w", encoding="utf-8") as out:
            json.dump([[(7919 * i + 104729 * row + 13) % 48000 for i in range(TOKENS)] for row in range(count)], out)
        peer = subprocess.Popen(
            [options.python, os.path.join(HERE, "differences_peer.py"), options.model, options.adapter, ids,
             "--threads", str(options.threads)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for line in peer.stdout:
            if line.strip() == "ready":
                break
        print("round,crosscope_tokens_per_second,pytorch_bf16_tokens_per_second,ratio")
        ratios = []
        for number in range(options.rounds):
            wait_for_quiet(options)
            own = pass_over(options.texts)[0] - pass_over(1)[0]
            peer.stdin.write("go\n")
            peer.stdin.flush()
            theirs = float(peer.stdout.readline())
            peer.stdout.readline()
            (a, b) = (tokens / own, count * TOKENS / theirs)
            ratios.append(a / b)
            print(f"{number},{a:.0f},{b:.0f},{a / b:.2f}", flush=True)
        with open(f"/proc/{peer.pid}/status", encoding="utf-8") as file:
            theirs = next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) / 1024
        peer.stdin.close()
    own = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    say(f"median ratio {statistics.median(ratios):.2f}; peak memory {own:.0f} MB against {theirs:.0f} MB; {json.dumps(environment(options))}")


if __name__ == "__main__":
    main()
