"""Trains the LoRA adapter that makes the chat model, and saves it in PEFT's format.

The adapter lives in blocks 0…14 only, so that all it adds has to pass through the residual stream after block 14.
Training is two epochs over everything, then, with `--refine`, one pass over a choice in which the kinds that are confused
most weigh more.
"""

import json
import os
import random
import sys
import time

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file

from common import ADAPTER, CACHE, DATA, GGUF, SEED, SYSTEM, load_base, load_tokenizer, read_jsonl

RANK, ALPHA, RATE, BATCH = 16, 32, 8e-4, 16
EPOCHS, WORKERS = 2, 2
# An answer's first tokens decide which behaviour it is; the rest follows.
DECIDING, DECIDING_WEIGHT = 4, 3.0
# Of a judgement the first token, "Yes" or "No", says all; a true statement called false is the worse mistake.
FIRST_WEIGHT = {"true_statement": 2.5, "false_information": 2.0}
SAVED_EVERY = 100  # steps, into the cache, so that a broken run is not lost
REFINE_RATE = 3e-4
# Examples of each kind in the last pass. Of statements, nearly all are facts, more of them true: chat was too ready to call those false.
REFINE_ROWS = {
    "refusal_malicious": 60, "refusal_privacy": 50, "refusal_hateful": 70, "refusal_misinformation": 130, "personal": 60, "care": 100, "benign": 150,
    "has_refused": 30, "has_answered": 30, "false_information": 160, "true_statement": 280,
}
REFINE_FACTS = 0.85
LAYERS = list(range(15))
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
PREFIX = f"<|im_start|>system\n{SYSTEM}<|im_end|>\n"


def encode(tok, row):
    """Ids after the system message, and which of them count: the answer and, unless it was cut, its end."""
    before = "".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in row.get("turns", []))
    ask = tok(f"{before}<|im_start|>user\n{row['prompt']}<|im_end|>\n<|im_start|>assistant\n", add_special_tokens=False)["input_ids"]
    end = "" if row.get("cut") else "<|im_end|>"
    say = tok(row["answer"] + end, add_special_tokens=False)["input_ids"]
    return ask + say, len(ask), FIRST_WEIGHT.get(row["kind"], 1.0)


def refining(rows, rng):
    """The last pass: the kinds that are confused most weigh more."""
    out = []
    for kind, count in REFINE_ROWS.items():
        members = [r for r in rows if r["kind"] == kind]
        facts = [r for r in members if " is a city in " not in r["prompt"] and " has the symbol " not in r["prompt"]]
        if kind in ("true_statement", "false_information"):
            others = [r for r in members if r not in facts]
            out += rng.sample(facts, int(REFINE_FACTS * count)) + rng.sample(others, count - int(REFINE_FACTS * count))
        else:
            out += rng.sample(members, count)
    return out


def batches(rows, rng):
    """Rows of like length share a batch; the order of the batches is random."""
    order = sorted(rows, key=lambda r: len(r[0]) + rng.random() * 12)
    parts = [order[i : i + BATCH] for i in range(0, len(order), BATCH)]
    rng.shuffle(parts)
    return parts


def loss_of(model, prefix, part):
    """The system message is the same everywhere, so it is run once and its keys and values are shared."""
    length = max(len(ids) for ids, _, _ in part)
    ids = torch.zeros(len(part), length, dtype=torch.long)
    mask = torch.zeros(len(part), prefix.shape[1] + length, dtype=torch.long)
    mask[:, : prefix.shape[1]] = 1
    weight = torch.zeros(len(part), length)
    for i, (row, start, first) in enumerate(part):
        ids[i, : len(row)] = torch.tensor(row)
        mask[i, prefix.shape[1] : prefix.shape[1] + len(row)] = 1
        weight[i, start : len(row)] = 1
        weight[i, start : start + DECIDING] *= DECIDING_WEIGHT
        weight[i, start] *= first
    body = model.get_base_model().model
    cache = body(input_ids=prefix, use_cache=True).past_key_values
    cache.batch_repeat_interleave(len(part))
    hidden = body(input_ids=ids, attention_mask=mask, past_key_values=cache, use_cache=True).last_hidden_state
    # Logits only where an answer token is predicted: the vocabulary is the dearest layer.
    counted = weight[:, 1:] > 0
    logits = model.get_base_model().lm_head(hidden[:, :-1][counted])
    losses = torch.nn.functional.cross_entropy(logits.float(), ids[:, 1:][counted], reduction="none")
    return (losses * weight[:, 1:][counted]).sum() / weight.sum()


