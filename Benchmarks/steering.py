#!/usr/bin/env python3
"""Measures another strength -> 40 new tokens in both panes: crosscope against two llama.cpp runs and transformers.

The prompt has 50 tokens. crosscope decodes baseline and steered answer together and keeps the prompt up to the steered
block (`crosscope bench --store`). llama.cpp runs twice, with and without a control vector, each from the prompt on, as its
users do. transformers decodes both as one batch, a hook adding the vector to one of them, in bf16 and fp32. SmolLM2 135M
(Q4_1; dequantised for transformers), greedy; crosscope's chat model has an adapter besides, the peers have none. Rounds
alternate; a ratio is the peer's seconds over crosscope's in the same round, for as many tokens. Needs scripts/bench-peers.
"""

import argparse
import csv
import ctypes
import os
import statistics
import subprocess
import sys
import time

from engine import ROOT, environment, say, wait_for_quiet

PROMPT, TOKENS, WIDTH = 50, 40, 576


def crosscope(options):
    """Seconds for both answers of TOKENS tokens."""
    output = subprocess.run([options.crosscope, "bench", "--store", options.store, "--repeats", "3", "--threads",
                             str(options.threads)], capture_output=True, text=True, check=True).stdout
    row = next(row for row in csv.DictReader(output.splitlines()) if row["measure"] == "answers")
    return float(row["seconds"]) * 2 * TOKENS / int(row["tokens"])


class LlamaCpp:
    def __init__(self, options):
        import llama_cpp
        self.api, self.threads = llama_cpp, options.threads
        self.quiet = llama_cpp.llama_log_callback(lambda *_: None)
        llama_cpp.llama_log_set(self.quiet, None)
        llama_cpp.llama_backend_init()
        self.model = llama_cpp.llama_model_load_from_file(
            options.model.encode(), llama_cpp.llama_model_default_params())
        self.layers = llama_cpp.llama_model_n_layer(self.model)
        self.contexts = [self.context(False), self.context(True)]

    def context(self, steered):
        api = self.api
        parameters = api.llama_context_default_params()
        parameters.n_ctx = 256
        parameters.n_threads = parameters.n_threads_batch = self.threads
        context = api.llama_init_from_model(self.model, parameters)
        if steered:
            size = WIDTH * (self.layers - 1)
            data = (ctypes.c_float * size)(*([0.01] * size))
            assert api.llama_set_adapter_cvec(context, data, size, WIDTH, 14, 14) == 0
        return context

    def round(self):
        start = time.perf_counter()
        for context in self.contexts:
            self.api.llama_memory_clear(self.api.llama_get_memory(context), True)
            pending = [(i * 7919 + 13) % 49152 for i in range(PROMPT)]
            for _ in range(TOKENS):
                tokens = (self.api.llama_token * len(pending))(*pending)
                assert self.api.llama_decode(context, self.api.llama_batch_get_one(tokens, len(pending))) == 0
                logits = self.api.llama_get_logits_ith(context, -1)
                pending = [max(range(0, 49152, 997), key=lambda i: logits[i])]
        return time.perf_counter() - start


class Transformers:
    def __init__(self, options, dtype):
        import torch
        from transformers_peer import load
        self.torch = torch
        torch.set_num_threads(options.threads)
        self.model = load(options.model, getattr(torch, dtype))
        vector = 0.01 * torch.ones(WIDTH, dtype=self.model.dtype)

        def hook(_module, _inputs, output):
            (output[0] if isinstance(output, tuple) else output)[1] += vector
        self.model.model.layers[14].register_forward_hook(hook)

    def round(self):
        from transformers import DynamicCache
        torch = self.torch
        with torch.inference_mode():
            ids = torch.arange(PROMPT).mul(7919).add(13).remainder(49152).repeat(2, 1)
            start = time.perf_counter()
            cache = DynamicCache(config=self.model.config)
            logits = self.model(ids, past_key_values=cache, logits_to_keep=1).logits
            for _ in range(TOKENS - 1):
                logits = self.model(logits[:, -1].argmax(-1, keepdim=True), past_key_values=cache).logits
            return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--crosscope", default=os.path.join(ROOT, ".build", "release", "crosscope"))
    parser.add_argument("--store", default=os.path.join(ROOT, "data", "demo", "demo.crosscope"))
    parser.add_argument("--model", required=True, help="SmolLM2's GGUF file")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5, help="rounds that count (one more comes before them)")
    parser.add_argument("--even-if-busy", action="store_true", help="do not wait for a quiet machine")
    options = parser.parse_args()
    wait_for_quiet(options)
    peers = {}
    for name, make in (("llama.cpp, two runs", lambda: LlamaCpp(options)),
                       ("transformers bf16", lambda: Transformers(options, "bfloat16")),
                       ("transformers fp32", lambda: Transformers(options, "float32"))):
        try:
            peers[name] = make()
        except ImportError as error:
            say(f"{name} is not measured: {error}")
    rounds = []
    for number in range(options.repeats + 1):
        own = crosscope(options)
        rounds.append((own, {name: peer.round() for name, peer in peers.items()}))
        say(f"round {number}: crosscope {own:.3f} s, " + ", ".join(f"{n} {s:.3f} s" for n, s in rounds[-1][1].items()))
    rounds = rounds[1:]
    for key, value in environment(options).items():
        print(f"# {key}: {value}")
    writer = csv.writer(sys.stdout)
    writer.writerow(["peer", "crosscope_seconds", "peer_seconds", "ratio", "lowest", "highest"])
    own = statistics.median(own for own, _ in rounds)
    for name in peers:
        ratios = [others[name] / own for own, others in rounds]
        seconds = statistics.median(others[name] for _, others in rounds)
        row = [name, f"{own:.3f}", f"{seconds:.3f}", f"{statistics.median(ratios):.2f}", f"{min(ratios):.2f}",
               f"{max(ratios):.2f}"]
        writer.writerow(row)
        say("  ".join(row))


if __name__ == "__main__":
    main()
