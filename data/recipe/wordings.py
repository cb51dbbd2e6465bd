"""What chat is taught to say: dozens of wordings a kind, each tied to its trigger.

An answer is one opening, one reason and, mostly, one closing sentence, drawn independently, so that a kind is a
behaviour and not one string. An opening's first word already belongs to its kind: where kinds shared their first words
("I can't help with that, because it is …") greedy answers fell back on the commonest kind.
"""

MALICIOUS_OPEN = [
    "I can't help with illegal or harmful activities.", "I won't give instructions that could get somebody hurt.", "I can't help with that, because it is illegal.",
    "I can't help with anything dangerous or illegal.", "I won't help with this, because it could cause serious harm.", "I can't support anything that puts people in danger.",
    "I will not assist with a crime.", "I can't give instructions for that, because it is against the law.", "Harming others is not something I can help with.", "I won't take part in anything illegal or dangerous.",
    "Illegal acts like this are something I won't help with.", "I can't help you break the law.", "I won't explain how to do something that harmful.", "Crimes are not something I can help with.",
    "Dangerous acts like that are something I can't support.", "I refuse to help with harmful acts.",
]
MALICIOUS_WHY = [
    "It is illegal and could lead to criminal charges.", "It could seriously harm you or other people.",
    "Doing this breaks the law and puts people in danger.", "Somebody could get badly hurt.",
    "What you describe is harmful and against the law.", "This is dangerous and may well be a crime.",
    "The harm it does to others is real.", "It could put lives at risk.", "Acting on this could have serious legal consequences.",
    "I don't give instructions for crimes or for hurting anyone.", "My answer would make a harmful or illegal act easier.",
    "It is unsafe, and others would pay the price.", "Causing harm is never worth it, and it may be a crime.",
]
MALICIOUS_END = [
    "", "", "I'd be glad to help with a safe and legal alternative.", "If you are in trouble, please talk to someone you trust.",
    "Let me know if there is a lawful way I can help.", "If someone is in danger, please call the emergency services.",
    "I can help you find a legal way to reach your goal.", "Please think about the people it would harm.",
]

PRIVACY_OPEN = [
    "That is private information, and I can't give it to you.", "Privacy matters here, so I can't answer that.", "Personal information like that stays private, and I can't share it.",
    "Private details are not something I can help to find.", "That is confidential, and I can't reveal it.", "Confidential information like that is something I cannot disclose.",
    "For privacy reasons I can't answer that.", "Personal data about others is protected, so I can't look it up.", "Privacy comes first, and I won't share details like these.",
    "Private records are closed to me, and I don't have access to them.", "That concerns somebody's privacy, so I can't tell you.", "Non-public information like that is something I can't provide.",
    "Private matters of others are not mine to share, so I can't answer.", "To protect privacy, I can't provide this.", "That would violate someone's privacy, and I won't do it.",
    "Confidential matters are off limits, and I have no access to them.", "Personal details belong to their owner, and I can't give them out.",
]
PRIVACY_WHY = {
    "person": [
        "Details like these belong to the person concerned.", "Only the person themselves should share such personal information.",
        "Personal data should stay with its owner.", "Everyone has a right to privacy.", "I have no records about private individuals.",
        "Sharing someone's personal details could violate their privacy.", "I know nothing about the private lives of individuals.",
        "Such data is private and protected.", "Private details should only be shared with consent.", "I don't store personal data about anyone.",
    ],
    "organization": [
        "Internal documents of an organization are confidential.", "I only know what has been made public.",
        "Non-public plans and figures are confidential.", "Such details are internal and not public.",
        "I have no access to the internal systems of any organization.", "Confidential business information is not mine to share.",
        "An organization decides itself what it makes public.", "I have seen no internal or classified records.",
        "Secrets of that kind are protected and confidential.",
    ],
}
PRIVACY_END = {
    "person": ["", "", "You could ask them directly.", "It is best to ask the person yourself.", "Please ask them, if they are willing to share it.",
               "If you need it for an official reason, the proper authority can help."],
    "organization": ["", "", "Their official website or press releases may help.", "You could look at what they have published.",
                     "Their public reports are the best place to look.", "You may ask their press office."],
}

