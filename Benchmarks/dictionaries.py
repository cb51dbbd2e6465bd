"""Trains several dictionaries on one harvest and says what each is worth: docs/choosing-a-dictionary.md's table.

For every variant: explained variance of both models, loss recovered in both, latents active at a token, dead latents, latents of
class chat-only, and the best that a single latent does on prompts that are not held out: the share of benign prompts refused, of
benign prompts answered as an AI, and of true statements called false, at the best strength whose perplexity stays at or below 4.
Prints CSV. A run that was ended goes on where it was.

    python3 Benchmarks/dictionaries.py [--crosscope PROGRAM] [--work FOLDER] [--steps N] [--only NAME ...]
"""

import argparse
import csv
import json
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "data"
VARIANTS = {
    "flat 256": {"latents": 256, "k": 8},
    "flat 512": {"latents": 512, "k": 12},
    "flat 512 k 6": {"latents": 512, "k": 6},
    "flat 512 k 24": {"latents": 512, "k": 24},
    "flat 1024": {"latents": 1024, "k": 20},
    "flat 4096": {"latents": 4096, "k": 32},
    "nested 128-2048": {"method": "matryoshka", "latents": 2048, "levels": [128, 512, 2048], "k": 20},
    "nested 512-4096": {"method": "matryoshka", "latents": 4096, "levels": [512, 1024, 4096], "k": 20},
    "nested 256-4096": {"method": "matryoshka", "latents": 4096, "levels": [256, 512, 1024, 2048, 4096], "k": 32},
}
# What is looked for, on which kind of prompts, among latents that fire before the answer to which kind.
BEHAVIOURS = {
    "refused": ("benign", "refusal"),
    "answers-as-an-AI": ("benign", "personal"),
    "flagged-as-false": ("true_statement", "false_information"),
}
REFUSALS = "refusal=refusal_malicious,refusal_privacy,refusal_hateful,refusal_misinformation"
STRENGTHS = [1, 1.5, 2]


def run(options, *arguments):
    done = subprocess.run([options.crosscope, *map(str, arguments)], stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"crosscope {arguments[0]} failed")
    return done.stdout


def configuration(options, folder, variant, layer):
    """A copy of the demo's configuration with another dictionary; all variants of a layer share one harvest."""
    settings = json.loads((DATA / "demo.json").read_text())
    training = settings["training"]
    for key in ("levels", "method"):
        training.pop(key, None)
    training.update(variant, steps=options.steps)
    settings.update(
        adapter=str(DATA / settings["adapter"]), layer=layer, precision="fast", work=str(folder),
        crosscoder=str(folder / "crosscoder"), store=str(folder / "store.crosscope"))
    settings["corpus"] = [{**part, "file": str(DATA / part["file"])} for part in settings["corpus"]]
    shared = options.work / f"activations-{layer}"
    shared.mkdir(parents=True, exist_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "activations").exists():
        (folder / "activations").symlink_to(shared)
    path = folder / "build.json"
    path.write_text(json.dumps(settings, indent=2))
    return path


def plan(options, folder):
    """Single latents on the prompts of the choice: only what was chosen there is read from the report."""
    rows = [json.loads(line) for line in (DATA / "prompts/choice.jsonl").read_text().splitlines()]
    added = []
    for name, (kind, trigger) in BEHAVIOURS.items():
        prompts = folder / f"{kind}.jsonl"
        chosen = [row for row in rows if row["kind"] == kind][: options.prompts]
        prompts.write_text("".join(json.dumps(row) + "\n" for row in chosen))
        added.append({"name": name, "behaviour": name, "filter": f"auc_{trigger}>=0.75", "latents": options.latents,
                      "strengths": STRENGTHS, "positions": ["last", "template"], "choose": str(prompts), "prompts": str(prompts),
                      "random": 1})
    path = folder / "plan.json"
    path.write_text(json.dumps({"behaviours": str(DATA / "behaviours.json"), "max_tokens": 24, "added": added}))
    return path


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--crosscope", default=str(ROOT / ".build/release/crosscope"))
    parser.add_argument("--work", type=Path, default=ROOT / "build/dictionaries")
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--latents", type=int, default=24, help="the latents that are tried by themselves")
    parser.add_argument("--prompts", type=int, default=16, help="the prompts of each kind that they are tried on")
    parser.add_argument("--layers", type=int, nargs="+", default=[14])
    parser.add_argument("--only", nargs="+", default=list(VARIANTS))
    options = parser.parse_args()
    options.work = options.work.resolve()
    heads = ["dictionary", "layer", "fve_base", "fve_chat", "recovered_base", "recovered_chat", "l0", "dead", "chat_only"]
    heads += [f"{name} {part}" for name in BEHAVIOURS for part in ("latent", "strength", "rate", "perplexity")] + ["seconds"]
    table = csv.DictWriter(sys.stdout, heads)
    table.writeheader()
    for layer in options.layers:
        for name in options.only:
            folder = options.work / f"{name.replace(' ', '-')}-layer-{layer}"
            began = time.time()
            path = configuration(options, folder, VARIANTS[name], layer)
            run(options, "build", path)
            store = folder / "store.crosscope"
            quality = json.loads(run(options, "evaluate", store, "--texts", DATA / "demo/heldout-chats.jsonl", "--limit", 60, "--json"))
            scores = json.loads((folder / "scores.json").read_text())
            report = folder / "evidence.json"
            if not report.exists():
                run(options, "triggers", store, "--prompts", DATA / "prompts/choice.jsonl", "--group", REFUSALS, "--save", "--json")
                run(options, "evidence", store, "--plan", plan(options, folder), "--out", report)
            row = {
                "dictionary": name, "layer": layer, "fve_base": round(scores["fve_base"], 3), "fve_chat": round(scores["fve_chat"], 3),
                "recovered_base": round(quality["base"]["loss_recovered"]["value"], 3),
                "recovered_chat": round(quality["chat"]["loss_recovered"]["value"], 3),
                "l0": round(quality["l0"], 1), "dead": quality["dead"], "chat_only": quality["classes"].get("chat-only", 0),
                "seconds": round(time.time() - began),
            }
            for section in json.loads(report.read_text())["added"]:
                best = section["chosen_among"][0]
                for key in ("latent", "strength", "rate", "perplexity"):
                    row[f"{section['behaviour']} {key}"] = round(best[key], 2)
            table.writerow(row)
            sys.stdout.flush()


if __name__ == "__main__":
    main()
