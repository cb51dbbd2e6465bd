#!/usr/bin/env python3
"""Measures the explorer from outside, through a pseudo-terminal, on a store of the published size; VisiData beside it.

    explorer.py [--store FILE]     without a store one is made first: 73,728 latents, 1.5 M examples (10 minutes, 5 GB)

A frame counts as drawn when the last byte has arrived that a key brought: until the terminal has been quiet for 40 ms, late
rows included; the preview under the table comes when the cursor rests and does not count. A filter is answered when the status
line says ready. VisiData shows the same rows as a CSV file, in the same run, with its own keys for the same move. It goes on
writing after the frame (cursor, progress in the status line: bursts of up to 80 bytes), and its sorted rows come after it has
been quiet for long; so there the last burst of 200 bytes or more counts, until nothing but such small ones has come for 1 s.
Percentiles are over the presses of a kind; a ratio is VisiData's median over crosscope's. Needs a release build of crosscope.
CSV on stdout, a table on stderr.
"""

import argparse
import csv
import fcntl
import os
import pty
import select
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time

from engine import HERE, ROOT, environment, say, wait_for_quiet

QUIET = 0.04
COLUMNS, ROWS = 120, 40
CACHE = os.environ.get("CROSSCOPE_CACHE") or os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "crosscope")


class Program:
    """A program in a terminal of its own."""

    def __init__(self, command, environment, started=b"", quiet=QUIET, least=1):
        """A frame ends when for `quiet` seconds no burst of `least` bytes or more has come."""
        self.quiet, self.least = quiet, least
        self.begun = time.perf_counter()
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.execvpe(command[0], command, environment)
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        os.kill(self.pid, signal.SIGWINCH)
        self.first_byte = None
        self.start_seconds, _, self.first_output = self.until_quiet(self.begun, quiet=0.5, patience=300, holds=started)
        if started not in self.first_output:
            sys.exit(f"{' '.join(command)} did not start: {self.first_output[-300:].decode(errors='replace')!r}")

    def until_quiet(self, since, quiet=QUIET, patience=20, holds=b""):
        """Seconds to the last byte of the frame, and the bytes."""
        drawn, output, burst, last = since, b"", 0, since
        while time.perf_counter() - since < patience:
            # A key that changes nothing draws nothing.
            wait = max(quiet, 0.5) if not output else quiet
            if output and drawn + quiet < time.perf_counter() and holds in output:
                break
            if not select.select([self.terminal], [], [], wait)[0]:
                if holds in output:
                    break
                continue
            try:
                read = os.read(self.terminal, 1 << 16)
            except OSError:
                break
            if not read:
                break
            now = time.perf_counter()
            burst, last = (burst + len(read) if now - last < 0.02 else len(read)), now
            if burst >= self.least:
                drawn = now
            self.first_byte = self.first_byte or now
            output += read
        return drawn - since, len(output), output

    def answer(self, keys, mark=b"ready"):
        """Seconds until the status line says that what the keys asked for has been drawn, or to the last byte."""
        self.drain()
        since = time.perf_counter()
        os.write(self.terminal, keys)
        last = since
        while time.perf_counter() - since < 20:
            if not select.select([self.terminal], [], [], 0.5)[0]:
                break
            output = os.read(self.terminal, 1 << 16)
            last = time.perf_counter()
            if mark in output:
                break
        self.drain()
        return last - since

    def drain(self):
        """Reads what comes by itself after a press, such as the preview of the latent that the cursor rests on."""
        while select.select([self.terminal], [], [], 0.15)[0]:
            os.read(self.terminal, 1 << 16)

    def press(self, keys):
        self.drain()
        since = time.perf_counter()
        os.write(self.terminal, keys)
        return self.until_quiet(since, quiet=self.quiet, patience=10)

    def idle_share(self, seconds=20):
        """Share of one core while nothing is pressed, after what was pressed before has been forgotten."""
        time.sleep(3)
        self.drain()
        def ticks():
            with open(f"/proc/{self.pid}/stat", encoding="utf-8") as file:
                fields = file.read().rsplit(")", 1)[1].split()
            return int(fields[11]) + int(fields[12])
        before = ticks()
        time.sleep(seconds)
        return (ticks() - before) / os.sysconf("SC_CLK_TCK") / seconds

    def megabytes(self):
        """Resident memory: all of it, and without what is mapped from files."""
        with open(f"/proc/{self.pid}/status", encoding="utf-8") as file:
            fields = dict(line.split(":", 1) for line in file if ":" in line)
        return tuple(int(fields[name].split()[0]) / 1024 for name in ("VmRSS", "RssAnon"))

    def close(self):
        os.kill(self.pid, signal.SIGTERM)
        os.waitpid(self.pid, 0)
        os.close(self.terminal)


