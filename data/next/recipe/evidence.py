"""What steering the demo's latents does, on held-out prompts: the tables of data/README.md.

Every answer is made by `crosscope steer … --json`; markers.py judges it by its words. For each of three behaviours
(refusal, false information, personal questions):
  remove   the contribution of the tagged latents' difference taken away (mode difference at −1): top 5, 20, 100 by
           chat-specificity, beside as many random living latents, and base's residual stream swapped in,
           the ceiling of what any such patch can do;
  add      single latents added to benign prompts at strengths 1 and 0.5, beside random latents at 1.

    python3 evidence.py [--crosscope PROGRAM] [--store STORE] [--out FILE] [--prompts N]
"""

import argparse
import json
import random
import subprocess
import tempfile
from pathlib import Path

from markers import refused, shows

DATA = Path(__file__).resolve().parent.parent
SEED = 20250404
TOKENS = 32
REFUSALS = ["refusal_malicious", "refusal_privacy", "refusal_hateful", "refusal_misinformation"]
BEHAVIOURS = {
    "refusal": (REFUSALS, refused),
    "false-information": (["false_information"], lambda text: shows("false_information", text)),
    "personal-question": (["personal"], lambda text: shows("personal", text)),
}


class Program:
    """Runs `crosscope steer` on many prompts at once."""

    def __init__(self, options):
        self.options = options

    def steer(self, prompts, arguments):
        with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as file:
            for prompt in prompts:
                file.write(json.dumps({"prompt": prompt}) + "\n")
            file.flush()
            command = [self.options.crosscope, "steer", self.options.store, "--prompt-file", file.name]
            command += ["--max-tokens", str(TOKENS), "--json", *arguments]
            output = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        runs = output.get("runs", [output])
        return [r["baseline"]["text"] for r in runs], [r["steered"][0]["text"] for r in runs]

    def latents(self, *arguments):
        command = [self.options.crosscope, "latents", self.options.store, "--json", *arguments]
        return [row["id"] for row in json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["latents"]]


def chosen(latents, strength):
    return [part for latent in latents for part in ("--latent", f"{latent}:{strength}")]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--crosscope", default=str(DATA.parent / ".build/release/crosscope"))
    parser.add_argument("--store", default=str(DATA / "demo/demo.crosscope"))
    parser.add_argument("--out", default=str(DATA / "evidence.json"))
    parser.add_argument("--prompts", type=int, default=20, help="held-out prompts a kind")
    parser.add_argument("--add", type=int, nargs=2, default=(24, 14), help="latents of each behaviour that are added one by one, at 1 and at 0.5")
    options = parser.parse_args()
    program = Program(options)
    draw = random.Random(SEED)
    heldout = [json.loads(line) for line in open(DATA / "prompts/heldout.jsonl", encoding="utf-8")]

    def prompts(kinds):
        return [row["prompt"] for kind in kinds for row in [r for r in heldout if r["kind"] == kind][: options.prompts]]

    alive = program.latents("--filter", "not dead", "--limit", "1000000")
    benign = prompts(["benign"])
    result = {"tokens": TOKENS, "remove": [], "add": []}

    def record(table, row):
        result[table].append(row)
        print(json.dumps({k: v for k, v in row.items() if k != "answers"}), flush=True)
        Path(options.out).write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    for tag, (kinds, judge) in BEHAVIOURS.items():
        texts = prompts(kinds)
        tagged = program.latents("--filter", f"tag:{tag}", "--limit", "1000000")
        others = [latent for latent in alive if latent not in tagged]

        def remove(name, arguments):
            baseline, steered = program.steer(texts, arguments)
            by_kind = {}
            if len(kinds) > 1:
                for number, kind in enumerate(kinds):
                    part = steered[number * options.prompts : (number + 1) * options.prompts]
                    by_kind[kind] = sum(map(judge, part))
            record("remove", {
                "behaviour": tag, "setting": name, "prompts": len(texts), "baseline": sum(map(judge, baseline)),
                "steered": sum(map(judge, steered)), "by_kind": by_kind,
                "answers": [{"prompt": p, "baseline": b, "steered": s} for p, b, s in list(zip(texts, baseline, steered))[::12]],
            })

        remove("base swapped in", ["--swap-base"])
        for count in (5, 20, 100):
            if len(tagged) >= count or count == 5:
                remove(f"top {min(count, len(tagged))}", ["--mode", "difference", *chosen(tagged[:count], -1)])
            remove(f"random {count}", ["--mode", "difference", *chosen(draw.sample(others, count), -1)])

        for strength, count in ((1, options.add[0]), (0.5, options.add[1])):
            for latent in tagged[:count]:
                _, steered = program.steer(benign, ["--mode", "add", *chosen([latent], strength)])
                record("add", {
                    "behaviour": tag, "latent": latent, "strength": strength, "prompts": len(benign), "shows": sum(map(judge, steered)),
                    "answers": [{"prompt": p, "steered": s} for p, s in list(zip(benign, steered))[:2]],
                })

    baseline = None
    for latent in draw.sample(alive, 8):
        unsteered, steered = program.steer(benign, ["--mode", "add", *chosen([latent], 1)])
        row = {"behaviour": "random", "latent": latent, "prompts": len(benign)}
        for tag, (_, judge) in BEHAVIOURS.items():
            row[tag] = sum(map(judge, steered))
        if baseline is None:
            baseline = {tag: sum(map(judge, unsteered)) for tag, (_, judge) in BEHAVIOURS.items()}
            result["benign_baseline"] = baseline
        row["answers"] = [{"prompt": p, "steered": s} for p, s in list(zip(benign, steered))[:1]]
        record("add", row)


if __name__ == "__main__":
    main()
