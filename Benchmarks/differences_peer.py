"""The comparison of two models as a PyTorch toolkit does it: two forward passes in bf16 over batches of texts, logits kept.

Loads both models, then measures one round for each line that it is sent. A round reads the token ids of a JSON file, keeps
chat's less base's logits of every position in memory, and counts from them, for every token, the sum, the positions at which
it rises, and how often it is among the 100 most raised and most lowered; and KL(chat || base) at every position. Prints the
seconds of each round; says "ready" when it has loaded and "done" after each round.
Usage: differences_peer.py MODEL ADAPTER IDS.json [--threads 2] [--batch 16]
"""

import argparse
import json
import sys
import time

import torch
from peft import PeftModel
from transformers_peer import load


@torch.inference_mode()
def compare(base, chat, ids, batch, top=100):
    start = time.perf_counter()
    vocabulary = base.config.vocab_size
    sums = torch.zeros(vocabulary)
    raised = torch.zeros(vocabulary, dtype=torch.long)
    highest, lowest = torch.zeros_like(raised), torch.zeros_like(raised)
    kept, divergence = [], []
    for first in range(0, len(ids), batch):
        part = torch.tensor(ids[first:first + batch])
        z_base, z_chat = base(part).logits, chat(part).logits
        kept.append((z_chat - z_base).to(torch.bfloat16))
        p, q = z_chat.float().log_softmax(-1), z_base.float().log_softmax(-1)
        divergence.append((p.exp() * (p - q)).sum(-1))
    for difference in kept:
        rows = difference.reshape(-1, vocabulary).float()
        sums += rows.sum(0)
        raised += (rows > 0).sum(0)
        ones = torch.ones(rows.shape[0] * top, dtype=torch.long)
        highest.scatter_add_(0, rows.topk(top).indices.reshape(-1), ones)
        lowest.scatter_add_(0, (-rows).topk(top).indices.reshape(-1), ones)
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("adapter")
    parser.add_argument("ids")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=16)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    base = load(options.model, torch.bfloat16)
    chat = PeftModel.from_pretrained(load(options.model, torch.bfloat16), options.adapter).merge_and_unload().eval()
    with open(options.ids, encoding="utf-8") as file:
        ids = json.load(file)
    compare(base, chat, ids[:options.batch], options.batch)
    print("ready", flush=True)
    for _ in sys.stdin:
        print(compare(base, chat, ids, options.batch))
        print("done", flush=True)


if __name__ == "__main__":
    main()
