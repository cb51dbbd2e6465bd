"""Held-out chats: every prompt of prompts/heldout.jsonl with chat's own answer, for `crosscope causal`.

Answers are made by crosscope itself, as those of the corpus: temperature 0.7, at most 80 tokens, cut at the last whole
sentence. No prompt of these was trained on, by the adapter or by the crosscoder.

    python3 heldout_chats.py [--crosscope PROGRAM] [--store STORE] [--out FILE]
"""

import argparse
import json
import subprocess

from pairs import DATA, PAIR

SEED = 20250404


def whole_sentences(text):
    """The text up to its last sentence's end; all of it if it has none."""
    end = max(text.rfind(mark) for mark in ".!?")
    return text[: end + 1] if end >= 0 else text


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--crosscope", default=str(DATA.parent / ".build/release/crosscope"))
    parser.add_argument("--store", default=str(DATA / PAIR.store))
    parser.add_argument("--out", default=str(DATA / PAIR.folder / "heldout-chats.jsonl"))
    options = parser.parse_args()
    prompts = DATA / "prompts/heldout.jsonl"
    # A latent at strength 0 changes nothing: the baselines of `steer` are many answers of chat from one start.
    command = [options.crosscope, "steer", options.store, "--latent", "0:0", "--mode", "difference",
               "--prompt-file", str(prompts), "--max-tokens", "80", "--temperature", "0.7", "--seed", str(SEED), "--json"]
    runs = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["runs"]
    with open(options.out, "w", encoding="utf-8") as out:
        for line, run in zip(open(prompts, encoding="utf-8"), runs, strict=True):
            row = json.loads(line)
            assert row["prompt"] == run["prompt"]
            answer = run["baseline"]["text"].strip()
            if not run["baseline"]["finished"]:
                answer = whole_sentences(answer)
            messages = [{"role": "user", "content": row["prompt"]}, {"role": "assistant", "content": answer}]
            out.write(json.dumps({"kind": row["kind"], "messages": messages}, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