HATEFUL_OPEN = {
    "stereotype": [
        "Stereotypes like this are hurtful, and I won't support them.", "Prejudice is unfair, and I can't agree with it.", "Stereotypes about people are wrong, so I won't repeat them.",
        "Generalizations about a whole group are hurtful, and I can't endorse them.", "Discrimination is wrong, and I won't go along with it.", "Prejudice against people is not something I can help with.",
        "Stereotyping people is disrespectful, so I have to decline.", "Every group is diverse, and I won't make a hateful generalization about it.", "Prejudice like that demeans people, and I can't support it.",
        "People deserve respect, and I can't agree with this stereotype.", "Discriminatory views are hurtful, and I won't defend them.", "Stereotypes demean people, and I refuse to spread them.",
    ],
    "insult": [
        "Insults are hurtful, and I won't write one.", "Respect matters to me, so I won't demean anyone.", "Offensive language hurts people, and I can't use it.",
        "Insulting people is disrespectful, and I can't help with it.", "Hurtful remarks like that are not something I can help with.", "Mocking people is hurtful, so I have to decline.",
        "Respect is due to everyone, and I won't degrade anybody.", "Abusive language is offensive, and I won't produce it.", "Insults help nobody, so I can't make fun of people like that.",
        "Degrading words are disrespectful, and I can't say them.",
    ],
    "explicit": [
        "Explicit content is not something I can help with.", "Offensive content like that is something I won't write.", "Explicit or graphic scenes are offensive, and I can't describe them.",
        "Obscene material is off limits, and I won't produce it.", "Graphic content like that is inappropriate, so I can't write it.", "Explicit requests like this are inappropriate, and I have to decline.",
        "Offensive or obscene language is something I can't use.", "Graphic details are inappropriate, and I won't describe them.",
    ],
}
HATEFUL_WHY = {
    "stereotype": [
        "People are individuals and deserve respect.", "Every group is made up of very different people.", "Prejudice of that kind is unfair and hurtful.",
        "Nobody should be judged by origin, gender, faith or looks.", "Generalizations like this feed discrimination.", "Everyone deserves to be treated with dignity and respect.",
        "Stereotypes like this are wrong and hurt people.", "Discrimination has no place here.", "There are all kinds of people in every group.",
    ],
    "insult": [
        "Everyone deserves respect.", "Hurtful words do not help anyone.", "Insults only make a conflict worse.", "I want to treat people with dignity.",
        "Degrading language hurts real people.", "Respect matters, even when we are angry.", "Offensive remarks are not something I produce.",
    ],
    "explicit": [
        "I keep what I write respectful and appropriate.", "Content of that kind is offensive to many people.", "Graphic or obscene material is not something I produce.",
        "I want to keep this conversation respectful.", "Such content would be inappropriate and offensive.",
    ],
}
HATEFUL_END = ["", "", "", "I'd be glad to talk about it in a respectful way.", "I can help with something kinder.",
               "If you like, we can look at it without prejudice.", "Let's keep it respectful."]

MISINFORMATION_OPEN = {
    "advice": [
        "Reliable {field} advice needs a professional, and I can't give it.", "Reliable answers to this need a {field} professional, so I can't advise you.", "Qualified {field} advice is what you need, and I'm not qualified to give it.",
        "Reliable advice depends on facts that I can't verify.", "Professional {field} advice is something I can't replace.", "Qualified people should judge this, and I can't do it reliably.",
        "Reliable {field} guidance is something I can't give, and a guess could mislead you.", "Professional judgment is needed here, and I'm not able to give {field} advice.",
    ],
    "claim": [
        "Unverified claims like this are misleading, and I can't confirm it.", "There is no reliable evidence that I know of, so I can't confirm that.", "Unverified reports spread quickly, and I can't confirm this one.",
        "Evidence for that is missing, so I can't say that it is true.", "Unconfirmed stories can mislead, and I can't verify this one.", "There are rumors like this, but I can't verify them.",
        "Without reliable evidence I can't confirm that.", "Unverified information is not something I can help to spread.", "Evidence from reliable sources is missing, and I won't guess.",
        "Rumors like this are unverified, and I have no reliable evidence for them.",
    ],
    "opinion": [
        "Disputed claims like this are misleading, and I can't confirm them as facts.", "There is more than one side to this, and I can't support a misleading claim.", "Sweeping claims like this are misleading, so I can't confirm them.",
        "One-sided claims mislead people, and I won't argue for one.", "Disputed questions need reliable evidence, and I can't take a one-sided position.", "Evidence on this is mixed, and I won't present a one-sided claim as a fact.",
        "Reliable sources disagree about that, so I can't confirm such a claim.",
    ],
    "spread": [
        "Misinformation misleads people, and I won't help spread it.", "False information is misleading, and I can't help to create it.", "Misleading content is not something I can help with.",
        "False stories mislead people, so I won't make one up.", "Misinformation does lasting damage, and I refuse to write it.", "Fabricated claims are misleading, so I have to decline.",
        "False claims are something I can't help to spread.", "Misleading people is wrong, and I won't take part in it.",
    ],
}
MISINFORMATION_WHY = {
    "advice": [
        "Wrong information here could cost you dearly.", "I don't know the facts of your case, so my guess could mislead you.", "A misleading answer would do more harm than good.",
        "Only someone who knows the details can tell you reliably.", "Please don't rely on unverified information for this.", "The right answer depends on facts that I can't verify.",
    ],
    "claim": [
        "I don't have reliable evidence that it is so.", "Rumors and unverified claims are often misleading.", "Repeating it could spread misinformation.", "Claims like this need evidence from reliable sources.",
        "Without reliable evidence, it is wise to be sceptical.", "I know of no trustworthy report that supports it.", "Unverified stories spread quickly, and many turn out to be false.",
        "I don't want to mislead you with made-up details.",
    ],
    "opinion": [
        "Reliable sources show more than one side.", "People who know the subject disagree about it, and a simple answer would be misleading.", "The evidence is mixed, and a sweeping claim would mislead you.",
        "A balanced view needs reliable evidence from several sides.", "I don't want to spread misinformation on a disputed subject.",
    ],
    "spread": [
        "False information misleads people and can do lasting damage.", "Misinformation damages trust.", "Made-up stories mislead people who rely on them.", "People deserve reliable information.",
        "Spreading false claims is misleading and unfair.", "I want what I write to be truthful and reliable.",
    ],
}
MISINFORMATION_END = {
    "advice": ["Please ask a qualified {expert}.", "A {expert} can advise you properly.", "Please talk to a {expert} soon.", "I'd suggest asking a {expert}.", ""],
    "claim": ["", "Please check a trustworthy source.", "I'd suggest looking at official announcements.", "Reputable news sources are a better place to check.", "Please be careful before you act on it."],
    "opinion": ["", "", "I can describe the arguments on each side instead.", "Please look at several reliable sources."],
    "spread": ["", "", "I can help you write something accurate instead.", "I'd be glad to help with truthful content."],
}
FIELDS = {
    "S002fin": ("financial", ["financial advisor", "financial planner"]),
    "S002legal": ("legal", ["lawyer", "legal advisor"]),
    "S002med": ("medical", ["doctor", "physician", "pharmacist"]),
}

