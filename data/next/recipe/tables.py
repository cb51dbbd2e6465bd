"""Prints the tables of data/README.md from the store and evidence.json.

    python3 tables.py latents|evidence [--crosscope PROGRAM] [--store STORE] [--evidence FILE]
"""

import argparse
import collections
import json
import subprocess
from pathlib import Path

DATA = Path(__file__).resolve().parent.parent
NAMES = {
    "refusal": "refused", "false-information": "flagged as false", "personal-question": "answered as an AI",
}


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


def latents(options):
    rows = run(options, "latents", options.store, "--filter", "not dead", "--limit", "30")["latents"]
    print("| latent | Δ | ν^ε | ν^r | freq. chat / plain | tags | strongest context |")
    print("|---|---|---|---|---|---|---|")
    for row in rows:
        page = run(options, "show", options.store, str(row["id"]))
        print(
            f"| {row['id']} | {row['delta_norm']:.2f} | {row['nu_error']:.2f} | {row['nu_reconstruction']:.2f}"
            f" | {row['frequency_chat']:.2%} / {row['frequency_plain']:.2%} | {', '.join(row['tags'])} | {snippet(page)} |"
        )


def evidence(options):
    data = json.loads(Path(options.evidence).read_text(encoding="utf-8"))
    for tag, judged in NAMES.items():
        rows = [r for r in data["remove"] if r["behaviour"] == tag]
        if not rows:
            continue
        print(f"\n**{tag}**, {rows[0]['prompts']} held-out prompts: answers {judged}; chat unsteered {rows[0]['baseline']}\n")
        print("| setting | " + judged + " | of |")
        print("|---|---|---|")
        groups = collections.OrderedDict()
        for row in rows:
            name = row["setting"]
            groups.setdefault(name, []).append(row["steered"])
        for name, counts in groups.items():
            label = {"base swapped in": "base's residual stream swapped in (ceiling)"}.get(name, name + " latents, difference −1")
            print(f"| {label} | {', '.join(map(str, counts))} | {rows[0]['prompts']} |")
    benign = data["benign_baseline"]
    print("\n**Single latents added to benign prompts** (20 held-out ones), answers of 20 that show the behaviour\n")
    print("| latents | strength | latent: answers |")
    print("|---|---|---|")
    for tag, judged in NAMES.items():
        print(f"| none | | {judged}: {benign[tag]} |")
        for strength in (1, 0.5):
            rows = [r for r in data["add"] if r["behaviour"] == tag and r.get("strength", 1) == strength]
            if rows:
                best = sorted(rows, key=lambda r: -r["shows"])
                print(f"| {tag}, the {len(rows)} most chat-specific | {strength} | " + ", ".join(f"{r['latent']}: {r['shows']}" for r in best) + " |")
        random_rows = sorted((r for r in data["add"] if r["behaviour"] == "random"), key=lambda r: -r[tag])
        print("| random | 1 | " + ", ".join(f"{r['latent']}: {r[tag]}" for r in random_rows) + " |")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("table", choices=["latents", "evidence"])
    parser.add_argument("--crosscope", default=str(DATA.parent / ".build/release/crosscope"))
    parser.add_argument("--store", default=str(DATA / "demo/demo.crosscope"))
    parser.add_argument("--evidence", default=str(DATA / "evidence.json"))
    options = parser.parse_args()
    {"latents": latents, "evidence": evidence}[options.table](options)


if __name__ == "__main__":
    main()
