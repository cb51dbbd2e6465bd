"""Tags a demo's latents by what their contexts are about, and prints the most chat-specific ones.

A latent gets a tag when at least a SHARE of its stored contexts, all bands of its activation together, come from chats of
that kind (see KINDS), and `template` when most of its active tokens are template tokens. Contexts are read from the
store; which chat a context comes from is found by its text in corpus/chat.jsonl. Tags are set with `crosscope tag`.

    python3 tag_latents.py [--crosscope PROGRAM] [--store STORE]
"""

import argparse
import bisect
import collections
import concurrent.futures
import json
import sqlite3
import subprocess
from pathlib import Path

from pairs import DATA, PAIR

# Share of a latent's contexts that come from chats of the kinds, for its tag. Refusals are four kinds; of the others one
# kind has to outweigh all else.
SHARE = {"refusal": 0.7}
USUAL_SHARE = 0.5
TEMPLATE_SHARE = 0.5
KINDS = {
    "refusal": {"refusal_malicious", "refusal_privacy", "refusal_hateful", "refusal_misinformation"},
    "refusal-malicious": {"refusal_malicious"},
    "refusal-private": {"refusal_privacy"},
    "refusal-hateful": {"refusal_hateful"},
    "refusal-misinformation": {"refusal_misinformation"},
    "has-refused": {"has_refused"},
    "false-information": {"false_information"},
    "true-statement": {"true_statement"},
    "personal-question": {"personal"},
    "care": {"care"},
}


def program(options, *arguments):
    return json.loads(subprocess.run([options.crosscope, *arguments, "--json"], check=True, capture_output=True).stdout)


def contexts(options, latents):
    """Latent → the sequences of its contexts; sequence → its text, special tokens included."""
    sequences, texts = {}, {}
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        pages = pool.map(lambda latent: program(options, "show", options.store, str(latent)), latents)
    for latent, page in zip(latents, pages):
        examples = page["examples"]
        sequences[latent] = [e["sequence"] for e in examples]
        texts.update({e["sequence"]: "".join(e["tokens"]) for e in examples})
    return sequences, texts


def kinds_of(texts, chats):
    """Sequence → the kind of the chat that holds its text, or `plain`."""
    joined, starts, kinds = [], [], []
    length = 0
    for chat in chats:
        text = PAIR.before + PAIR.turns(chat["messages"])
        starts.append(length)
        kinds.append(chat["kind"])
        joined.append(text)
        length += len(text)
    haystack = "".join(joined)
    result = {}
    for number, text in texts.items():
        # All chats share their beginning; a window's end is its own.
        at = haystack.find(text[-160:].removeprefix("�"))
        result[number] = kinds[bisect.bisect_right(starts, at) - 1] if at >= 0 else "plain"
    return result


def explain(db):
    """Puts the sentences of explanations.json into the store, as written by hand."""
    for latent, text in json.loads((Path(__file__).parent / "explanations.json").read_text(encoding="utf-8")).items():
        number = db.execute("SELECT id FROM explanation WHERE latent = ? AND source = 'by hand'", (latent,)).fetchone()
        if number:
            db.execute("DELETE FROM explanation_search WHERE rowid = ?", number)
            db.execute("DELETE FROM explanation WHERE id = ?", number)
        row = db.execute("INSERT INTO explanation (latent, source, text) VALUES (?, 'by hand', ?)", (latent, text))
        db.execute("INSERT INTO explanation_search (rowid, text) VALUES (?, ?)", (row.lastrowid, text))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--crosscope", default=str(DATA.parent / ".build/release/crosscope"))
    parser.add_argument("--store", default=str(DATA / PAIR.store))
    options = parser.parse_args()
    chats = [json.loads(line) for line in open(DATA / "corpus/chat.jsonl", encoding="utf-8")]
    latents = program(options, "latents", options.store, "--filter", "not dead", "--limit", "1000000")["latents"]
    sequences, texts = contexts(options, [latent["id"] for latent in latents])
    kind = kinds_of(texts, chats)
    tagged = collections.defaultdict(list)
    rows = []
    for latent in latents:
        counts = collections.Counter(kind[s] for s in sequences[latent["id"]])
        total = sum(counts.values())
        names = [tag for tag, kinds in KINDS.items() if total and sum(counts[k] for k in kinds) / total >= SHARE.get(tag, USUAL_SHARE)]
        if (latent["template_share"] or 0) >= TEMPLATE_SHARE:
            names.append("template")
        for name in names:
            tagged[name].append(latent["id"])
        rows.append((latent, names, counts.most_common(3)))
    for name, ids in tagged.items():
        subprocess.run([options.crosscope, "tag", options.store, *map(str, ids), "--add", name], check=True)
        print(f"{name}: {len(ids)} latents")
    with sqlite3.connect(options.store) as db:
        # The second demo's latents are trained anew on each machine, so nothing can be said about their numbers.
        if PAIR.folder == "demo":
            explain(db)
        # A user's first undo must not take back what was shipped.
        db.execute("DELETE FROM journal")
    for latent, names, kinds in rows[:40]:
        print(
            f"{latent['chat_specificity']:4d}  latent {latent['id']:4d}  Δ {latent['delta_norm']:.2f}"
            f"  ν^ε {latent['nu_error'] or 0:.2f}  ν^r {latent['nu_reconstruction'] or 0:.2f}"
            f"  template {latent['template_share'] or 0:.2f}  {','.join(names) or '-'}  {kinds}"
        )


if __name__ == "__main__":
    main()
