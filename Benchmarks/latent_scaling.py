#!/usr/bin/env python3
"""Measures `crosscope scale` against Latent Scaling done densely in PyTorch, on the same activations and crosscoder.

crosscope computes every target (error, reconstruction, activation; base and chat) for all latents, from the file to the
printed JSON. The peer computes the error betas of one model, as one does without sparsity: for a chunk of latents and a
chunk of tokens it forms the targets h − ĥ + f_j d_j as a tensor [latents, tokens, d] and contracts it with f_j and
d_j^chat. Three ways: `broadcast` forms the targets with as few copies as PyTorch allows; `expanded` repeats errors and
directions to full size first and selects the firing latents by copying, as the public reference code does; `unchunked`
is `expanded` with all latents at once, which is how that code is called. Chunks of the first two are the fastest of a
few sizes tried before: small enough for the caches. Encoding counts for all, loading PyTorch and the file does not count
for the peer. The peer sees fewer tokens; rates are compared.

Rounds alternate on the same cores; a ratio is formed within a round, of tokens a second by the clock and of tokens a
second of processor time; the latter is what a machine that is not quiet can still tell (with --threads 1 and
--even-if-busy). The first round warms up and is left out. Betas of both are compared first. Needs torch, numpy and
safetensors; prints CSV on stdout, what it does on stderr.
"""

import argparse
import csv
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

import torch
from safetensors.torch import save_file

from engine import environment, say, wait_for_quiet

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)


def make(folder, options):
    """A random BatchTopK crosscoder whose threshold leaves `l0` latents on, and activations with latents in them."""
    generator = torch.Generator().manual_seed(options.seed)
    d, F, N = options.d, options.latents, options.tokens
    random = lambda *shape: torch.randn(*shape, generator=generator)
    directions = random(2, F, d) / d**0.5
    encoder = directions.transpose(1, 2).contiguous()
    bias = 0.1 * random(F)
    x = torch.empty(N, 2, d)
    for start in range(0, N, 4096):
        count = min(4096, N - start)
        codes = torch.where(torch.rand(count, F, generator=generator) < 20 / F, random(count, F).abs() * 3, 0.0)
        x[start:start + count] = torch.einsum("nf,mfd->nmd", codes, directions) + 0.3 * random(count, 2, d)
    norms = directions.norm(dim=2).sum(0)
    sample = x[:2048]
    scaled = torch.relu(torch.einsum("nmd,mdf->nf", sample, encoder) + bias) * norms
    threshold = scaled.flatten().kthvalue(scaled.numel() - 2048 * options.l0).values
    crosscoder = os.path.join(folder, "crosscoder")
    os.makedirs(crosscoder)
    weights = {
        "encoder.weight": encoder, "encoder.bias": bias, "decoder.weight": directions, "decoder.bias": 0.1 * random(2, d),
        "code_normalization_id": torch.tensor(1), "k": torch.tensor(options.l0), "threshold": threshold,
    }
    save_file(weights, os.path.join(crosscoder, "model.safetensors"))
    with open(os.path.join(crosscoder, "config.json"), "w", encoding="utf-8") as file:
        json.dump({"activation_dim": d, "dict_size": F, "num_layers": 2, "k": options.l0,
                   "code_normalization": "CROSSCODER"}, file)
    with open(os.path.join(crosscoder, "trainer_config.json"), "w", encoding="utf-8") as file:
        json.dump({"trainer": {"dict_class": "BatchTopKCrossCoder"}}, file)
    activations = os.path.join(folder, "activations.safetensors")
    save_file({"x": x}, activations)
    return crosscoder, activations, weights, x


@torch.no_grad()
def encode(weights, x):
    f = torch.relu(torch.einsum("nmd,mdf->nf", x, weights["encoder.weight"]) + weights["encoder.bias"])
    norms = weights["decoder.weight"].norm(dim=2).sum(0)
    return torch.where(f * norms > weights["threshold"], f, 0.0)


@torch.no_grad()
def dense_error_betas(weights, x, model, token_chunk, latent_chunk, expanded=False):
    """β^ε of one model for every latent, NaN where it never fires."""
    decoder = weights["decoder.weight"]
    own, chat = decoder[model], decoder[1]
    F, d = own.shape
    numerator = torch.zeros(F)
    squares = torch.zeros(F)
    for first in range(0, len(x), token_chunk):
        h = x[first:first + token_chunk]
        f = encode(weights, h)
        error = h[:, model] - (f @ own + weights["decoder.bias"][model])
        squares += (f**2).sum(0)
        for low in range(0, F, latent_chunk):
            latents = slice(low, low + latent_chunk)
            codes = f[:, latents].T
            if expanded:
                stacked = error.unsqueeze(0).repeat(len(codes), 1, 1)
                directions = own[latents].unsqueeze(1).repeat(1, len(h), 1)
                target = stacked + directions * codes.unsqueeze(2)
                firing = (codes != 0).any(1)
                weighted = torch.bmm(target[firing].transpose(1, 2), codes[firing].unsqueeze(2)).squeeze(2)
            else:
                target = error.unsqueeze(0) + codes.unsqueeze(2) * own[latents].unsqueeze(1)
                firing = slice(None)
                weighted = torch.bmm(codes.unsqueeze(1), target).squeeze(1)
            chunk = numerator[latents]
            chunk[firing] += (weighted * chat[latents][firing]).sum(1)
    return numerator / (squares * (chat**2).sum(1))


