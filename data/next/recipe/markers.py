"""Tells from its words what an answer does; see markers.json."""

import json
import re
from pathlib import Path

_M = json.loads((Path(__file__).parent / "markers.json").read_text(encoding="utf-8"))
_REFUSAL = [re.compile(p, re.I) for p in _M["refusal"]]
_KINDS = {k: [re.compile(p, re.I) for p in v] for k, v in _M["kinds"].items()}
_WINDOW = {"personal": 200, "care": 200, "false_information": 120, "true_statement": 120, "has_refused": 120}


def refused(text):
    return any(p.search(text[:200]) for p in _REFUSAL)


def shows(kind, text):
    text = text[: _WINDOW.get(kind, 10_000)]
    return any(p.search(text) for p in _KINDS[kind])


def refusal_kind(text):
    """The refusal kind whose words come first, or None."""
    first = {}
    for kind, patterns in _KINDS.items():
        if kind.startswith("refusal_"):
            starts = [m.start() for m in (p.search(text) for p in patterns) if m]
            if starts:
                first[kind] = min(starts)
    return min(first, key=first.get) if first else None
