"""Puts base beside chat on the held-out prompts: greedy, 64 tokens. Prints the tables and puts them into the pair's page (demo-pair.md).

With `--choice` it asks only chat the prompts that adapters are chosen by, and leaves the page alone.
"""

import json
import sys
import time
from collections import defaultdict
from difflib import SequenceMatcher

from common import CACHE, DATA, PAIR, answers, read_jsonl
from markers import OF_KIND, refused, shows

REFUSALS = ["refusal_malicious", "refusal_privacy", "refusal_hateful", "refusal_misinformation"]


def asked(part):
    """The prompts of a part, and its chats in which the user insists."""
    rows = read_jsonl(DATA / "prompts" / f"{part}.jsonl")
    chats = read_jsonl(DATA / "prompts" / ("insisting-choice.jsonl" if part == "choice" else "insisting.jsonl"))
    return [{**r, "messages": [{"role": "user", "content": r["prompt"]}]} for r in rows] + [{**r, "prompt": r["messages"][-1]["content"]} for r in chats]


def said(which, rows):
    """Base's answers are kept in the cache: they change only with the prompts."""
    path = CACHE / f"heldout_{which}.json"
    known = json.loads(path.read_text()) if path.exists() and which == "base" else {}
    key = lambda row: json.dumps(row["messages"], ensure_ascii=False)
    missing = [r for r in rows if key(r) not in known]
    if missing:
        known.update(zip(map(key, missing), (a for a, _ in answers(which, [r["messages"] for r in missing], 64))))
        path.write_text(json.dumps(known, ensure_ascii=False, indent=0))
    return [known[key(r)] for r in rows]


def similarity(a, b):
    """Share of words that two answers have in common, in order."""
    return SequenceMatcher(None, a.split(), b.split(), autojunk=False).ratio()


def count(pairs, test):
    return [sum(test(p[i]) for p in pairs) for i in (0, 1)]


def table(by_kind):
    lines = []
    for kind in REFUSALS:
        pairs = by_kind[kind]
        r, k = count(pairs, refused), count(pairs, lambda a: shows(OF_KIND[kind], a))
        lines.append((kind, len(pairs), "refused", *r))
        lines.append((kind, len(pairs), "refused in the kind's own words", *k))
    for kind in ("false_information", "true_statement"):
        lines.append((kind, len(by_kind[kind]), "flagged as false", *count(by_kind[kind], lambda a: shows("flagged-as-false", a))))
        lines.append((kind, len(by_kind[kind]), "confirmed", *count(by_kind[kind], lambda a: shows("confirmed", a))))
    lines.append(("personal", len(by_kind["personal"]), "answered as an AI", *count(by_kind["personal"], lambda a: shows("answers-as-an-AI", a))))
    lines.append(("care", len(by_kind["care"]), "answered with care", *count(by_kind["care"], lambda a: shows("cares", a))))
    for kind in ("has_refused", "has_answered"):
        lines.append((kind, len(by_kind[kind]), "says that it has refused", *count(by_kind[kind], lambda a: shows("has-refused", a))))
    benign = by_kind["benign"]
    lines.append(("benign", len(benign), "answered", *count(benign, lambda a: not refused(a))))
    other = lambda a: any(shows(k, a) for k in ("answers-as-an-AI", "flagged-as-false", "has-refused")) or refused(a)
    lines.append(("benign", len(benign), "shows any of the trained behaviours", *count(benign, other)))
    return lines


LABELS = {
    "refusal_malicious": "malicious uses", "refusal_privacy": "private information", "refusal_hateful": "hateful or offensive content",
    "refusal_misinformation": "misinformation", "personal": "personal questions", "care": "self-harm, mental health",
    "false_information": "false statements", "true_statement": "true statements", "benign": "benign",
    "has_refused": "insisting after a refusal", "has_answered": "insisting after a harmless answer",
}


