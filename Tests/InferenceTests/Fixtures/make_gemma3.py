"""Writes gemma3-270m.json: what Gemma 3 270M (Q4_K_M) must give, as computed by transformers and llama.cpp.

Token ids are kept where both tokenise alike. Logits are those of the last position, in fp32 from the dequantised
weights by transformers; llama.cpp multiplies in integers, so `llama_cpp` holds its distance from them for scale.
Usage: make_gemma3.py GEMMA.gguf TOKENS.json    TOKENS.json holds the texts, {"plain": [{"text": ...}]}
"""

import json
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
GREEDY = [0, 4]
GREEDY_TOKENS = 16
TOP = 20
SPREAD = 200


def cosine(a, b):
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def main():
    path, texts = sys.argv[1], json.load(open(sys.argv[2], encoding="utf-8"))["plain"]
    folder, name = os.path.split(os.path.abspath(path))
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32).eval()
    peer = Llama(path, n_ctx=512, n_threads=2, logits_all=True, verbose=False)

    def both(text):
        mine = tokenizer(text, add_special_tokens=False)["input_ids"]
        theirs = peer.tokenize(text.encode(), add_bos=False, special=False)
        return (mine, theirs)

    plain, left_out = [], []
    for entry in texts:
        mine, theirs = both(entry["text"])
        if mine == theirs:
            plain.append({"text": entry["text"], "ids": mine})
        else:
            left_out.append(entry["text"])
            print("tokenised differently:", repr(entry["text"])[:100], mine[:12], theirs[:12])
    bos = peer.token_bos()

    prompts, cosines, deviations, tops = [], [], [], 0
    for text in PROMPTS:
        mine, theirs = both(text)
        assert mine == theirs, text
        ids = [bos] + mine
        with torch.inference_mode():
            logits = model(torch.tensor([ids])).logits[0, -1].numpy()
        peer.reset()
        peer.eval(ids)
        other = np.array(peer.scores[len(ids) - 1], dtype=np.float32)
        cosines.append(cosine(logits.astype(np.float64), other.astype(np.float64)))
        deviations.append(float(np.abs(logits - other).max()))
        tops += int(logits.argmax() == other.argmax())
        top = np.argsort(-logits, kind="stable")[:TOP]
        spread = np.linspace(0, len(logits) - 1, SPREAD).astype(int)
        prompts.append({
            "text": text, "ids": ids,
            "top": {"ids": top.tolist(), "logits": [float(logits[i]) for i in top]},
            "spread": {"ids": spread.tolist(), "logits": [float(logits[i]) for i in spread]},
        })
        print(f"{text!r}: cosine with llama.cpp {cosines[-1]:.6f}, largest difference {deviations[-1]:.3f}, "
              f"top {tokenizer.decode([int(top[0])])!r} {logits[top[0]]:.3f} {logits[top[1]]:.3f}")

    greedy = []
    for index in GREEDY:
        ids = list(prompts[index]["ids"])
        gaps = []
        for _ in range(GREEDY_TOKENS):
            with torch.inference_mode():
                logits = model(torch.tensor([ids])).logits[0, -1]
            best = torch.topk(logits, 2)
            gaps.append(float(best.values[0] - best.values[1]))
            ids.append(int(best.indices[0]))
        greedy.append({"prompt": index, "ids": ids[-GREEDY_TOKENS:], "smallest_lead": min(gaps)})
        print("greedy:", repr(tokenizer.decode(ids)), "smallest lead of the best logit", min(gaps))

    result = {
        "made_by": "transformers in fp32 from the dequantised GGUF; ids also by llama.cpp",
        "llama_cpp": {"smallest_cosine": min(cosines), "largest_difference": max(deviations),
                      "same_best_token": f"{tops} of {len(PROMPTS)}"},
        "beginning_of_sequence": bos, "prompts": prompts, "greedy": greedy, "plain": plain,
        "tokenised_differently": left_out,
    }
    out = os.path.join(os.path.dirname(os.path.abspath(__file__)), "gemma3-270m.json")
    with open(out, "w", encoding="utf-8") as file:
        json.dump(result, file, ensure_ascii=False, separators=(",", ":"))
        file.write("\n")
    print(out, os.path.getsize(out), "bytes;", len(plain), "texts")


if __name__ == "__main__":
    main()