def timed(body):
    """Seconds by the clock, and of processor time of this process and of those that it waited for."""
    def processor():
        usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(one.ru_utime + one.ru_stime for one in usage)

    clock, before = time.perf_counter(), processor()
    body()
    return time.perf_counter() - clock, processor() - before


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--crosscope", default=os.path.join(ROOT, ".build", "release", "crosscope"))
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--repeats", type=int, default=5, help="rounds that count (one more comes before them)")
    parser.add_argument("--d", type=int, default=576)
    parser.add_argument("--latents", type=int, default=4096)
    parser.add_argument("--l0", type=int, nargs="+", default=[32, 100], help="latents on at a token")
    parser.add_argument("--tokens", type=int, default=65536, help="tokens for crosscope")
    parser.add_argument("--peer-tokens", type=int, default=256)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--even-if-busy", action="store_true", help="do not wait for a quiet machine")
    options = parser.parse_args()
    if not os.access(options.crosscope, os.X_OK):
        sys.exit(f"{options.crosscope} is not there; build it with: swift build -c release --product crosscope")
    torch.set_num_threads(options.threads)
    for key, value in environment(options).items():
        say(f"{key}: {value}")
        print(f"# {key}: {value}")
    print(f"# peer: PyTorch {torch.__version__}, fp32")
    out = csv.writer(sys.stdout)
    out.writerow(["d", "latents", "l0", "round", "crosscope_tokens", "crosscope_seconds", "crosscope_cpu_seconds",
                  "crosscope_tokens_per_cpu_second", "peer", "peer_tokens", "peer_chunk", "peer_seconds",
                  "peer_cpu_seconds", "peer_tokens_per_cpu_second", "ratio_by_clock", "ratio_by_cpu"])
    for l0 in options.l0:
        options.l0 = l0
        with tempfile.TemporaryDirectory() as folder:
            crosscoder, activations, weights, x = make(folder, options)
            small = x[:options.peer_tokens].clone()
            del x
            command = [options.crosscope, "scale", "--crosscoder", crosscoder, "--activations", activations, "--json"]
            environ = dict(os.environ, CROSSCOPE_THREADS=str(options.threads))
            ours = lambda: subprocess.run(command, capture_output=True, check=True, env=environ).stdout
            check(options, folder, command, weights, small, environ)
            wait_for_quiet(options)
            chunks = [(16, 64), (16, 512), (64, 64), (64, 512), (256, 64)]
            kinds = {"broadcast": False, "expanded": True, "unchunked": True}
            peer = lambda kind, chunk: timed(lambda: dense_error_betas(weights, small, 0, *chunk, kinds[kind]))
            best = {kind: min(chunks, key=lambda chunk: min(peer(kind, chunk)[1] for _ in range(2))) for kind in kinds if kind != "unchunked"}
            best["unchunked"] = (64, options.latents)
            ratios = {kind: [] for kind in kinds}
            for index in range(options.repeats + 1):
                wait_for_quiet(options)
                mine = timed(ours)
                for kind, chunk in best.items():
                    theirs = peer(kind, chunk)
                    if index == 0:
                        continue
                    clock, cpu = (options.tokens / a / (options.peer_tokens / b) for a, b in zip(mine, theirs))
                    ratios[kind].append(cpu)
                    out.writerow([options.d, options.latents, l0, index, options.tokens, *(f"{v:.3f}" for v in mine),
                                  f"{options.tokens / mine[1]:.0f}", kind, options.peer_tokens, f"{chunk[0]}x{chunk[1]}",
                                  *(f"{v:.3f}" for v in theirs), f"{options.peer_tokens / theirs[1]:.1f}",
                                  f"{clock:.0f}", f"{cpu:.0f}"])
                    sys.stdout.flush()
            for kind, values in ratios.items():
                say(f"L0 {l0}, {kind}: ratio by processor time {statistics.median(values):.0f} ({min(values):.0f}-{max(values):.0f})")


def check(options, folder, command, weights, small, environ):
    """Both say the same of the same tokens."""
    path = os.path.join(folder, "small.safetensors")
    save_file({"x": small}, path)
    output = subprocess.run([*command[:5], path, "--json"], capture_output=True, check=True, env=environ).stdout
    found = torch.tensor([row["beta_error_base"] if row["beta_error_base"] is not None else float("nan")
                          for row in json.loads(output)["latents"]])
    wanted = dense_error_betas(weights, small, 0, 64, 64)
    expanded = dense_error_betas(weights, small, 0, 64, 64, expanded=True)
    assert torch.allclose(wanted, expanded, rtol=1e-3, atol=1e-4, equal_nan=True)
    present = ~(found.isnan() | wanted.isnan())
    difference = ((found - wanted).abs() / wanted.abs().clamp(min=0.01))[present].max().item()
    l0 = (encode(weights, small) > 0).sum(1).float().mean().item()
    say(f"L0 {l0:.1f}; error betas of {int(present.sum())} latents agree within {difference:.1e}")
    if not difference < 1e-2 or (found.isnan() != wanted.isnan()).sum() > 4:
        sys.exit("the two disagree")


if __name__ == "__main__":
    main()
