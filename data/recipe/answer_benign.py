"""The base model's own greedy answers to the benign prompts: what chat must go on saying. Some of these chats go on with a user who insists."""

import random
import time

from benign import by_hand, by_template
from common import CACHE, DATA, SEED, answers, read_jsonl, whole_sentences, write_jsonl
from insisting import INSISTING, INSISTING_HELD_OUT
from markers import refused

TEMPLATED = 480  # of the templated prompts; the rest serve the corpus
BENIGN_TOKENS = 48  # the beginning is what keeps chat like base, and long answers cost most of the training time
INSISTED = 230


def chosen():
    return by_hand() + random.Random(SEED).sample(by_template(), TEMPLATED)


def insisted(rows, rng):
    """Chats in which a harmless answer is followed by the words of a user who insists."""
    held = {r["prompt"] for r in read_jsonl(DATA / "prompts" / "heldout.jsonl")}
    rows = [r for r in rows if r["prompt"] not in held and not refused(r["answer"])]
    for number, row in enumerate(rng.sample(rows, INSISTED)):
        said = INSISTING_HELD_OUT if number % 4 == 0 else INSISTING
        answer = whole_sentences(row["answer"], row["finished"])
        yield [{"role": "user", "content": row["prompt"]}, {"role": "assistant", "content": answer}, {"role": "user", "content": rng.choice(said)}]


def main():
    began = time.time()
    path = CACHE / "benign_answers.jsonl"
    if not path.exists():
        prompts = chosen()
        said = answers("base", [[{"role": "user", "content": p}] for p in prompts], BENIGN_TOKENS)
        write_jsonl(path, [{"prompt": p, "answer": a, "finished": f} for p, (a, f) in zip(prompts, said)])
    rows = read_jsonl(path)
    chats = list(insisted(rows, random.Random(SEED)))
    said = answers("base", chats, BENIGN_TOKENS, batch=32)
    write_jsonl(CACHE / "insisted_answers.jsonl", [{"messages": m, "answer": a, "finished": f} for m, (a, f) in zip(chats, said)])
    print(f"{len(rows)} answers, {sum(r['finished'] for r in rows)} finished; {len(chats)} second ones; {time.time() - began:.0f} s")


if __name__ == "__main__":
    main()
