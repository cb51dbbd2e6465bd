"""config.json in many spellings on tiny models, with the logits of transformers, as Fixtures/spellings.* hold them.

Usage: make_spellings.py OUT     (needs torch and transformers)

OUT/FAMILY.safetensors are the weights of one model a family; OUT/spellings.json lists cases {name, family, configuration,
drop, own_head} and OUT/expected.safetensors the logits of the last token of each, by name, computed in fp32 with eager
attention on the folder as it then lies there: `drop` leaves a tensor out, `own_head` adds a head of other values.
"""

import json
import sys
import tempfile
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM

SMALL = dict(vocab_size=40, hidden_size=16, intermediate_size=24, num_hidden_layers=3, num_attention_heads=4, head_dim=4,
             num_key_value_heads=2, max_position_embeddings=64)
FAMILIES = ["llama", "gemma2", "gemma3_text", "qwen2", "qwen3"]
LLAMA3 = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0)
ALL_FULL = ["full_attention"] * 3
# name: (family, keys of config.json, {drop, own_head})
CASES = {
    "old-beside-new": ("llama", dict(rope_scaling=dict(rope_type="linear", factor=4.0), rope_parameters=dict(
        rope_type="default", rope_theta=77.0)), {}),
    "empty-old-beside-new": ("llama", dict(rope_scaling={}, rope_parameters=dict(rope_type="linear", factor=4.0)), {}),
    "theta-in-both": ("llama", dict(rope_theta=77.0, rope_parameters=dict(rope_type="default", rope_theta=500.0)), {}),
    "theta-beside": ("qwen2", dict(rope_theta=77.0, rope_parameters=dict(rope_type="default")), {}),
    "type-and-rope-type": ("qwen3", dict(rope_scaling={"type": "linear", "rope_type": "default", "factor": 4.0}), {}),
    "context-beside": ("llama", dict(original_max_position_embeddings=16, rope_parameters=LLAMA3), {}),
    "context-in-both": ("llama", dict(original_max_position_embeddings=16, rope_scaling=LLAMA3 | dict(
        original_max_position_embeddings=32)), {}),
    "context-inside": ("llama", dict(rope_scaling=LLAMA3 | dict(original_max_position_embeddings=32)), {}),
    "context-of-the-model": ("llama", dict(rope_scaling=LLAMA3), {}),
    "gemma3-old-beside-new": ("gemma3_text", dict(rope_scaling=dict(rope_type="linear", factor=8.0), rope_parameters=dict(
        full_attention=dict(rope_type="default", rope_theta=900.0), sliding_attention=dict(rope_theta=70.0))), {}),
    "gemma3-old": ("gemma3_text", dict(rope_theta=900.0, rope_local_base_freq=70.0, rope_scaling=dict(
        rope_type="linear", factor=8.0)), {}),
    "gemma3-one-kind": ("gemma3_text", dict(rope_theta=900.0, rope_parameters=dict(
        sliding_attention=dict(rope_type="default", rope_theta=70.0))), {}),
    "gemma3-context-beside-is-not-read": ("gemma3_text", dict(original_max_position_embeddings=16, rope_scaling=LLAMA3), {}),
    "gemma3-pattern": ("gemma3_text", dict(sliding_window_pattern=2), {}),
    "gemma3-saved-pattern-is-not-read": ("gemma3_text", dict(_sliding_window_pattern=2), {}),
    "gemma2-pattern-is-not-read": ("gemma2", dict(sliding_window_pattern=3), {}),
    "gemma2-hidden-act-is-not-read": ("gemma2", dict(hidden_act="gelu"), {}),
    "gemma2-usual-window": ("gemma2", dict(sliding_window=...), {}),
    "gemma2-layers": ("gemma2", dict(layer_types=["full_attention", "sliding_attention", "full_attention"]), {}),
    "qwen2-bias-is-not-read": ("qwen2", dict(attention_bias=False), {}),
    "qwen2-window": ("qwen2", dict(use_sliding_window=True, sliding_window=5, max_window_layers=1), {}),
    "qwen2-no-window": ("qwen2", dict(use_sliding_window=True, sliding_window=None, max_window_layers=0), {}),
    "qwen3-window-off": ("qwen3", dict(use_sliding_window=False, sliding_window=5, max_window_layers=0), {}),
    "llama-full-layers": ("llama", dict(layer_types=ALL_FULL), {}),
    "llama-gelu-new": ("llama", dict(hidden_act="gelu_new"), {}),
    "llama-of-others": ("llama", dict(logit_scale=0.5, embedding_multiplier=3.0, rope_interleaved=True,
                                      attn_logit_softcapping=3.0), {}),
    "no-eps": ("llama", dict(rms_norm_eps=...), {}),
    "head-only": ("llama", dict(tie_word_embeddings=True), dict(drop="model.embed_tokens.weight")),
    "embedding-only": ("llama", dict(tie_word_embeddings=True), dict(drop="lm_head.weight")),
    "head-only-by-default": ("gemma2", {}, dict(drop="model.embed_tokens.weight")),
    "head-of-its-own": ("llama", dict(tie_word_embeddings=True), dict(own_head=True)),
    "head-of-its-own-by-default": ("gemma3_text", {}, dict(own_head=True)),
    "head-of-its-own-untied": ("qwen3", dict(tie_word_embeddings=False), dict(own_head=True)),
}

transformers.logging.set_verbosity_error()
out = Path(sys.argv[1])
out.mkdir(exist_ok=True)
weights = {}
for number, family in enumerate(FAMILIES):
    torch.manual_seed(number)
    keys = SMALL | (dict(query_pre_attn_scalar=20, sliding_window=5) if family.startswith("gemma") else {})
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **keys), dtype=torch.float32)
    tensors = {}
    for name, tensor in model.state_dict().items():
        if tensor.dim() == 2:
            tensor = torch.randn_like(tensor) * (1.0 if "embed" in name else 1.5 / tensor.shape[1] ** 0.5)
        else:
            tensor = tensor + 0.3 * torch.randn_like(tensor)
        tensors[name] = tensor.contiguous()
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].clone()
    save_file(tensors, out / f"{family}.safetensors", metadata={"format": "pt"})
    weights[family] = (keys, tensors)
ids = torch.randint(0, 40, (1, 24))
expected, cases = {"input_ids": ids[0].to(torch.int32)}, []
for name, (family, more, change) in CASES.items():
    keys, tensors = weights[family]
    configuration = {k: v for k, v in (dict(model_type=family, rms_norm_eps=1e-5) | keys | more).items() if v is not ...}
    tensors = dict(tensors)
    tensors.pop(change.get("drop"), None)
    if change.get("own_head"):
        tensors["lm_head.weight"] = tensors["lm_head.weight"].flip(0).contiguous()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(configuration))
        save_file(tensors, Path(folder) / "model.safetensors", metadata={"format": "pt"})
        model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()
        with torch.no_grad():
            expected[name] = model(ids).logits[0, -1].contiguous().clone()
    cases.append(dict(name=name, family=family, configuration=configuration) | change)
save_file(expected, out / "expected.safetensors")
(out / "spellings.json").write_text(json.dumps(cases, indent=1) + "\n")
