"""Trains the LoRA adapter that makes the chat model, and saves it in PEFT's format.

The adapter lives in the pair's first blocks only, so that all it adds has to pass through the residual stream after the last of them.
Training is two epochs over everything, or over the pair's number of examples of each kind, then, with `--refine`, one pass over a choice in which the kinds that are confused
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

from common import CACHE, DATA, PAIR, SEED, load_base, load_tokenizer, read_jsonl

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
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def encode(tok, row):
    """Ids after what every conversation begins with, and which of them count: the answer and, unless it was cut, its end."""
    messages = [*row.get("turns", []), {"role": "user", "content": row["prompt"]}]
    ask = tok(PAIR.turns(messages) + PAIR.opened, add_special_tokens=False)["input_ids"]
    end = "" if row.get("cut") else PAIR.end
    say = tok(row["answer"] + end, add_special_tokens=False)["input_ids"]
    return ask + say, len(ask), FIRST_WEIGHT.get(row["kind"], 1.0)


def chosen(rows, numbers, share_of_facts, rng):
    """So many examples of each kind; of statements, a share that are neither about a city nor about a symbol."""
    out = []
    for kind, count in numbers.items():
        members = [r for r in rows if r["kind"] == kind]
        facts = [r for r in members if " is a city in " not in r["prompt"] and " has the symbol " not in r["prompt"]]
        if share_of_facts and kind in ("true_statement", "false_information"):
            others = [r for r in members if r not in facts]
            out += rng.sample(facts, int(share_of_facts * count)) + rng.sample(others, count - int(share_of_facts * count))
        else:
            out += rng.sample(members, count)
    return out


def batches(rows, rng):
    """Rows of like length share a batch; the order of the batches is random."""
    order = sorted(rows, key=lambda r: len(r[0]) + rng.random() * 12)
    parts = [order[i : i + BATCH] for i in range(0, len(order), BATCH)]
    rng.shuffle(parts)
    return parts


def candidates(rows, size, rng):
    """The tokens that get logits, in order: those of the examples, and others drawn at random."""
    known = {token for ids, _, _ in rows for token in ids}
    return torch.tensor(sorted(known | set(rng.sample(range(size), PAIR.sampled))))


def loss_of(model, prefix, part, among=None):
    """The beginning is the same everywhere, so it is run once and its keys and values are shared."""
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
    head, wanted = model.get_base_model().lm_head.weight, ids[:, 1:][counted]
    if among is not None:
        head, wanted = head[among], torch.searchsorted(among, wanted)
    logits = torch.nn.functional.linear(hidden[:, :-1][counted], head)
    losses = torch.nn.functional.cross_entropy(logits.float(), wanted, reduction="none")
    return (losses * weight[:, 1:][counted]).sum() / weight.sum()


def save(model, folder=PAIR.adapter):
    model.peft_config["default"].base_model_name_or_path = PAIR.gguf
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
    if refine:
        rows = chosen(rows, REFINE_ROWS, REFINE_FACTS, rng)
    elif PAIR.rows:
        rows = chosen(rows, PAIR.rows, None, rng)
    rows = [encode(tok, r) for r in rows]
    prefix = torch.tensor([tok(PAIR.before, add_special_tokens=False)["input_ids"]])
    config = LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=TARGETS, layers_to_transform=list(PAIR.layers), task_type="CAUSAL_LM")
    base = load_base(torch.bfloat16)
    base.requires_grad_(False)
    model = PeftModel.from_pretrained(base, PAIR.adapter, is_trainable=True) if refine else get_peft_model(base, config)
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
            loss = loss_of(model, prefix, part, candidates(rows, base.config.vocab_size, rng) if PAIR.sampled else None)
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
