"""The peer that researchers use today: transformers in PyTorch, a forward hook adding a steering vector.

Loads a model once, then measures one round for each line that it is sent, so that rounds can alternate with another
program's. Prints the same CSV as `crosscope bench`; says "ready" when it has loaded and "done" after each round.
Usage: transformers_peer.py MODEL --dtype float32|bfloat16    MODEL is a GGUF file (dequantised) or a folder
"""

import argparse
import os
import sys
import time

import torch
from transformers import AutoModelForCausalLM, DynamicCache
from transformers.utils import logging


def load(path, dtype):
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    if os.path.isdir(path):
        return AutoModelForCausalLM.from_pretrained(path, dtype=dtype).eval()
    folder, name = os.path.split(os.path.abspath(path))
    return AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=dtype).eval()


def steer(model, strength):
    """Adds one vector to the output of the middle block, at every position."""
    block = model.model.layers[len(model.model.layers) // 2]
    torch.manual_seed(1)
    vector = (strength * torch.nn.functional.normalize(torch.randn(model.config.hidden_size), dim=0)).to(model.dtype)

    def hook(_module, _inputs, output):
        if isinstance(output, tuple):
            return (output[0] + vector,) + output[1:]
        return output + vector

    block.register_forward_hook(hook)


@torch.inference_mode()
def prefill(model, tokens):
    ids = torch.arange(tokens).mul(7919).add(13).remainder(model.config.vocab_size)[None]
    start = time.perf_counter()
    model(ids, use_cache=True, logits_to_keep=1)
    return time.perf_counter() - start


@torch.inference_mode()
def decode(model, streams, tokens, prompt=16):
    ids = torch.arange(prompt).mul(7919).add(13).remainder(model.config.vocab_size).repeat(streams, 1)
    cache = DynamicCache(config=model.config)
    logits = model(ids, past_key_values=cache, logits_to_keep=1).logits
    start = time.perf_counter()
    for _ in range(tokens):
        logits = model(logits[:, -1].argmax(-1, keepdim=True), past_key_values=cache).logits
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--prefill", type=int, default=512)
    parser.add_argument("--decode", type=int, default=64)
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 2, 8])
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model = load(options.model, getattr(torch, options.dtype))
    steer(model, 4.0)
    # The first pass allocates and chooses kernels.
    prefill(model, options.prefill)
    decode(model, 1, 4)
    core = os.environ.get("OPENBLAS_CORETYPE", "")
    print("ready", flush=True)
    for _ in sys.stdin:
        print("measure,streams,tokens,seconds,tokens_per_second,kernels,openblas_core,threads")
        seconds = prefill(model, options.prefill)
        rows = [("prefill", 1, options.prefill, seconds)]
        for streams in options.streams:
            rows.append(("decode", streams, streams * options.decode, decode(model, streams, options.decode)))
        for measure, streams, tokens, seconds in rows:
            print(f"{measure},{streams},{tokens},{seconds:.6f},{tokens / seconds:.2f},"
                  f"{torch.backends.cpu.get_cpu_capability()},{core},{options.threads}")
        print("done", flush=True)


if __name__ == "__main__":
    main()
