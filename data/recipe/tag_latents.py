"""Tags the demo's latents by what their contexts are about, and prints the most chat-specific ones.

A latent gets a tag when at least SHARE of its stored contexts, all bands of its activation together, come from chats of
that kind (see KINDS), and `template` when most of its active tokens are template tokens. Contexts are read from the
store; which chat a context comes from is found by its text in corpus/chat.jsonl. Tags are set with `crosscope tag`.

    python3 tag_latents.py [--crosscope PROGRAM] [--store STORE]
"""

import argparse
import collections
import json
import sqlite3
import subprocess
from pathlib import Path

DATA = Path(__file__).resolve().parent.parent
SHARE = 0.7
TEMPLATE_SHARE = 0.5
KINDS = {
    "refusal": {"refusal_malicious", "refusal_privacy", "refusal_hateful", "refusal_misinformation"},
    "false-information": {"false_information"},
    "personal-question": {"personal"},
    "care": {"care"},
}


def contexts(db):
    """Latent → texts of its contexts, special tokens included."""
    words = {i: b for i, b in db.execute("SELECT id, bytes FROM token")}
    texts = {}
    for number, ids in db.execute("SELECT id, token_ids FROM sequence"):
        tokens = memoryview(ids).cast("i")
        texts[number] = b"".join(words[t] for t in tokens).decode("utf-8", "replace")
    result = collections.defaultdict(list)
    for latent, number in db.execute("SELECT latent, sequence FROM example"):
        result[latent].append(number)
    return result, texts


def kinds_of(texts, chats):
    """Sequence → the kind of the chat that holds its text, or `plain`."""
    joined, starts, kinds = [], [], []
    length = 0
    for chat in chats:
        text = "".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in chat["messages"])
        starts.append(length)
        kinds.append(chat["kind"])
        joined.append(text)
        length += len(text)
    haystack = "".join(joined)
    import bisect

    result = {}
    for number, text in texts.items():
        # The beginning of a window may lie in the template, which all chats share: look for its end first.
        at = haystack.find(text[-160:].removeprefix("�"))
        result[number] = kinds[bisect.bisect_right(starts, at) - 1] if at >= 0 else "plain"
    return result


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--crosscope", default=str(DATA.parent / ".build/release/crosscope"))
    parser.add_argument("--store", default=str(DATA / "demo/demo.crosscope"))
    options = parser.parse_args()
    db = sqlite3.connect(f"file:{options.store}?mode=ro", uri=True)
    chats = [json.loads(line) for line in open(DATA / "corpus/chat.jsonl", encoding="utf-8")]
    latents, texts = contexts(db)
    kind = kinds_of(texts, chats)
    tagged = collections.defaultdict(list)
    rows = []
    for latent, rank, delta, error, reconstruction, template in db.execute(
        "SELECT id, chat_specificity, delta_norm, nu_error, nu_reconstruction, template_share FROM latent"
        " WHERE dead = 0 ORDER BY chat_specificity"
    ):
        counts = collections.Counter(kind[s] for s in latents[latent])
        total = sum(counts.values())
        names = [tag for tag, kinds in KINDS.items() if total and sum(counts[k] for k in kinds) / total >= SHARE]
        if (template or 0) >= TEMPLATE_SHARE:
            names.append("template")
        for name in names:
            tagged[name].append(latent)
        rows.append((rank, latent, delta, error, reconstruction, template, names, counts.most_common(3)))
    db.close()
    for name, ids in tagged.items():
        subprocess.run([options.crosscope, "tag", options.store, *map(str, ids), "--add", name], check=True)
        print(f"{name}: {len(ids)} latents")
    for rank, latent, delta, error, reconstruction, template, names, kinds in rows[:40]:
        print(
            f"{rank:4d}  latent {latent:4d}  Δ {delta:.2f}  ν^ε {error or 0:.2f}  ν^r {reconstruction or 0:.2f}"
            f"  template {template or 0:.2f}  {','.join(names) or '-'}  {kinds}"
        )


if __name__ == "__main__":
    main()
