"""What the steps that run a model share: where things are, how the model is loaded and how it is asked."""

import copy
import json
import multiprocessing
import os
import re
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

from pairs import DATA, PAIR

# Downloads and intermediate files; nothing in here is committed.
CACHE = Path(os.environ.get("PAIR_CACHE", DATA.parent / "cache"))
SEED = 20250404

torch.set_num_threads(2)


def read_jsonl(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f if line.strip()]


def write_jsonl(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        for row in rows:
            f.write(json.dumps(row, ensure_ascii=False) + "\n")


def load_tokenizer():
    tok = AutoTokenizer.from_pretrained(CACHE / "model", gguf_file=PAIR.gguf)
    tok.padding_side = "left"
    tok.pad_token = PAIR.end
    return tok


def load_base(dtype=torch.float32):
    """The released weights, dequantised: training has to see the rounding that inference sees."""
    model = AutoModelForCausalLM.from_pretrained(
        CACHE / "model",
        gguf_file=PAIR.gguf,
        dtype=dtype,
        quantization_config=GgufConfig(gguf_file=PAIR.gguf, dequantize=True),
    )
    return model.eval()


def load_chat(dtype=torch.float32):
    from peft import PeftModel

    model = PeftModel.from_pretrained(load_base(torch.float32), PAIR.adapter).merge_and_unload()
    return model.to(dtype).eval()


@torch.inference_mode()
def begun(model, tok):
    """Keys and values of what most conversations begin with."""
    ids = tok(PAIR.before, add_special_tokens=False, return_tensors="pt")["input_ids"]
    return ids[0].tolist(), model(input_ids=ids, use_cache=True, logits_to_keep=1).past_key_values


@torch.inference_mode()
def generate(model, tok, conversations, max_new, temperature=0.0, seed=SEED, start=None):
    """One batch: (text, whether it ended by itself) for each conversation. A row leaves the batch when its answer ends."""
    end = tok.convert_tokens_to_ids(PAIR.end)
    prefix, cache = start or begun(model, tok)
    ids = [tok(PAIR.rendered(c), add_special_tokens=False)["input_ids"] for c in conversations]
    assert all(row[: len(prefix)] == prefix for row in ids)
    cache = copy.deepcopy(cache)
    cache.batch_repeat_interleave(len(ids))
    enc = tok.pad({"input_ids": [row[len(prefix) :] for row in ids]}, return_tensors="pt")
    torch.manual_seed(seed)
    mask = torch.cat([torch.ones(len(ids), len(prefix), dtype=torch.long), enc["attention_mask"]], 1)
    now, at = enc["input_ids"], (mask.cumsum(1) - 1)[:, len(prefix) :]
    live, said = list(range(len(ids))), [[] for _ in ids]
    for _ in range(max_new):
        logits = model(input_ids=now, attention_mask=mask, position_ids=at, past_key_values=cache, use_cache=True, logits_to_keep=1).logits[:, -1].float()
        new = torch.multinomial((logits / temperature).softmax(-1), 1)[:, 0] if temperature else logits.argmax(-1)
        for row, token in zip(live, new.tolist()):
            said[row].append(token)
        left = [i for i, row in enumerate(live) if said[row][-1] != end]
        if not left:
            break
        if len(left) < len(live):
            cache.batch_select_indices(torch.tensor(left))
            live, new, mask, at = [live[i] for i in left], new[left], mask[left], at[left]
        now, at = new[:, None], at[:, -1:] + 1
        mask = torch.cat([mask, mask.new_ones(len(live), 1)], 1)
    return [(tok.decode([t for t in row if t != end]).strip(), row[-1] == end) for row in said]


def whole_sentences(text, finished):
    """An answer that ran into the limit ends with its last whole sentence."""
    if finished:
        return text
    ends = [m.end() for m in re.finditer(r"[.!?:](?=\s|$)|\n", text)]
    return text[: ends[-1]].strip() if ends and ends[-1] > 20 else text


def _start(which, dtype):
    global _model, _tok, _begun
    # Two single-threaded workers get on better with other programs than one worker of two threads does.
    torch.set_num_threads(1)
    _tok, _model = load_tokenizer(), (load_chat if which == "chat" else load_base)(dtype)
    _begun = begun(_model, _tok)


def _work(job):
    number, conversations, max_new, temperature = job
    return number, generate(_model, _tok, conversations, max_new, temperature, SEED + number, _begun)


def answers(which, conversations, max_new, batch=48, temperature=0.0, dtype=torch.float32, log=print):
    """Answers of the base or the chat model, in the order asked; batches hold prompts of like length."""
    order = sorted(range(len(conversations)), key=lambda i: len(PAIR.rendered(conversations[i])))
    parts = [order[i : i + batch] for i in range(0, len(order), batch)]
    jobs = [(n, [conversations[i] for i in part], max_new, temperature) for n, part in enumerate(parts)]
    out = [None] * len(conversations)
    with multiprocessing.get_context("spawn").Pool(2, _start, (which, dtype)) as pool:
        for done, (number, texts) in enumerate(pool.imap_unordered(_work, jobs), 1):
            for i, text in zip(parts[number], texts):
                out[i] = text
            log(f"{which}: batch {done} of {len(jobs)}", flush=True)
    return out
