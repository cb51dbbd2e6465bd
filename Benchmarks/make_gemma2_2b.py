"""Writes a Hugging Face folder of Gemma 2 2B's dimensions with random bf16 weights, for speed and memory tests.

Nothing that it says means anything; its size, shapes, types and files are the real ones' (5.2 GB, two shards with an
index). Seeded, and written a piece at a time: it needs some 100 MB of memory.
Usage: make_gemma2_2b.py [FOLDER]    /root/peers/models/gemma2-2b-random by default    needs numpy only
"""

import json
import os
import struct
import sys

import numpy as np

D, LAYERS, HEADS, KV_HEADS, HEAD_DIM, MLP, VOCAB = 2304, 26, 8, 4, 256, 9216, 256_000
DEVIATION = 0.02
CHUNK = 1 << 22

CONFIG = {
    "architectures": ["Gemma2ForCausalLM"], "attention_bias": False, "attention_dropout": 0.0,
    "attn_logit_softcapping": 50.0, "bos_token_id": 2, "cache_implementation": "hybrid", "eos_token_id": 1,
    "final_logit_softcapping": 30.0, "head_dim": HEAD_DIM, "hidden_act": "gelu_pytorch_tanh",
    "hidden_activation": "gelu_pytorch_tanh", "hidden_size": D, "initializer_range": DEVIATION,
    "intermediate_size": MLP, "max_position_embeddings": 8192, "model_type": "gemma2", "num_attention_heads": HEADS,
    "num_hidden_layers": LAYERS, "num_key_value_heads": KV_HEADS, "pad_token_id": 0, "query_pre_attn_scalar": 256,
    "rms_norm_eps": 1e-06, "rope_theta": 10000.0, "sliding_window": 4096, "torch_dtype": "bfloat16",
    "tie_word_embeddings": True, "use_cache": True, "vocab_size": VOCAB,
}


def shapes():
    """Tensors in the order of the file."""
    yield "model.embed_tokens.weight", [VOCAB, D]
    for layer in range(LAYERS):
        stem = f"model.layers.{layer}."
        for norm in ["input", "post_attention", "pre_feedforward", "post_feedforward"]:
            yield f"{stem}{norm}_layernorm.weight", [D]
        yield stem + "mlp.down_proj.weight", [D, MLP]
        yield stem + "mlp.gate_proj.weight", [MLP, D]
        yield stem + "mlp.up_proj.weight", [MLP, D]
        yield stem + "self_attn.q_proj.weight", [HEADS * HEAD_DIM, D]
        yield stem + "self_attn.k_proj.weight", [KV_HEADS * HEAD_DIM, D]
        yield stem + "self_attn.v_proj.weight", [KV_HEADS * HEAD_DIM, D]
        yield stem + "self_attn.o_proj.weight", [D, HEADS * HEAD_DIM]
    yield "model.norm.weight", [D]


def write_shard(path, tensors, random):
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in tensors:
        size = 2 * int(np.prod(shape))
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path + ".tmp", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, shape in tensors:
            left = int(np.prod(shape))
            while left:
                values = random.standard_normal(min(left, CHUNK), dtype=np.float32) * np.float32(DEVIATION)
                bits = values.view(np.uint32)
                # To nearest, ties to even.
                file.write(((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype("<u2").tobytes())
                left -= len(values)
    os.replace(path + ".tmp", path)
    return offset


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else "/root/peers/models/gemma2-2b-random"
    os.makedirs(folder, exist_ok=True)
    everything = list(shapes())
    total = sum(2 * int(np.prod(shape)) for _, shape in everything)
    shards, size = [[], []], 0
    for name, shape in everything:
        shards[int(size > total * 0.5)].append((name, shape))
        size += 2 * int(np.prod(shape))
    random = np.random.default_rng(2)
    weight_map = {}
    for index, tensors in enumerate(shards):
        name = f"model-{index + 1:05}-of-{len(shards):05}.safetensors"
        print(name, write_shard(os.path.join(folder, name), tensors, random), "bytes", flush=True)
        weight_map.update({tensor: name for tensor, _ in tensors})
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    for name, content in {"model.safetensors.index.json": index, "config.json": CONFIG}.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            json.dump(content, file, indent=2)
            file.write("\n")
    print(f"{folder}: {total} bytes of weights, {len(everything)} tensors")


if __name__ == "__main__":
    main()
