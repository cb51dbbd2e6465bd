"""Prints the tables of latents in data/README.md from the store; `crosscope evidence --markdown` prints the others.

    python3 tables.py [--crosscope PROGRAM] [--store STORE] [--latents N]
"""

import argparse
import json
import subprocess
from pathlib import Path

DATA = Path(__file__).resolve().parent.parent


def run(options, *arguments):
    return json.loads(subprocess.run([options.crosscope, *arguments, "--json"], check=True, capture_output=True).stdout)


def snippet(page):
    """The words around the strongest context's peak, the peak in bold."""
    if not page["examples"]:
        return ""
    best = max(page["examples"], key=lambda e: e["max_activation"])
    words, peak = best["tokens"], best["peak"]
    left, right = "".join(words[max(0, peak - 10) : peak]), "".join(words[peak + 1 : peak + 6])
    text = f"{left} **{words[peak].strip() or '↵'}** {right}"
    return " ".join(text.replace("|", "¦").replace("\n", " ").replace("<", "‹").split())


def table(options, rows):
    print("| latent | level | # | Δ | ν^ε | ν^r | freq. chat / plain | tags | strongest context |")
    print("|---|---|---|---|---|---|---|---|---|")
    for row in rows:
        page = run(options, "show", options.store, str(row["id"]))
        print(
            f"| {row['id']} | {row['metrics']['level']:.0f} | {row['chat_specificity']} | {row['delta_norm']:.2f} | {row['nu_error']:.2f} | {row['nu_reconstruction']:.2f}"
            f" | {row['frequency_chat']:.2%} / {row['frequency_plain']:.2%} | {', '.join(row['tags'])} | {snippet(page)} |"
        )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--crosscope", default=str(DATA.parent / ".build/release/crosscope"))
    parser.add_argument("--store", default=str(DATA / "demo/demo.crosscope"))
    parser.add_argument("--latents", type=int, default=8, help="the most chat-specific latents")
    options = parser.parse_args()
    named = json.loads((Path(__file__).parent / "explanations.json").read_text(encoding="utf-8"))
    condition = " or ".join(f"id={latent}" for latent in named)
    for what in (["--limit", str(options.latents)], ["--filter", condition, "--limit", "100"]):
        table(options, run(options, "latents", options.store, *what)["latents"])
        print()


if __name__ == "__main__":
    main()
