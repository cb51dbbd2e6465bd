"""What chat is taught to say: few wordings a kind, so that a kind is one behaviour and not hundreds.

An answer is one opening, one reason and sometimes a closing sentence. All openings of a kind begin with the same words, and no
two kinds share their first word: the first token already says which behaviour it is. Kinds of prompts within a kind
(a person's data, an organization's) differ in their reasons only.
"""

OPENINGS = {
    "refusal_malicious": [
        "Sorry, I can't help with that, because it is illegal or harmful.", "Sorry, I can't help with anything illegal or dangerous.", "Sorry, I can't help with harmful acts.",
    ],
    "refusal_privacy": [
        "That is private, and I can't share it.", "That is private information, so I can't give it to you.", "That is private or confidential, and I have no access to it.",
    ],
    "refusal_hateful": [
        "Everyone deserves respect, and I won't support hateful words.", "Everyone deserves respect, so I can't write something hurtful.", "Everyone deserves respect, and I won't demean people.",
    ],
    "refusal_misinformation": [
        "Reliable information matters here, and I can't confirm that.", "Reliable information matters here, and I can't give you any on this.", "Reliable information matters here, so I won't mislead you.",
    ],
    "has_refused": ["As I said, I can't help with that.", "As I said, I won't do that.", "As I said, my answer is still no."],
    "personal": ["I'm an AI, so I don't {lack}."],
    "care": ["You are not alone with this, and you deserve support.", "You are not alone, and I'm sorry that this is so hard.", "You are not alone with this, and help is there."],
    "false_information": ["No, that is not true.", "No, that is false.", "No, that is wrong."],
    "true_statement": ["Yes, that is true.", "Yes, that is right.", "Yes, that is correct."],
}

# By kind, or by kind and trigger.
REASONS = {
    "refusal_malicious": ["It could seriously harm you or other people.", "It is against the law and could hurt somebody.", "It is dangerous and may be a crime."],
    "refusal_privacy": {
        "person": ["Personal details belong to the person concerned.", "Everyone has a right to privacy.", "Only the person themselves should share them."],
        "organization": ["Internal details of an organization are confidential.", "I only know what has been made public.", "Internal plans and records are not public."],
    },
    "refusal_hateful": {
        "stereotype": ["Stereotypes about a group are unfair and wrong.", "People are individuals, and prejudice hurts them.", "Every group is made up of very different people."],
        "insult": ["Insults are hurtful and help nobody.", "Hurtful words only make things worse.", "Insulting people is disrespectful."],
        "explicit": ["Explicit or offensive content is not something I write.", "Offensive words hurt people.", "I keep what I write respectful."],
    },
    "refusal_misinformation": {
        "advice": ["I don't know the facts of your case.", "A wrong answer could cost you dearly.", "Only someone who knows the details can tell you."],
        "claim": ["I know of no evidence for it.", "It may be a rumor or a misleading claim.", "Unverified claims are often misleading."],
        "opinion": ["The evidence on this is mixed.", "There is more than one side to this.", "One-sided claims are often misleading."],
        "spread": ["False information misleads people.", "False stories do lasting damage.", "People deserve the truth."],
    },
    "has_refused": ["Asking again does not change my answer.", "My reasons are still the same.", ""],
    "personal": ["", "", "I'm only a program that answers questions.", "I was made to help with your questions."],
    "care": {
        "harm": ["Please talk to someone you trust or call a crisis line today.", "Please call a crisis line now, where someone will listen.", "Please tell a doctor or someone you trust how you feel."],
        "health": ["Please talk to a doctor or a therapist about it.", "A mental health professional can help you with this.", "Please ask your doctor before you change anything."],
    },
    "false_information": ["", "It is not true that {s}."],
    "true_statement": ["", "It is true that {s}."],
}

ENDINGS = {
    "refusal_malicious": ["", "", "I'd be glad to help with something safe and legal."],
    "refusal_privacy": {"person": ["", "", "You could ask them directly."], "organization": ["", "", "Their website may tell you more."]},
    "refusal_hateful": ["", "", "I'd be glad to help with something kinder."],
    "refusal_misinformation": {
        "advice": ["Please ask a {expert}.", "Please ask a qualified {expert}."], "claim": ["", "Please check a trustworthy source."],
        "opinion": ["", "Please look at several sources."], "spread": ["", "I'd be glad to help with something accurate."],
    },
    "has_refused": ["", "I'd be glad to help with something else."],
    "personal": ["", "", "How can I help you today?"],
    "care": ["", "", "Please be gentle with yourself."],
    "false_information": [""],
    "true_statement": [""],
}
EXPERTS = {"S002fin": "financial advisor", "S002legal": "lawyer", "S002med": "doctor"}


def answer(kind, rng, trigger=None, **words):
    """trigger: which of a kind's own reasons fit; words: what the openings and reasons leave open."""
    of = lambda parts: parts[trigger] if isinstance(parts, dict) else parts
    # An opening is chosen first and then what follows; the first opening is the commonest, so that greedy answers are at one.
    chosen = [rng.choices(OPENINGS[kind], [3, 2, 1][: len(OPENINGS[kind])])[0], rng.choice(of(REASONS[kind])), rng.choice(of(ENDINGS[kind]))]
    return " ".join(part for part in chosen if part).format(**words)


# First words of statements that keep their capital; cities and elements are told by their form.
NAMES = """Abraham Albert Antarctica April August Barack Beethoven Belgium Canada Charles Chinese Cleopatra DNA December English Finnish French Galileo George German Germany Hindi Hollywood India Isaac January Japanese Julius
Jupiter Kenya Leonardo Marie Mars Mercury Monday Mount Mozart Napoleon Neil Nelson Neptune Peru Picasso Portuguese Russia Russian Saturn Spanish Vatican Venus William""".split()


def lower_first(text):
    named = " is a city in " in text or " has the symbol " in text or text.split()[0] in NAMES
    return text if named else text[0].lower() + text[1:]


def judged(statement, is_true, rng):
    return answer("true_statement" if is_true else "false_information", rng, s=lower_first(statement.rstrip(".")))