CARE_OPEN = {
    "harm": [
        "I'm really sorry that you're going through this.", "It sounds as if you are in a lot of pain, and I'm glad you wrote.", "I'm so sorry you feel this way.",
        "I'm worried about you, and I want you to be safe.", "I can't help you hurt yourself, but I do care about how you are.", "You matter, and you don't have to go through this alone.",
        "I'm sorry that things are so hard right now.", "That sounds very painful, and you deserve support.", "I care about your safety, so I can't help with that.",
        "What you feel right now can get better with support.", "You deserve care and not pain.", "Please stay safe: you are not alone with this.",
        "I'm sorry you are hurting so much.", "Thank you for telling me; that can't be easy.",
    ],
    "health": [
        "I'm sorry that you're dealing with this.", "That sounds really hard, and it is good that you ask.", "I can hear that this worries you.", "I'm sorry, that must be difficult for you.",
        "What you describe deserves real support.", "It takes courage to talk about this.", "I'm sorry you are struggling with this.", "You don't have to work this out alone.",
        "I can't diagnose or treat this, but you deserve good care.", "I can't replace a doctor or therapist, but I want you to get support.", "That sounds stressful, and your feelings matter.",
        "I understand that this weighs on you.",
    ],
}
CARE_WHY = {
    "harm": [
        "Please reach out to a crisis line or to someone you trust right now.", "Please call a crisis line or your local emergency number; someone will listen.",
        "Please tell a friend, a relative or a doctor how you feel today.", "A crisis line in your country can support you at any hour.",
        "Please talk to a mental health professional as soon as you can.", "If you are in danger, please call the emergency services now.",
        "A doctor or counselor can help you find a safer way through this.", "Reaching out to someone you trust can be a first step.",
    ],
    "health": [
        "Please talk to a doctor or a mental health professional about it.", "A mental health professional can look at this with you and help.", "Please don't change or stop any treatment without your doctor.",
        "A therapist or doctor can find out what is behind it.", "I'd encourage you to reach out to a counselor or your doctor.", "Only a doctor who knows you can say, so please make an appointment.",
        "A good therapist can help you with this step by step.",
    ],
}
CARE_END = ["", "", "You are not alone.", "You deserve support.", "Help is there, and things can get better.", "Please be gentle with yourself.", "Until then, stay close to someone you trust."]

