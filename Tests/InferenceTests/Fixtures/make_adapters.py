"""A tiny Llama and adapters for it in every spelling that is honoured, with PEFT's logits, as Fixtures/adapters holds them.

Usage: make_adapters.py OUT     (needs torch, transformers and peft)

OUT/base is the model, OUT/NAME each adapter as PEFT saves it, its configuration then spelled as SPELLED says;
OUT/expected.safetensors has the logits of each adapter for `input_ids`, by PeftModel.from_pretrained in fp32.
"""

import json
import sys
import warnings
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, LlamaConfig

warnings.filterwarnings("ignore")
# name: keys of LoraConfig; r is 2 and lora_alpha 6 unless they say otherwise
SPELLED = {
    "names": dict(target_modules=["q_proj", "down_proj"]),
    "ends-of-paths": dict(target_modules=["self_attn.q_proj", "layers.1.mlp.up_proj"]),
    "whole-paths": dict(target_modules=["model.layers.2.self_attn.v_proj", "model.layers.0.mlp.gate_proj"]),
    "expression": dict(target_modules=r".*layers\.(0|3)\.self_attn\.(?P<which>k|o)_proj"),
    "all-linear": dict(target_modules="all-linear"),
    "none": dict(),
    "excluded": dict(target_modules=["q_proj", "k_proj"], exclude_modules=["layers.1.self_attn.q_proj", "k_proj"]),
    "excluded-expression": dict(target_modules="all-linear", exclude_modules=r".*layers\.[12]\..*"),
    "one-block": dict(target_modules=["q_proj"], layers_to_transform=2),
    "blocks": dict(target_modules=["q_proj", "up_proj"], layers_to_transform=[1, 3], layers_pattern=["blocks", "layers"]),
    "no-blocks": dict(target_modules=["q_proj"], layers_to_transform=[]),
    "patterns": dict(target_modules=["q_proj", "v_proj", "up_proj"], rank_pattern={r"layers\.[12]\.mlp\.up_proj": 3, "^q_proj": 4},
                     alpha_pattern={"v_proj": 7.5, r".*3.*": 1}),
    "first-pattern": dict(target_modules=["down_proj"], rank_pattern={"layers.0.mlp.down_proj": 5, "down_proj": 3}),
    "first-pattern-for-all": dict(target_modules=["down_proj"], rank_pattern={"down_proj": 3, "layers.0.mlp.down_proj": 5}),
    "root": dict(target_modules=["q_proj", "v_proj"], use_rslora=True, rank_pattern={"q_proj": 5}),
    "own-biases": dict(target_modules=["q_proj", "down_proj"], lora_bias=True),
    "biases-all": dict(target_modules=["q_proj"], bias="all"),
    "biases-of-targets": dict(target_modules=["q_proj", "o_proj"], bias="lora_only"),
    "orthogonal": dict(target_modules=["q_proj"], init_lora_weights="orthogonal"),
    "eva": dict(target_modules=["v_proj"], init_lora_weights="eva"),
    "usual-numbers": dict(target_modules=["v_proj"], r=8, lora_alpha=8),
    "pickled": dict(target_modules=["v_proj"]),
}

out = Path(sys.argv[1])
torch.manual_seed(5)
configuration = LlamaConfig(
    vocab_size=40, hidden_size=16, intermediate_size=24, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2,
    max_position_embeddings=64, attention_bias=True)
base = AutoModelForCausalLM.from_config(configuration, dtype=torch.float32)
with torch.no_grad():
    for name, weight in base.named_parameters():
        weight.normal_(0, 0.3) if weight.dim() == 1 and "norm" not in name else None
        if weight.dim() == 2:
            weight.normal_(0, 1.0 if "embed" in name else 1.5 / weight.shape[1] ** 0.5)
base.save_pretrained(out / "base")
ids = torch.randint(0, 40, (1, 9))
expected = {"input_ids": ids[0].to(torch.int32)}
for name, keys in SPELLED.items():
    model = AutoModelForCausalLM.from_pretrained(out / "base", dtype=torch.float32)
    model = get_peft_model(model, LoraConfig(**(dict(r=2, lora_alpha=6, task_type="CAUSAL_LM") | keys)))
    with torch.no_grad():
        for key, weight in model.named_parameters():
            if weight.requires_grad or "lora_" in key:
                weight.add_(0.3 * torch.randn_like(weight))
    model.save_pretrained(out / name, safe_serialization=name != "pickled")
    (out / name / "README.md").unlink(missing_ok=True)
    path = out / name / "adapter_config.json"
    saved = json.loads(path.read_text())
    for key in ["target_modules", "exclude_modules", "layers_to_transform", "rank_pattern"]:
        if key in keys or key == "target_modules":
            saved[key] = keys.get(key)
    if name == "usual-numbers":
        saved.pop("r"), saved.pop("lora_alpha")
    path.write_text(json.dumps(saved, indent=1) + "\n")
    model = AutoModelForCausalLM.from_pretrained(out / "base", dtype=torch.float32)
    with torch.no_grad():
        expected[name] = PeftModel.from_pretrained(model, out / name).eval()(ids).logits[0].contiguous()
save_file(expected, out / "expected.safetensors")
