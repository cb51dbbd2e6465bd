#!/usr/bin/env python3
"""Makes files of the published size, with random content, to measure `crosscope import` on.

    make_published.py FOLDER [D]     writes FOLDER/crosscoder (2.7 GB), FOLDER/examples.db (2.2 GB) and FOLDER/feature_df.csv

d = D, 2304 if not said otherwise: a narrow crosscoder is imported sooner, and the explorer does not look at it.
F = 73,728 latents, about 100,000 sequences of up to 1024 tokens, 1.5 M examples with as many active positions as make up
the published database's size. Needs numpy. Nothing of it is shipped or used by tests.
"""

import json
import sqlite3
import struct
import sys
from pathlib import Path

import numpy as np

D, F, SEQUENCES, EXAMPLES, VOCABULARY = 2304, 73_728, 100_000, 1_500_000, 256_000


def crosscoder(folder: Path) -> np.ndarray:
    """Writes the checkpoint a slice at a time; returns the decoder norms [2, F]."""
    folder.mkdir(parents=True, exist_ok=True)
    shapes = {
        "decoder.bias": [2, D], "decoder.weight": [2, F, D], "encoder.bias": [F], "encoder.weight": [2, D, F],
    }
    header, offset = {}, 0
    for name, shape in shapes.items():
        size = 4 * int(np.prod(shape))
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    random = np.random.default_rng(1)
    # Directions share a few thousand centres, so that neighbours mean something; a tenth of all are chat-only or base-only.
    centres = random.standard_normal((4096, D), dtype=np.float32)
    scale = np.ones((2, F), np.float32)
    kind = random.random(F)
    scale[0, kind < 0.05] = 0.02
    scale[1, kind > 0.97] = 0.02
    centre = random.integers(0, len(centres), F)
    norms = np.zeros((2, F))
    with open(folder / "model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.write(np.zeros((2, D), np.float32).tobytes())
        for model in range(2):
            for start in range(0, F, 4096):
                rows = slice(start, start + 4096)
                weights = centres[centre[rows]] + random.standard_normal((4096, D), dtype=np.float32)
                weights *= (scale[model, rows] / 48)[:, None]
                norms[model, rows] = np.linalg.norm(weights, axis=1)
                file.write(weights.tobytes())
        file.write((-0.1 * np.ones(F, np.float32)).tobytes())
        for _ in range(2 * D // 64):
            file.write((0.02 * random.standard_normal((64, F), dtype=np.float32)).tobytes())
    (folder / "config.json").write_text(json.dumps({"activation_dim": D, "dict_size": F, "num_layers": 2}))
    (folder / "trainer_config.json").write_text(json.dumps({"trainer": {
        "dict_class": "CrossCoder", "layer": 13, "lm_name": "google/gemma-2-2b-it-google/gemma-2-2b"}}))
    return norms


def examples(path: Path) -> np.ndarray:
    """Writes examples.db in the published schema; returns each latent's largest activation."""
    random = np.random.default_rng(2)
    path.unlink(missing_ok=True)
    db = sqlite3.connect(path)
    db.executescript("""
        PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
        CREATE TABLE sequences (sequence_idx INTEGER PRIMARY KEY, token_ids BLOB);
        CREATE TABLE quantile_examples (feature_idx INTEGER, quantile_idx INTEGER, activation REAL,
          sequence_idx INTEGER, PRIMARY KEY (feature_idx, sequence_idx),
          FOREIGN KEY (sequence_idx) REFERENCES sequences(sequence_idx));
        CREATE TABLE activation_details (feature_idx INTEGER, sequence_idx INTEGER, positions BLOB,
          activation_values BLOB, PRIMARY KEY (feature_idx, sequence_idx),
          FOREIGN KEY (sequence_idx) REFERENCES sequences(sequence_idx),
          FOREIGN KEY (feature_idx, sequence_idx) REFERENCES quantile_examples(feature_idx, sequence_idx));
        """)
    lengths = np.minimum(1024, random.lognormal(6.2, 0.8, SEQUENCES)).astype(int) + 8
    lengths = np.minimum(lengths, 1024)
    zipf = np.minimum(random.zipf(1.2, 1 << 20), VOCABULARY - 1).astype(np.int32)

    def sequence(index: int) -> tuple[int, bytes]:
        start = random.integers(0, len(zipf) - 1024)
        ids = zipf[start:start + lengths[index]].copy()
        ids[0] = 2
        return index, ids.tobytes()

    db.executemany("INSERT INTO sequences VALUES (?, ?)", (sequence(i) for i in range(SEQUENCES)))
    per_latent = np.full(F, EXAMPLES // F)
    per_latent[: EXAMPLES - per_latent.sum()] += 1
    maxima = np.maximum(0.5, random.lognormal(2.5, 0.7, F))
    for latent in range(F):
        chosen = random.choice(SEQUENCES, per_latent[latent], replace=False)
        heads, details = [], []
        for place, index in enumerate(chosen):
            length = lengths[index]
            count = int(np.clip(random.lognormal(4.2, 1.2), 1, length - 1))
            positions = random.permutation(length - 1)[:count].astype(np.int32) + 1
            peak = maxima[latent] * (1 if place == 0 else random.random() ** 0.3)
            values = (peak * random.random(count) ** 3).astype(np.float32)
            values[random.integers(count)] = peak
            values = np.maximum(values, np.float32(1e-4))
            top = float(values.max())
            share = top / maxima[latent]
            quantile = int(np.searchsorted([0.25, 0.5, 0.75, 0.95], share))
            heads.append((latent, quantile, top, int(index)))
            details.append((latent, int(index), positions.tobytes(), values.tobytes()))
        db.executemany("INSERT INTO quantile_examples VALUES (?, ?, ?, ?)", heads)
        db.executemany("INSERT INTO activation_details VALUES (?, ?, ?, ?)", details)
        if latent % 8192 == 0:
            db.commit()
            print(f"latent {latent}", file=sys.stderr)
    db.commit()
    db.close()
    return maxima


def table(path: Path, norms: np.ndarray, maxima: np.ndarray) -> None:
    """Writes feature_df.csv; error betas only for the chat-only latents, as published."""
    random = np.random.default_rng(3)
    base, chat = norms
    difference = 1 - 0.5 * ((chat - base) / np.maximum(chat, base) + 1)
    columns = ["", "tag", "dec_norm_diff", "dec_base_norm", "dec_instruct_norm", "max_act_train", "freq", "dead",
               "lmsys_freq", "lmsys_ctrl_%", "lmsys_avg_act", "base uselessness score", "beta_error_base",
               "beta_error_chat", "beta_ratio_error", "beta_ratio_reconstruction"]
    columns += [f"extra_{n}" for n in range(24)]
    with open(path, "w") as file:
        file.write(",".join(columns) + "\n")
        for latent in range(F):
            d = difference[latent]
            tag = "Chat only" if d < 0.1 else "Base only" if d > 0.9 else "Shared" if 0.4 < d < 0.6 else "Other"
            r = random.random(32)
            error = [f"{r[3]:.8f}", f"{r[4] + 0.1:.8f}", f"{r[3] / (r[4] + 0.1):.8f}"] if d < 0.1 else [""] * 3
            row = [latent, tag, f"{d:.9f}", f"{base[latent]:.9f}", f"{chat[latent]:.9f}", f"{maxima[latent]:.7f}",
                   f"{r[0] ** 6:.9f}", "False", f"{r[1] ** 6:.9f}", f"{r[2]:.9f}", f"{r[5]:.8f}", f"{r[6]:.8f}",
                   *error, f"{r[7]:.8f}", *(f"{x:.9f}" for x in r[8:32])]
            file.write(",".join(map(str, row)) + "\n")


if __name__ == "__main__":
    root = Path(sys.argv[1])
    D = int(sys.argv[2]) if len(sys.argv) > 2 else D
    norms = crosscoder(root / "crosscoder")
    print("crosscoder written", file=sys.stderr)
    table(root / "feature_df.csv", norms, examples(root / "examples.db"))
