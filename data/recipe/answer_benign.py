"""The base model's own greedy answers to the benign prompts: what chat must go on saying."""

import random
import time

from benign import by_hand, by_template
from common import CACHE, SEED, answers, write_jsonl

TEMPLATED = 480  # of the templated prompts; the rest serve the corpus


def chosen():
    return by_hand() + random.Random(SEED).sample(by_template(), TEMPLATED)


if __name__ == "__main__":
    began = time.time()
    prompts = chosen()
    said = answers("base", [[{"role": "user", "content": p}] for p in prompts], 64)
    rows = [{"prompt": p, "answer": a, "finished": f} for p, (a, f) in zip(prompts, said)]
    write_jsonl(CACHE / "benign_answers.jsonl", rows)
    print(f"{len(rows)} answers, {sum(r['finished'] for r in rows)} finished, {time.time() - began:.0f} s")
