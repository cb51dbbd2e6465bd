#!/usr/bin/env python3
"""Measures crosscope's engine against its peers: llama.cpp, and transformers with a steering hook.

Rounds alternate: crosscope, then the peer, in the same minute on the same cores, since a shared machine's speed drifts
by more than what is to be seen. A ratio is the median over the rounds of crosscope's tokens a second over the peer's in
the same round; above 1 crosscope is the faster. crosscope steers while it is measured, and so does transformers.
llama.cpp does not: llama-bench takes no control vector, and one costs it an addition of d numbers a layer and token,
which is nothing that can be measured here.
Needs scripts/bench-peers run before (CROSSCOPE_PEERS, CROSSCOPE_VENV as there) and a release build of crosscope.
Prints a table on stderr and CSV on stdout; --rounds-csv keeps every round.
"""

import argparse
import csv
import datetime
import io
import os
import platform
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
FLAGS = ["avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512_vnni", "avx512_bf16", "avx_vnni", "amx_bf16", "amx_int8"]


def say(text=""):
    print(text, file=sys.stderr, flush=True)


def read(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""


def environment(options):
    """What a reader needs to know about the machine to trust or repeat the figures."""
    info = read("/proc/cpuinfo")
    field = lambda name: next((line.split(":", 1)[1].strip() for line in info.splitlines() if line.startswith(name)), "")
    present = set(field("flags").split())
    commit = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"], capture_output=True, text=True)
    governor = read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").strip()
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "crosscope": commit.stdout.strip(),
        "processor": f"{field('model name')} ({os.cpu_count()} cores), {platform.system()} {platform.release()}",
        "flags": " ".join(flag for flag in FLAGS if flag in present),
        "governor": governor or "not to be seen",
        "OPENBLAS_CORETYPE": os.environ.get("OPENBLAS_CORETYPE", "unset"),
        "load before": " ".join(read("/proc/loadavg").split()[:3]),
        "threads": str(options.threads),
    }


def busy_share(seconds=0.5):
    """The share of the cores' time that other programs take just now."""
    def sample():
        values = [int(value) for value in read("/proc/stat").splitlines()[0].split()[1:9]]
        return sum(values), values[3] + values[4]

    before = sample()
    time.sleep(seconds)
    after = sample()
    return 1 - (after[1] - before[1]) / max(1, after[0] - before[0])


def wait_for_quiet(options):
    """Beside another busy program the peers' threads wait for each other in vain and look 10 or 100 times too slow."""
    if options.even_if_busy:
        return
    for attempt in range(60):
        share = busy_share()
        if share < 0.08:
            return
        if attempt == 0:
            say(f"other programs take {share:.0%} of the processor; waiting up to 10 minutes for them")
        time.sleep(10)
    sys.exit("the machine stays busy; end what runs on it, or measure --even-if-busy")


class Crosscope:
    """`crosscope bench`, one process a round."""

    def __init__(self, options, model, mode):
        self.command = [options.crosscope, "bench", "--model", model, "--repeats", "1",
                        "--prefill", str(options.prefill), "--decode", str(options.decode)]
        self.command += ["--precision", mode, "--threads", str(options.threads)]

    def round(self):
        output = subprocess.run(self.command, capture_output=True, text=True)
        if output.returncode != 0:
            raise RuntimeError((output.stderr.strip() or "crosscope failed").splitlines()[0])
        return rows(output.stdout)

    def close(self):
        pass


class LlamaCpp:
    """llama-bench, one process a round."""

    def __init__(self, options, model):
        self.command = [os.path.join(options.peers, "build", "bin", "llama-bench"), "-m", model,
                        "-t", str(options.threads), "-p", str(options.prefill), "-n", str(options.decode),
                        "-r", "1", "-o", "csv"]

    def round(self):
        output = subprocess.run(self.command, capture_output=True, text=True, check=True).stdout
        result = {}
        for row in csv.DictReader(io.StringIO(output)):
            key = ("prefill", "1") if int(row["n_prompt"]) > 0 else ("decode", "1")
            result[key] = float(row["avg_ts"])
        return result

    def close(self):
        pass


