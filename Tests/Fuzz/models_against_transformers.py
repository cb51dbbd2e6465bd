"""Random small models whose config.json says things in every way, transformers against `crosscope forward`.

Usage: models_against_transformers.py PROGRAM FIRST COUNT     (needs torch and transformers)

Case N is made from the seed N alone. A line is printed for each case that differs, is refused or is taken where
transformers fails, then how many there were of each kind.
"""

import json
import os
import random
import warnings

os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
import torch
import transformers
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM

from comparing import judge, randomise, run

warnings.filterwarnings("ignore")
transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
torch.set_num_threads(1)
FAMILIES = ["llama", "gemma2", "gemma3_text", "qwen2", "qwen3"]


def rotary(r):
    kind = r.choice(["none", "default", "linear", "llama3", "llama3", "both types", "other"])
    key = "type" if r.random() < 0.3 else "rope_type"
    found = {
        "none": {}, "default": {key: "default"}, "linear": {key: "linear", "factor": r.choice([2.0, 4, 8.0])},
        "llama3": {key: "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0},
        "both types": {"type": "linear", "rope_type": "default", "factor": 2.0},
        "other": {key: r.choice(["yarn", "dynamic"]), "factor": 2.0},
    }[kind]
    if kind == "llama3" and r.random() < 0.6:
        found["original_max_position_embeddings"] = r.choice([16, 32, 64])
    if kind != "none" and r.random() < 0.5:
        found["rope_theta"] = r.choice([500.0, 10000, 1e6])
    return found


def configuration(r, family):
    heads, layers = r.choice([2, 4]), r.choice([2, 3, 7])
    is_qwen = family.startswith("qwen")
    c = dict(model_type=family, vocab_size=64, hidden_size=heads * r.choice([8, 16]), intermediate_size=r.choice([32, 40]),
             num_hidden_layers=layers, num_attention_heads=heads, num_key_value_heads=r.choice([1, 2]),
             max_position_embeddings=128, rms_norm_eps=1e-6)
    if r.random() < 0.6 or family not in ("llama", "qwen2"):
        c["head_dim"] = r.choice([8, 16])
    # (chance, key, values)
    for chance, key, values in [
        (0.2, "num_key_value_heads", [None] if family == "llama" or is_qwen else [c["num_key_value_heads"]]),
        (0.5, "rope_parameters", [rotary(r)]), (0.4, "rope_scaling", [None, {}, rotary(r), rotary(r)]),
        (0.5, "rope_theta", [1000.0, 50000]), (0.3, "original_max_position_embeddings", [16, 32]),
        (0.15, "partial_rotary_factor", [1.0, 0.5]), (0.5, "tie_word_embeddings", [True, False]),
        (0.3, "attention_bias", [True, False]), (0.3, "mlp_bias", [True, False]),
        (0.2, "hidden_act", ["silu", "gelu_pytorch_tanh", "gelu", "gelu_new", "relu", "swish"]),
        (0.2, "hidden_activation", ["silu", "gelu_pytorch_tanh", "gelu"]),
        (0.7, "sliding_window", [3, 5, 6, None] if is_qwen else [3, 5, 6]), (0.5, "use_sliding_window", [True, False]),
        (0.5, "max_window_layers", [0, 1, 2]),
        (0.3, "layer_types", [[r.choice(["full_attention", "sliding_attention"]) for _ in range(layers)]]),
        (0.3, "sliding_window_pattern", [1, 2, 3]), (0.3, "_sliding_window_pattern", [1, 2, 3]),
        (0.5, "query_pre_attn_scalar", [8, 20, 256]), (0.3, "attn_logit_softcapping", [None, 5.0]),
        (0.3, "final_logit_softcapping", [None, 5.0]), (0.1, "is_causal", [True, False]),
        (0.1, "use_bidirectional_attention", [None, False, True]), (0.2, "rope_local_base_freq", [777.0]),
        (0.1, "pretraining_tp", [2]), (0.1, "logit_scale", [0.5]), (0.1, "embedding_multiplier", [3.0]),
    ]:
        if r.random() < chance:
            c[key] = r.choice(values)
    if family == "gemma3_text" and "rope_parameters" in c and r.random() < 0.8:
        local = {"rope_type": "default", "rope_theta": 300.0}
        c["rope_parameters"] = {"full_attention": c["rope_parameters"], "sliding_attention": local}
        if r.random() < 0.3:
            c["rope_parameters"].pop(r.choice(list(c["rope_parameters"])))
    return c


def tensors(model):
    randomise(model)
    return {k: v.contiguous().clone() for k, v in model.state_dict().items()}


def load(folder):
    return AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()


def case(program, number, folder):
    """The kind of the case, and a line to print where it is not as it should be."""
    r = random.Random(number)
    family = r.choice(FAMILIES)
    c = configuration(r, family)
    (folder / "config.json").write_text(json.dumps(c))
    torch.manual_seed(number)
    try:
        settings = AutoConfig.from_pretrained(folder)
        model = AutoModelForCausalLM.from_config(settings, attn_implementation="eager", dtype=torch.float32)
    except Exception:
        return "neither", None
    saved, mode = tensors(model), r.choice(["as it is", "no head", "no embedding", "own head"])
    if mode == "no head" and settings.tie_word_embeddings:
        saved.pop("lm_head.weight", None)
    if mode == "no embedding" and settings.tie_word_embeddings:
        saved.pop("model.embed_tokens.weight")
    if mode == "own head":
        saved["lm_head.weight"] = torch.randn_like(saved["model.embed_tokens.weight"]) / 4
    save_file(saved, folder / "model.safetensors", metadata={"format": "pt"})
    ids = [r.randrange(64) for _ in range(40)]
    try:
        with torch.no_grad():
            wanted = load(folder)(torch.tensor([ids])).logits[0]
    except Exception:
        wanted = None
    return judge(program, ["--model", folder], ids, wanted, 1e-4, folder, f"{family} {mode} {json.dumps(c)}")


run(case)
