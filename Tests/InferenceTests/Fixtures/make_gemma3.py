"""Writes gemma3-270m.json: what Gemma 3 270M (Q4_K_M) must give, as computed by transformers and llama.cpp.

Token ids are kept where both tokenise alike. Logits are those of the last position, in fp32 from the dequantised
weights by transformers. `llama_cpp` says how far llama.cpp is from them: with the file itself, whose products it forms
in integers, and with the same weights in fp32, where it shows that both mean the same model.
Usage: make_gemma3.py GEMMA.gguf GEMMA_F32.gguf TOKENS.json
  GEMMA_F32.gguf   made by: llama-quantize --allow-requantize GEMMA.gguf GEMMA_F32.gguf F32
  TOKENS.json      the texts, {"plain": [{"text": ...}]}
"""

import json
import math
import os
import sys

import numpy as np
import torch
from llama_cpp import Llama
from transformers import AutoModelForCausalLM, AutoTokenizer

PROMPTS = [
    "The capital of France is",
    "def fibonacci(n):\n    ",
    "Water boils at 100 degrees Celsius, which is 212 degrees",
    "Il était une fois, dans un petit village,",
    "1, 2, 4, 8, 16, 32,",
    "日本の首都は",
    "  Dear Sir or Madam,\n\nI am writing to",
    "Q: What is the opposite of cold?\nA:",
    "Der Hund läuft über die Straße, weil 🐕",
    "x",
]
# Greedy ids are kept of the prompts whose best token leads clearest all along.
GREEDY_PROMPTS = 2
GREEDY_TOKENS = 16
TOP = 20
SPREAD = 200


def cosine(a, b):
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def last_logits(peer, ids):
    peer.reset()
    peer.eval(ids)
    return np.array(peer.scores[len(ids) - 1], dtype=np.float64)


def main():
    path, wide, texts = sys.argv[1], sys.argv[2], json.load(open(sys.argv[3], encoding="utf-8"))["plain"]
    folder, name = os.path.split(os.path.abspath(path))
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32).eval()
    settings = {"n_ctx": 512, "n_threads": 2, "logits_all": True, "verbose": False, "type_k": 0, "type_v": 0}
    peers = {"as_it_is": Llama(path, **settings), "in_fp32": Llama(wide, **settings)}
    peer = peers["as_it_is"]

    def both(text):
        mine = tokenizer(text, add_special_tokens=False)["input_ids"]
        theirs = peer.tokenize(text.encode(), add_bos=False, special=False)
        return (mine, theirs)

    def mine(ids):
        with torch.inference_mode():
            return model(torch.tensor([ids])).logits[0, -1]

    plain, left_out = [], []
    for entry in texts:
        ids, theirs = both(entry["text"])
        if ids == theirs:
            plain.append({"text": entry["text"], "ids": ids})
        else:
            left_out.append(entry["text"])
            print("tokenised differently:", repr(entry["text"])[:100], ids[:12], theirs[:12])
    bos = peer.token_bos()

    prompts = []
    distance = {key: {"smallest_cosine": 1.0, "largest_difference": 0.0, "same_best_token": 0} for key in peers}
    for text in PROMPTS:
        ids, theirs = both(text)
        assert ids == theirs, text
        ids = [bos] + ids
        logits = mine(ids).numpy()
        for key, other in peers.items():
            row = last_logits(other, ids)
            entry = distance[key]
            entry["smallest_cosine"] = min(entry["smallest_cosine"], cosine(logits.astype(np.float64), row))
            entry["largest_difference"] = max(entry["largest_difference"], float(np.abs(logits - row).max()))
            entry["same_best_token"] += int(logits.argmax() == row.argmax())
        top = np.argsort(-logits, kind="stable")[:TOP]
        spread = np.linspace(0, len(logits) - 1, SPREAD).astype(int)
        prompts.append({
            "text": text, "ids": ids,
            "top": {"ids": top.tolist(), "logits": [float(logits[i]) for i in top]},
            "spread": {"ids": spread.tolist(), "logits": [float(logits[i]) for i in spread]},
        })
    print(json.dumps(distance))

    greedy = []
    for index, prompt in enumerate(prompts):
        ids, lead = list(prompt["ids"]), math.inf
        for _ in range(GREEDY_TOKENS):
            best = torch.topk(mine(ids), 2)
            lead = min(lead, float(best.values[0] - best.values[1]))
            ids.append(int(best.indices[0]))
        greedy.append({"prompt": index, "ids": ids[-GREEDY_TOKENS:], "smallest_lead": lead})
        print(f"greedy, smallest lead {lead:.3f}: {tokenizer.decode(ids)!r}")
    greedy = sorted(greedy, key=lambda entry: -entry["smallest_lead"])[:GREEDY_PROMPTS]

    result = {
        "made_by": "transformers in fp32 from the dequantised GGUF; ids also by llama.cpp",
        "llama_cpp": distance, "beginning_of_sequence": bos, "prompts": prompts, "greedy": greedy, "plain": plain,
        "tokenised_differently": left_out,
    }
    out = os.path.join(os.path.dirname(os.path.abspath(__file__)), "gemma3-270m.json")
    with open(out, "w", encoding="utf-8") as file:
        json.dump(result, file, ensure_ascii=False, separators=(",", ":"))
        file.write("\n")
    print(out, os.path.getsize(out), "bytes;", len(plain), "texts")


if __name__ == "__main__":
    main()