def pasted(text):
    return b"\033[200~" + text.encode() + b"\033[201~"


class Use:
    """A press that is measured, what comes before the first one, what undoes each, and what comes after the last."""

    def __init__(self, key, undo=b"", before=b"", after=b"", share=1.0):
        self.key, self.undo, self.before, self.after, self.share = key, undo, before, after, share


PAGE_DOWN = b"\033[6~"
CROSSCOPE_USES = {
    "down a row": Use(b"j", after=b"g"), "down a page": Use(PAGE_DOWN, after=b"g"),
    "to the end": Use(b"G", undo=b"g", share=0.2), "change the sort": Use(b">", share=0.2),
    "open a latent": Use(b"\r", undo=b"q" + PAGE_DOWN, share=0.2, after=b"g"),
    "next latent": Use(b"]", before=b"\r", after=b"q"),
}
VISIDATA_USES = {
    "down a row": Use(b"j", after=b"gk"), "down a page": Use(PAGE_DOWN, after=b"gk"),
    "to the end": Use(b"gj", undo=b"gk", share=0.2), "change the sort": Use(b"[", undo=b"l", share=0.2),
    "open a latent": Use(b"\r", undo=b"q" + PAGE_DOWN, share=0.2, after=b"gk"),
}


def measure(program, uses, presses):
    """Milliseconds and bytes of every press that showed something, by use."""
    results = {}
    for name, use in uses.items():
        times, sizes = [], []
        if use.before:
            program.press(use.before)
        for _ in range(max(10, int(presses * use.share))):
            seconds, size, _ = program.press(use.key)
            if size:
                times.append(1000 * seconds)
                sizes.append(size)
            if use.undo:
                program.press(use.undo)
        if use.after:
            program.press(use.after)
        results[name] = (times, sizes)
    return results