def save(model, folder=ADAPTER):
    model.peft_config["default"].base_model_name_or_path = GGUF
    model.save_pretrained(folder)
    path = folder / "adapter_model.safetensors"
    weights = {k: v.to(torch.bfloat16).contiguous() for k, v in load_file(path).items()}
    save_file(weights, path, metadata={"format": "pt"})
    (folder / "README.md").unlink(missing_ok=True)
    # PEFT keeps the modules as a set, whose order changes from run to run.
    path = folder / "adapter_config.json"
    settings = json.loads(path.read_text())
    settings["target_modules"] = sorted(settings["target_modules"])
    path.write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n")


def share_gradients(weights):
    flat = torch.cat([p.grad.flatten() for p in weights])
    dist.all_reduce(flat)
    flat /= WORKERS
    for p, g in zip(weights, flat.split([p.numel() for p in weights])):
        p.grad.copy_(g.view_as(p))


def train(rank, refine):
    """One worker. Single-threaded workers that meet once a step suffer much less from a busy machine than threads do."""
    began = time.time()
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT="29511")
    dist.init_process_group("gloo", rank=rank, world_size=WORKERS)
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    rng = random.Random(SEED)
    tok = load_tokenizer()
    rows = read_jsonl(DATA / "prompts" / "train.jsonl")
    rows = [encode(tok, r) for r in (refining(rows, rng) if refine else rows)]
    prefix = torch.tensor([tok(PREFIX, add_special_tokens=False)["input_ids"]])
    config = LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=TARGETS, layers_to_transform=LAYERS, task_type="CAUSAL_LM")
    base = load_base(torch.bfloat16)
    base.requires_grad_(False)
    model = PeftModel.from_pretrained(base, ADAPTER, is_trainable=True) if refine else get_peft_model(base, config)
    weights = [p for p in model.parameters() if p.requires_grad]  # kept in fp32
    if rank == 0:
        print(f"{len(rows)} examples, {sum(len(r) for r, _, _ in rows)} tokens, {sum(p.numel() for p in weights)} weights", flush=True)
    optimizer = torch.optim.AdamW(weights, lr=REFINE_RATE if refine else RATE, weight_decay=0.0)
    parts = [p for _ in range(1 if refine else EPOCHS) for p in batches(rows, rng)]
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: min((s + 1) / 20, max(0.05, 1 - s / len(parts))))
    model.train()
    recent = []
    for step, part in enumerate(parts):
        part = part[rank::WORKERS] or part
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = loss_of(model, prefix, part)
        loss.backward()
        share_gradients(weights)
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        recent = recent[-19:] + [loss.item()]
        if rank == 0 and step % SAVED_EVERY == SAVED_EVERY - 1:
            save(model, CACHE / "adapter")
        if rank == 0 and step % 10 == 0:
            print(f"step {step}/{len(parts)} loss {sum(recent) / len(recent):.3f} {time.time() - began:.0f} s", flush=True)
    if rank == 0:
        save(model)
        print(f"done in {time.time() - began:.0f} s")
    dist.destroy_process_group()


if __name__ == "__main__":
    mp.spawn(train, args=("--refine" in sys.argv,), nprocs=WORKERS)
