#!/usr/bin/env python3
"""Measures a training step of crosscope against the same step in PyTorch (dense, fp32 and bf16), in turns.

A BatchTopK crosscoder of two models: d = 576 each, 4096 latents, k = 32, 2048 tokens. A ratio is PyTorch's seconds over
crosscope's in the same round; the median over the rounds counts, and above 1 crosscope is the faster. Needs a release
build of crosscope and a Python with torch (--python). CSV on stdout, a table on stderr.
"""

import argparse
import csv
import os
import statistics
import subprocess
import sys

from engine import HERE, ROOT, environment, say, wait_for_quiet


class Crosscope:
    """`crosscope bench --training`, one process a round."""

    def __init__(self, options):
        self.command = [options.crosscope, "bench", "--training", "--repeats", str(options.steps),
                        "--threads", str(options.threads)]
        self.megabytes = 0

    def round(self):
        output = subprocess.run(self.command, capture_output=True, text=True, check=True).stdout
        row = next(csv.DictReader(output.splitlines()))
        self.megabytes = int(row["peak_megabytes"])
        return float(row["seconds"])


class PyTorch:
    """training_peer.py, one process for all rounds."""

    def __init__(self, options, dtype):
        self.process = subprocess.Popen(
            [options.python, os.path.join(HERE, "training_peer.py"), "--dtype", dtype,
             "--threads", str(options.threads), "--steps", str(options.steps)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.until("ready")

    def until(self, word):
        lines = []
        for line in self.process.stdout:
            if line.strip() == word:
                return lines
            lines.append(line)
        raise RuntimeError("training_peer.py ended early; run it by hand to see why")

    def round(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return float(self.until("done")[0])

    def close(self):
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as file:
            peak = next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))
        self.process.stdin.close()
        self.process.wait()
        return peak // 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--crosscope", default=os.path.join(ROOT, ".build", "release", "crosscope"))
    peers = os.environ.get("CROSSCOPE_PEERS") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "crosscope", "peers")
    parser.add_argument("--python", default=os.path.join(
        os.environ.get("CROSSCOPE_VENV") or os.path.join(peers, "venv"), "bin", "python"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5, help="rounds that count (one more comes before them)")
    parser.add_argument("--steps", type=int, default=5, help="steps a round, of which the median counts")
    parser.add_argument("--even-if-busy", action="store_true", help="do not wait for a quiet machine")
    options = parser.parse_args()
    for program, remedy in [(options.crosscope, "swift build -c release --product crosscope"),
                            (options.python, "scripts/bench-peers, or --python with another that has torch")]:
        if not os.access(program, os.X_OK):
            sys.exit(f"{program} is not there; get it with: {remedy}")
    for key, value in environment(options).items():
        say(f"{key}: {value}")
    columns = ["measure", "crosscope_seconds", "crosscope_megabytes", "peer", "peer_seconds", "peer_megabytes", "ratio",
               "lowest", "highest"]
    out = csv.DictWriter(sys.stdout, columns)
    out.writeheader()
    for dtype in ["float32", "bfloat16"]:
        mine, peer = Crosscope(options), PyTorch(options, dtype)
        rounds = []
        for index in range(options.repeats + 1):
            wait_for_quiet(options)
            pair = (mine.round(), peer.round())
            if index > 0:
                rounds.append(pair)
        ratios = sorted(theirs / ours for ours, theirs in rounds)
        row = {
            "measure": "training step", "crosscope_seconds": f"{statistics.median(r[0] for r in rounds):.4f}",
            "crosscope_megabytes": mine.megabytes, "peer": f"PyTorch {dtype}",
            "peer_seconds": f"{statistics.median(r[1] for r in rounds):.4f}", "peer_megabytes": peer.close(),
            "ratio": f"{statistics.median(ratios):.2f}", "lowest": f"{ratios[0]:.2f}", "highest": f"{ratios[-1]:.2f}",
        }
        out.writerow(row)
        sys.stdout.flush()
        say("  ".join(str(row[column]) for column in columns))


if __name__ == "__main__":
    main()