def filters(program, texts, repeats):
    """Milliseconds from a pasted filter to its first page; every one is cleared again."""
    results = {}
    for name, text in texts.items():
        times = []
        for _ in range(repeats):
            program.press(b"/")
            times.append(1000 * program.answer(pasted(text)))
            program.press(b"\033")
            time.sleep(0.05)
        results[name] = (times, [])
    return results


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def made_store(crosscope):
    """The store of the published size, made where it is not there."""
    folder = os.path.join(CACHE, "published-size")
    store = os.path.join(folder, "published.crosscope")
    if not os.path.exists(store):
        say("making a store of the published size; this is done once and takes about 10 minutes")
        os.makedirs(folder, exist_ok=True)
        if not os.path.exists(os.path.join(folder, "feature_df.csv")):
            subprocess.run([sys.executable, os.path.join(HERE, "make_published.py"), folder, "64"], check=True)
        tokenizer = subprocess.run([os.path.join(ROOT, "scripts", "fetch-model"), "gemma3-270m"], check=True,
                                   stdout=subprocess.PIPE, text=True).stdout.strip()
        subprocess.run([crosscope, "import", store, "--crosscoder", os.path.join(folder, "crosscoder"), "--examples",
                        os.path.join(folder, "examples.db"), "--latents", os.path.join(folder, "feature_df.csv"),
                        "--tokenizer", tokenizer], check=True)
    return store


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--crosscope", default=os.path.join(ROOT, ".build", "release", "crosscope"))
    parser.add_argument("--store", help="the store to browse; made where none is named")
    parser.add_argument("--visidata", default=os.path.join(CACHE, "visidata", "bin", "vd"))
    parser.add_argument("--presses", type=int, default=200)
    parser.add_argument("--word", default="the", help="the word that the text search looks for")
    parser.add_argument("--threads", type=int, default=2, help=argparse.SUPPRESS)
    parser.add_argument("--even-if-busy", action="store_true", help="do not wait for a quiet machine")
    options = parser.parse_args()
    if not os.access(options.crosscope, os.X_OK):
        sys.exit(f"{options.crosscope} is not there; get it with: swift build -c release --product crosscope")
    store = options.store or made_store(options.crosscope)
    wait_for_quiet(options)
    with tempfile.TemporaryDirectory() as home:
        variables = dict(os.environ, TERM="xterm-256color", LANG="C.UTF-8", HOME=home, XDG_CONFIG_HOME=home,
                         XDG_STATE_HOME=home, XDG_CACHE_HOME=home)
        variables.pop("NO_COLOR", None)
        command = [options.crosscope, "explore", store, "--read-only"]
        starts, first_bytes = [], []
        for _ in range(6):
            program = Program(command, variables, started=b"ready")
            starts.append(1000 * program.start_seconds)
            first_bytes.append(1000 * (program.first_byte - program.begun))
            program.close()
        results = {"start to the table": (starts[1:], []), "start to the first byte": (first_bytes[1:], [])}
        program = Program(command, variables, started=b"ready")
        results |= measure(program, CROSSCOPE_USES, options.presses)
        results |= filters(program, {
            "filter by a metric": "nu_reconstruction<0.2", "filter by two metrics": "delta_norm>0.9 and frequency<0.01",
            "search a text": f'"{options.word}"'}, 20)
        idle, memory = program.idle_share(), program.megabytes()
        program.close()
        peer, peer_memory = {}, None
        if os.access(options.visidata, os.X_OK):
            rows = os.path.join(home, "latents.csv")
            with open(rows, "wb") as file:
                subprocess.run([options.crosscope, "latents", store, "--csv", "--limit", "1000000"], stdout=file,
                               check=True)
            begun = Program([options.visidata, rows], variables, quiet=1, least=200)
            peer["start to the table"] = ([1000 * begun.start_seconds], [])
            peer |= measure(begun, VISIDATA_USES, options.presses // 4)
            peer_memory = begun.megabytes()
            begun.close()
    report(results, peer, idle, memory, peer_memory, store, options)


def report(results, peer, idle, memory, peer_memory, store, options):
    for key, value in environment(options).items():
        print(f"# {key}: {value}")
    print(f"# store: {os.path.getsize(store) / 1e9:.2f} GB; terminal {COLUMNS}x{ROWS}, TERM=xterm-256color")
    writer = csv.writer(sys.stdout)
    writer.writerow(["use", "presses", "p50_ms", "p99_ms", "bytes_p50", "bytes_p99", "visidata_p50_ms", "ratio"])
    say(f"\n{'':26}{'p50 ms':>9}{'p99 ms':>9}{'bytes':>8}{'p99':>8}{'visidata':>10}{'ratio':>8}")
    for use, (times, sizes) in results.items():
        if not times:
            continue
        half, most = statistics.median(times), percentile(times, 0.99)
        bytes_half = round(statistics.median(sizes)) if sizes else ""
        bytes_most = percentile(sizes, 0.99) if sizes else ""
        other = statistics.median(peer[use][0]) if peer.get(use, ([], []))[0] else None
        ratio = f"{other / half:.1f}" if other else ""
        writer.writerow([use, len(times), f"{half:.2f}", f"{most:.2f}", bytes_half, bytes_most,
                         f"{other:.1f}" if other else "", ratio])
        say(f"{use:26}{half:9.2f}{most:9.2f}{bytes_half!s:>8}{bytes_most!s:>8}{f'{other:.1f}' if other else '':>10}{ratio:>8}")
    writer.writerow(["idle CPU, share of a core", "", f"{idle:.4f}", "", "", "", "", ""])
    for name, value, other in zip(("resident MB", "anonymous MB"), memory, peer_memory or (None, None)):
        writer.writerow([name, "", f"{value:.0f}", "", "", "", f"{other:.0f}" if other else "", ""])
        say(f"{name:26}{value:9.0f}{'':25}{f'{other:.0f}' if other else '':>10}")
    say(f"{'idle CPU':26}{100 * idle:8.2f}%")


if __name__ == "__main__":
    main()
