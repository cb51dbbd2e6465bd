#!/usr/bin/env python3
"""BatchTopK training steps of a crosscoder in PyTorch, dense, as the authors' library computes them: the peer of
`crosscope bench --training`. Prints "ready", then for each line on stdin the seconds of the median step and "done".
"""

import argparse
import statistics
import sys
import time

import torch


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    dtype = getattr(torch, options.dtype)
    d, latents, k, batch = 576, 4096, 32, 2048
    torch.manual_seed(1)
    weight = torch.nn.functional.normalize(torch.rand(d, latents) * 2 - 1, dim=0)
    parameter = lambda value: torch.nn.Parameter(value.to(dtype).contiguous())
    encoder, bias = parameter(weight.expand(2, d, latents)), parameter(torch.zeros(latents))
    decoder, decoder_bias = parameter(weight.T.expand(2, latents, d)), parameter(torch.zeros(2, d))
    parameters = [encoder, bias, decoder, decoder_bias]
    optimizer = torch.optim.Adam(parameters, lr=1e-4)
    shared = torch.rand(batch, 1, d) - 0.5
    x = torch.cat([shared, shared + 0.3 * (torch.rand(batch, 1, d) - 0.5)], 1)
    x = ((x - x.mean(0)) / x.std(0).pow(2).sum().sqrt()).to(dtype)

    def step():
        f = torch.relu(torch.einsum("bmd,mdf->bf", x, encoder) + bias)
        scaled = (f * decoder.norm(dim=2).sum(0)).detach().flatten()
        kept = scaled.topk(k * batch, sorted=False).indices
        f = torch.zeros_like(scaled).scatter(0, kept, f.flatten()[kept]).reshape(f.shape)
        error = x - torch.einsum("bf,mfd->bmd", f, decoder) - decoder_bias
        loss = torch.linalg.norm(error, dim=-1).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()

    step()
    print("ready", flush=True)
    for _ in sys.stdin:
        seconds = []
        for _ in range(options.steps):
            start = time.perf_counter()
            step()
            seconds.append(time.perf_counter() - start)
        print(statistics.median(seconds))
        print("done", flush=True)


if __name__ == "__main__":
    main()
