"""Greedy tokens of the demo's base model under an exported control vector, by llama.cpp and by crosscope.

For a few latents and strengths: crosscope exports the vector; llama.cpp, which reads it as its own loader does
(direction.N belongs to layer N, 1 or more), continues a prompt greedily; crosscope computes logits for that whole text
with the same vector (`forward --steer-vector`). Every token of llama.cpp's must be crosscope's likeliest one, up to near ties:
llama.cpp rounds activations to 8 bits. Run by scripts/check-control-vector.
"""

import argparse
import ctypes
import json
import struct
import subprocess
from pathlib import Path

import llama_cpp
import numpy
from gguf import GGUFReader

PROMPT = "<|im_start|>user\nWhat do bees make?<|im_end|>\n<|im_start|>assistant\n"
TOKENS = 24
# A gap of logits below which two engines of different rounding may choose differently.
TIE = 0.25


class LlamaCpp:
    """One model of llama.cpp."""

    def __init__(self, model):
        self.quiet = llama_cpp.llama_log_callback(lambda *_: None)
        llama_cpp.llama_log_set(self.quiet, None)
        llama_cpp.llama_backend_init()
        self.model = llama_cpp.llama_model_load_from_file(str(model).encode(), llama_cpp.llama_model_default_params())
        self.vocabulary = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self.model))
        self.width = llama_cpp.llama_model_n_embd(self.model)
        self.layers = llama_cpp.llama_model_n_layer(self.model)

    def greedy(self, prompt, vector_file):
        """Continues token ids, with a control vector where one is given."""
        parameters = llama_cpp.llama_context_default_params()
        parameters.n_ctx = 512
        parameters.n_threads = parameters.n_threads_batch = 2
        context = llama_cpp.llama_init_from_model(self.model, parameters)
        if vector_file:
            data = numpy.zeros((self.layers - 1, self.width), dtype=numpy.float32)
            for tensor in GGUFReader(vector_file).tensors:
                name, layer = tensor.name.split(".")
                assert name == "direction" and 1 <= int(layer) < self.layers, tensor.name
                data[int(layer) - 1] = tensor.data
            pointer = data.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
            result = llama_cpp.llama_set_adapter_cvec(context, pointer, data.size, self.width, 1, self.layers)
            assert result == 0, "llama.cpp refuses the vector"
        ids, pending = list(prompt), list(prompt)
        for _ in range(TOKENS):
            tokens = (llama_cpp.llama_token * len(pending))(*pending)
            assert llama_cpp.llama_decode(context, llama_cpp.llama_batch_get_one(tokens, len(pending))) == 0
            logits = llama_cpp.llama_get_logits_ith(context, -1)
            pending = [int(numpy.ctypeslib.as_array(logits, shape=(self.vocabulary,)).argmax())]
            ids += pending
        llama_cpp.llama_free(context)
        return ids


def read_logits(path):
    """The tensor logits of a safetensors file."""
    data = Path(path).read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    entry = json.loads(data[8 : 8 + length])["logits"]
    begin, end = (8 + length + offset for offset in entry["data_offsets"])
    return numpy.frombuffer(data[begin:end], dtype=numpy.float32).reshape(entry["shape"])


def main():
    parser = argparse.ArgumentParser()
    for name in ("program", "model", "store", "work"):
        parser.add_argument(f"--{name}", required=True)
    options = parser.parse_args()
    work = Path(options.work)

    def run(*arguments, **more):
        return subprocess.run([options.program, *arguments], check=True, capture_output=True, text=True, **more).stdout

    prompt = json.loads(run("tokenize", "--model", options.model, input=PROMPT))["ids"]
    llama = LlamaCpp(options.model)
    plain = llama.greedy(prompt, None)
    failed = 0
    for latent, strength in ((3330, 0.5), (2898, 0.5), (3242, 1.0), (3330, -0.5)):
        vector, tensor = work / "vector.gguf", work / "vector.safetensors"
        for form, out in (("control-vector", vector), ("safetensors", tensor)):
            run("export", options.store, form, "--latent", f"{latent}:{strength}", "--out", str(out))
        ids = llama.greedy(prompt, str(vector))
        run(
            "forward", "--model", options.model, "--tokens", ",".join(map(str, ids)), "--steer-layer", "14",
            "--steer-vector", str(tensor), "--out", str(work / "logits.safetensors"),
        )
        rows = read_logits(work / "logits.safetensors")[len(prompt) - 1 : -1]
        chosen = numpy.array(ids[len(prompt) :])
        gaps = rows.max(axis=1) - rows[numpy.arange(len(chosen)), chosen]
        same = int((gaps == 0).sum())
        good = bool((gaps < TIE).all()) and ids != plain
        failed += not good
        print(
            f"latent {latent} at {strength}: {same} of {len(chosen)} greedy tokens the same, largest gap of logits "
            f"{gaps.max():.3f}, differs from unsteered: {ids != plain}: {'ok' if good else 'NOT THE SAME'}"
        )
    raise SystemExit(1 if failed else 0)


main()