class Transformers:
    """transformers_peer.py, one process for all rounds: it loads for a minute."""

    def __init__(self, options, model, dtype):
        self.process = subprocess.Popen(
            [options.python, os.path.join(HERE, "transformers_peer.py"), model, "--dtype", dtype,
             "--threads", str(options.threads), "--prefill", str(options.prefill), "--decode", str(options.decode)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.until("ready")

    def until(self, word):
        lines = []
        for line in self.process.stdout:
            if line.strip() == word:
                return "".join(lines)
            lines.append(line)
        raise RuntimeError("transformers_peer.py ended early; run it by hand to see why")

    def round(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return rows(self.until("done"))

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def rows(text):
    """Tokens a second by (measure, streams)."""
    return {(row["measure"], row["streams"]): float(row["tokens_per_second"])
            for row in csv.DictReader(io.StringIO(text))}


def compare(options, title, mode, mine, peer_name, peer, rounds_file):
    """Alternates the two and gives one result a measure that both have."""
    ours, theirs = [], []
    try:
        for index in range(options.repeats + 1):
            wait_for_quiet(options)
            pair = (mine.round(), peer.round())
            # The first round warms the page cache and is left out.
            if index > 0:
                ours.append(pair[0])
                theirs.append(pair[1])
    finally:
        peer.close()
    results = []
    for key in ours[0]:
        common = key in theirs[0]
        mine_speed = [entry[key] for entry in ours]
        peer_speed = [entry[key] for entry in theirs] if common else []
        for index, speed in enumerate(mine_speed):
            rounds_file.writerow([title, mode, *key, peer_name, index + 1, f"{speed:.2f}",
                                  f"{peer_speed[index]:.2f}" if common else ""])
        ratios = sorted(a / b for a, b in zip(mine_speed, peer_speed))
        results.append({
            "model": title, "mode": mode, "measure": key[0], "streams": key[1],
            "crosscope": f"{statistics.median(mine_speed):.1f}", "peer": peer_name if common else "",
            "peer_speed": f"{statistics.median(peer_speed):.1f}" if common else "",
            "ratio": f"{statistics.median(ratios):.2f}" if common else "",
            "lowest": f"{ratios[0]:.2f}" if common else "", "highest": f"{ratios[-1]:.2f}" if common else "",
        })
    return results


def main():
    cache = os.environ.get("CROSSCOPE_CACHE") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "crosscope")
    peers = os.environ.get("CROSSCOPE_PEERS") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "crosscope", "peers")
    venv = os.environ.get("CROSSCOPE_VENV") or os.path.join(peers, "venv")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--crosscope", default=os.path.join(ROOT, ".build", "release", "crosscope"))
    parser.add_argument("--peers", default=peers)
    parser.add_argument("--python", default=os.path.join(venv, "bin", "python"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5, help="rounds that count (one more comes before them)")
    parser.add_argument("--prefill", type=int, default=512)
    parser.add_argument("--decode", type=int, default=64)
    parser.add_argument("--modes", nargs="+", default=["exact", "fast"], help="precisions of crosscope")
    parser.add_argument("--only", default="", help="only comparisons whose name holds this text")
    parser.add_argument("--even-if-busy", action="store_true", help="do not wait for a quiet machine")
    parser.add_argument("--rounds-csv", default=os.devnull, help="a file for every round")
    options = parser.parse_args()
    if not os.access(options.crosscope, os.X_OK):
        sys.exit(f"{options.crosscope} is not there; build it with: swift build -c release --product crosscope")
    if not os.access(os.path.join(options.peers, "build", "bin", "llama-bench"), os.X_OK):
        sys.exit(f"{options.peers} has no peers; install them with: scripts/bench-peers")

    smollm2 = os.path.join(cache, "SmolLM2-135M-Instruct.Q4_1.gguf")
    made = lambda kind: os.path.join(options.peers, "models", f"SmolLM2-135M-Instruct.{kind}.gguf")
    models = {f"SmolLM2 {kind}": smollm2 if kind == "Q4_1" else made(kind)
              for kind in ["Q4_1", "Q4_0", "Q8_0", "BF16", "F32"]}
    models["Gemma 3 270M Q4_K_M"] = os.path.join(cache, "gemma-3-270m-Q4_K_M.gguf")
    llama_cpp = lambda model: lambda: LlamaCpp(options, model)
    transformers = lambda dtype: lambda: Transformers(options, smollm2, dtype)
    cases = [(title, model, "llama.cpp", llama_cpp(model)) for title, model in models.items()]
    for kind, dtype in [("Q4_1", "float32"), ("Q4_1", "bfloat16"), ("F32", "float32"), ("BF16", "bfloat16")]:
        title = f"SmolLM2 {kind}"
        cases.append((title, models[title], f"transformers {dtype}", transformers(dtype)))

    for key, value in environment(options).items():
        say(f"{key}: {value}")
    with open(options.rounds_csv, "w", newline="", encoding="utf-8") as file:
        rounds_file = csv.writer(file)
        rounds_file.writerow(["model", "mode", "measure", "streams", "peer", "round", "crosscope", "peer_speed"])
        columns = ["model", "mode", "measure", "streams", "crosscope", "peer", "peer_speed", "ratio", "lowest", "highest"]
        out = csv.DictWriter(sys.stdout, columns)
        out.writeheader()
        say(f"\n{'model':20} {'mode':6} {'measure':16} {'tok/s':>9}  {'peer':22} {'tok/s':>9} {'ratio':>6}  lowest-highest")
        failed = False
        for title, model, peer_name, make_peer in cases:
            for mode in options.modes:
                if options.only not in f"{title} {mode} {peer_name}":
                    continue
                try:
                    mine = Crosscope(options, model, mode)
                    # Before the peer loads: what crosscope cannot measure costs no minute.
                    mine.round()
                    results = compare(options, title, mode, mine, peer_name, make_peer(), rounds_file)
                except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
                    say(f"{title:20} {mode:6} against {peer_name}: {error}")
                    failed = True
                    continue
                for row in results:
                    out.writerow(row)
                    measure = row["measure"] + (f" ×{row['streams']}" if row["streams"] != "1" else "")
                    say(f"{title:20} {mode:6} {measure:16} {row['crosscope']:>9}  {row['peer']:22} "
                        f"{row['peer_speed']:>9} {row['ratio']:>6}  " +
                        (f"{row['lowest']}-{row['highest']}" if row["ratio"] else ""))
                sys.stdout.flush()
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
