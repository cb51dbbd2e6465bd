"""Writes kinds.pt, a checkpoint with every storage type, views, parameters and nesting, and its tensors as safetensors.

Usage: make_pytorch.py [CHECKPOINT.pt]    with a checkpoint, writes that one's tensors as CHECKPOINT.safetensors instead
"""

import collections
import os
import sys

import torch
from safetensors.torch import save_file

here = os.path.dirname(os.path.abspath(__file__))


def write(tensors, name):
    save_file({key: value.detach().contiguous().clone() for key, value in tensors.items()}, os.path.join(here, name))


def kinds():
    torch.manual_seed(5)
    base = torch.randn(4, 5, 6)
    linear = torch.nn.Linear(3, 2)
    tensors = {
        "f64": torch.randn(3, dtype=torch.float64), "f16": torch.randn(2, 3).half(), "bf16": torch.randn(7).bfloat16(),
        "i64": torch.tensor([-(1 << 62), 1 << 62]), "i32": torch.tensor([[-5], [6]], dtype=torch.int32),
        "i16": torch.tensor([-300, 300], dtype=torch.int16), "i8": torch.tensor([-1, 1], dtype=torch.int8),
        "u8": torch.tensor([255, 0], dtype=torch.uint8), "bool": torch.tensor([True, False, True]),
        "scalar": torch.tensor(2.5), "empty": torch.empty(0, 3), "base": base, "permuted": base.permute(2, 0, 1),
        "slice": base[1:3, :, 2:4], "transposed": base[2].t(), "parameter": torch.nn.Parameter(torch.randn(2, 2)),
    }
    inner = collections.OrderedDict(linear.state_dict())
    nested = {"layers": {"0": inner}, "step": 7, "rate": 1e-4, "note": "né", "nothing": None, "big": 1 << 40, "done": True}
    torch.save({**tensors, **nested}, os.path.join(here, "kinds.pt"))
    write({**tensors, **{f"layers.0.{key}": value for key, value in inner.items()}}, "kinds.safetensors")


if __name__ == "__main__":
    if len(sys.argv) == 1:
        kinds()
    else:
        write(torch.load(sys.argv[1], weights_only=True), os.path.basename(sys.argv[1])[:-3] + ".safetensors")
