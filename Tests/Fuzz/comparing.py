"""What the comparisons of `crosscope forward` with a library share: one case is judged, many are counted."""

import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file


def randomise(model):
    """Gives every weight a value that tells the parts of a model apart, from torch's seed."""
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() == 2:
                weight.normal_(0, 1.0 if "embed" in name else 1.5 / weight.shape[1] ** 0.5)
            else:
                weight.add_(0.3 * torch.randn_like(weight))


def judge(program, inputs, ids, wanted, tolerance, folder, says):
    """Kind and line of a case: what `crosscope forward` makes of the tokens `ids`, beside the library's logits.

    inputs: options that name the files, paths in them below `folder`; wanted: the library's logits, None where it fails;
    says: describes the case in a line.
    """
    out = folder / "out.safetensors"
    run = subprocess.run(
        [program, "forward", *inputs, "--tokens", ",".join(map(str, ids)), "--precision", "exact", "--threads", "1",
         "--out", out], capture_output=True, text=True)
    said = (run.stderr.strip().splitlines() or [""])[-1].replace(str(folder), "")
    if run.returncode not in (0, 1):
        return "crash", f"{said} | {says}"
    if run.returncode:
        return ("neither", None) if wanted is None else ("refused", f"{said} | {says}")
    if wanted is None:
        return "taken", says
    difference = (load_file(out)["logits"] - wanted).abs().max().item()
    if difference <= tolerance * max(1, wanted.abs().max().item() / 10):
        return "same", None
    return "different", f"by {difference} | {says}"


def run(case):
    """Judges the cases that the command line names, prints a line for each that is not the same, and how many of each
    kind there were; ends with 1 if one differs or crashes."""
    program, first, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    kinds = {}
    for number in range(first, first + count):
        with tempfile.TemporaryDirectory() as folder:
            kind, line = case(program, number, Path(folder))
        kinds[kind] = kinds.get(kind, 0) + 1
        if line:
            print(kind, number, line, flush=True)
    print(kinds)
    sys.exit(1 if {"crash", "different"} & set(kinds) else 0)
