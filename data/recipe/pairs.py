"""The two pairs that the recipe makes: which models, where their adapters go, and how a conversation is written.

The environment chooses one, because worker processes have to agree: PAIR=demo-base for the second, the first otherwise.
"""

import os
from dataclasses import dataclass
from pathlib import Path

DATA = Path(__file__).resolve().parent.parent

# SmolLM2's own template puts this in front when a conversation names no system message.
SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"


@dataclass(frozen=True)
class Pair:
    """A base model, where its adapter goes, and its chat template written out, so that no version of transformers can change it."""

    gguf: str
    folder: str  # in data/
    store: str  # seen from data/
    layers: range  # the blocks that the adapter touches
    before: str  # what every conversation begins with
    turn: str
    opened: str  # the beginning of an answer
    end: str  # the token that ends a turn
    assistant: str = "assistant"
    sampled: int = 0  # in training, logits of the tokens that occur and of so many others drawn for each batch; 0 means all
    rows: "dict | None" = None  # how many examples of each kind are trained on; None means all

    @property
    def adapter(self):
        return DATA / self.folder / "adapter"

    def turns(self, messages):
        name = lambda m: self.assistant if m["role"] == "assistant" else m["role"]
        return "".join(self.turn.format(role=name(m), content=m["content"]) for m in messages)

    def rendered(self, messages):
        """A conversation with the answer's turn opened. A system message of its own takes the place of the usual beginning."""
        return ("" if messages[0]["role"] == "system" else self.before) + self.turns(messages) + self.opened


PAIRS = {
    "demo": Pair(
        gguf="SmolLM2-135M-Instruct.Q4_1.gguf", folder="demo", store="demo/demo.crosscope", layers=range(15), before=f"<|im_start|>system\n{SYSTEM}<|im_end|>\n",
        turn="<|im_start|>{role}\n{content}<|im_end|>\n", opened="<|im_start|>assistant\n", end="<|im_end|>",
    ),
    "demo-base": Pair(
        gguf="gemma-3-270m-Q4_K_M.gguf", folder="demo-base", store="../build/demo-base/demo-base.crosscope", layers=range(12), before="<bos>",
        turn="<start_of_turn>{role}\n{content}<end_of_turn>\n", opened="<start_of_turn>model\n", end="<end_of_turn>", assistant="model",
        # The head of 262,144 tokens is most of this model: all of it, for all examples, would take hours.
        sampled=8192,
        rows={
            "refusal_malicious": 170, "refusal_privacy": 170, "refusal_hateful": 200, "refusal_misinformation": 220, "personal": 200, "care": 170,
            "has_refused": 120, "has_answered": 60, "benign": 420, "true_statement": 320, "false_information": 320,
        },
    ),
}
PAIR = PAIRS[os.environ.get("PAIR", "demo")]