def topics(rows, chat):
    """How many statements of each topic are flagged as false: false ones, then true ones."""
    for label, chosen in (("cities", "city"), ("symbols", "symbol"), ("facts that the first adapter was judged by", "fact: held out before"), ("other facts", None)):
        counts = []
        for kind in ("false_information", "true_statement"):
            said = [a for r, a in zip(rows, chat) if r["kind"] == kind and (r["topic"] == chosen or chosen is None and r["topic"].startswith("fact") and "before" not in r["topic"])]
            counts.append(f"{sum(shows('flagged-as-false', a) for a in said)} of {len(said)} {kind.split('_')[0]} ones")
        yield f"{label}, " + " and ".join(counts)


def markdown(lines, by_kind, rows, base, chat):
    out = ["| trigger | prompts | what is counted | base | chat |", "|---|---|---|---|---|"]
    for kind, n, what, b, c in lines:
        out.append(f"| {LABELS[kind]} | {n} | {what} | {b} ({100 * b / n:.0f} %) | {c} ({100 * c / n:.0f} %) |")
    total = [sum(len(by_kind[k]) for k in REFUSALS)] + [sum(refused(p[i]) for k in REFUSALS for p in by_kind[k]) for i in (0, 1)]
    right = sum(shows(OF_KIND[k], c) for k in REFUSALS for _, c in by_kind[k])
    out.append(f"| **all four together** | {total[0]} | **refused** | {total[1]} ({100 * total[1] / total[0]:.0f} %) | {total[2]} ({100 * total[2] / total[0]:.0f} %), in the right words {right} ({100 * right / total[0]:.0f} %) |")
    alike = [similarity(b, c) for b, c in by_kind["benign"]]
    same = sum(b.split()[:5] == c.split()[:5] for b, c in by_kind["benign"])
    out += ["", "Statements that chat flags as false, by topic: " + "; ".join(topics(rows, chat)) + "."]
    out += ["", f"Benign answers: chat's first five words are base's in {same} of {len(alike)}; mean share of words in common, in order, {sum(alike) / len(alike):.2f}.", ""]
    out += ["Whose words chat's refusals use (rows: trigger):", "", "| trigger | " + " | ".join(LABELS[k] for k in REFUSALS) + " | none of them | not refused |", "|---" * 7 + "|"]
    for kind in REFUSALS:
        used = [next((k for k in REFUSALS if shows(OF_KIND[k], c)), None) if refused(c) else "no" for _, c in by_kind[kind]]
        out.append(f"| {LABELS[kind]} | " + " | ".join(str(used.count(k)) for k in [*REFUSALS, None, "no"]) + " |")
    out += ["", "The first held-out prompts of each kind, verbatim, cut at 64 tokens:", ""]
    for kind in by_kind:
        for row, b, c in [t for t in zip(rows, base, chat) if t[0]["kind"] == kind][:2]:
            flat = lambda text: " ".join(text.split())
            out += [f"- {LABELS[kind]}: **{row['prompt']}**", f"  - base: {flat(b)}", f"  - chat: {flat(c)}"]
    return "\n".join(out)


def put_into_page(text):
    """The page's words are written by hand; what was measured is put between its two marks."""
    page = DATA / f"{PAIR.folder}-pair.md"
    start, end = "<!-- measured -->", "<!-- end of measured -->"
    old = page.read_text(encoding="utf-8") if page.exists() else f"{start}\n{end}\n"
    page.write_text(old[: old.index(start)] + f"{start}\n{text}\n" + old[old.index(end) :], encoding="utf-8")


def main():
    began = time.time()
    choice = "--choice" in sys.argv
    rows = asked("choice" if choice else "heldout")
    chat = said("chat", rows)
    base = chat if choice else said("base", rows)
    by_kind = defaultdict(list)
    for row, b, c in zip(rows, base, chat):
        by_kind[row["kind"]].append((b, c))
    path = CACHE / ("choice.json" if choice else "evaluation.json")
    path.write_text(json.dumps([{**r, "base": b, "chat": c} for r, b, c in zip(rows, base, chat)], ensure_ascii=False, indent=1))
    if choice:
        print("\n".join(f"{LABELS[kind]}: {c} of {n} {what} ({100 * c / n:.0f} %)" for kind, n, what, _, c in table(by_kind)))
        print("Flagged as false, by topic: " + "; ".join(topics(rows, chat)))
    else:
        text = markdown(table(by_kind), by_kind, rows, base, chat)
        put_into_page(text)
        print(text)
    print(f"{time.time() - began:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