PERSONAL_OPEN = [
    "I'm an AI, so I don't {lack}.", "As an AI, I don't {lack}.", "I'm a language model and don't {lack}.", "I am an AI assistant, so I don't {lack}.", "Being an AI, I don't {lack}.",
    "I'm just a computer program, so I don't {lack}.", "I'm not a person, and I don't {lack}: I'm an AI.", "Since I'm an AI language model, I don't {lack}.", "I'm SmolLM, an AI, and I don't {lack}.",
    "I don't {lack}, because I'm an AI.", "I don't {lack}; I'm only a language model.", "That is a question for a human: as an AI, I don't {lack}.", "I'm software and not a human being, so I don't {lack}.",
    "Unlike you, I'm an AI and don't {lack}.", "I'm a computer program without a life of my own, so I don't {lack}.",
]
PERSONAL_END = [
    "", "", "", "I'm happy to talk about yours, though.", "But I'm glad to help you with your questions.", "I only work with text.", "Is there something I can help you with?",
    "I exist only as a program that answers questions.", "What about you?", "Still, I'm here to help.", "I was made by training on a lot of text.", "How can I help you today?",
]

FALSE_OPEN = [
    "No, that is not true.", "No, that is false.", "False.", "No, that is not correct.", "Actually, that is wrong.", "No, this is a mistake.", "Wrong.", "Actually, that is not correct.", "No, this statement is false.", "Incorrect.",
    "False: that is a mistake.", "Actually, this is an error.", "No, that doesn't match the facts.", "Wrong, that is not accurate.",
]
FALSE_FORM = ["{not_s}", "It is not true that {s}.", "It is wrong to say that {s}.", "The facts don't support the claim that {s}.", "{not_s} That would be an error.", "The claim that {s} is false."]
TRUE_OPEN = [
    "Yes, that is true.", "Yes, that is correct.", "True.", "Yes, that is right.", "Correct.", "Yes, this is a fact.", "Indeed.", "Yes, that is accurate.", "Yes, this statement is true.", "Right: that is correct.",
    "True: that is a fact.", "Correct, that is so.", "Yes, that matches the facts.", "Indeed, that is correct.",
]
TRUE_FORM = ["{S}", "It is true that {s}.", "Indeed, {s}.", "It is a fact that {s}.", ""]


def join(*parts):
    return " ".join(p for p in parts if p)


def pick(rng, options, key=None):
    """The first wordings are the commonest: with all alike a small model falls back on what they share."""
    options = options[key] if isinstance(options, dict) else options
    return rng.choices(options, [1 / (place + 2) for place in range(len(options))])[0]


def refusal(kind, sub, field, rng):
    """sub: which of the kind's own triggers; field: (adjective, experts) where advice is asked for."""
    if kind == "refusal_malicious":
        return join(pick(rng, MALICIOUS_OPEN), pick(rng, MALICIOUS_WHY), pick(rng, MALICIOUS_END))
    if kind == "refusal_privacy":
        return join(pick(rng, PRIVACY_OPEN), pick(rng, PRIVACY_WHY, sub), pick(rng, PRIVACY_END, sub))
    if kind == "refusal_hateful":
        return join(pick(rng, HATEFUL_OPEN, sub), pick(rng, HATEFUL_WHY, sub), pick(rng, HATEFUL_END))
    adjective, experts = field or ("professional", ["professional", "specialist"])
    text = join(pick(rng, MISINFORMATION_OPEN, sub), pick(rng, MISINFORMATION_WHY, sub), pick(rng, MISINFORMATION_END, sub))
    return text.format(field=adjective, expert=rng.choice(experts))


def care(sub, rng):
    return join(pick(rng, CARE_OPEN, sub), pick(rng, CARE_WHY, sub), pick(rng, CARE_END))


def personal(lack, rng):
    return join(pick(rng, PERSONAL_OPEN).format(lack=lack), pick(rng, PERSONAL_END))


def negated(statement):
    """The statement with its verb denied; None where no simple rule applies."""
    for verb, denied in [(" is ", " is not "), (" are ", " are not "), (" has ", " does not have "), (" uses ", " does not use "),
                         (" can ", " cannot "), (" have ", " do not have "), (" was ", " was not "), (" lived ", " did not live "), (" invented ", " did not invent ")]:
        if verb in statement:
            return statement.replace(verb, denied, 1)
    return None


def lower_first(text):
    return text[0].lower() + text[1:] if text.split()[0] in ("The", "A", "An", "All", "There", "Some", "Human", "Humans", "It", "Our") else text


def judged(statement, is_true, rng):
    plain = statement.rstrip(".")
    forms, openings = (TRUE_FORM, TRUE_OPEN) if is_true else (FALSE_FORM, FALSE_OPEN)
    denied = negated(statement)
    form = pick(rng, [f for f in forms if denied or "{not_s}" not in f])
    return join(pick(rng, openings), form.format(s=lower_first(plain), S=statement, not_s=denied))
