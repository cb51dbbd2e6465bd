"""Random adapters whose adapter_config.json says things in every way, PEFT against `crosscope forward --adapter`.

Usage: adapters_against_peft.py PROGRAM FIRST COUNT     (needs torch, transformers and peft)

Case N is made from the seed N alone. A line is printed for each case that differs, is refused or is taken where PEFT
fails, then how many there were of each kind.
"""

import json
import os
import random
import warnings

os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
import torch
import transformers
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoConfig, AutoModelForCausalLM

from comparing import judge, randomise, run

warnings.filterwarnings("ignore")
transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
torch.set_num_threads(1)
NAMES = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
PATHS = ["self_attn.q_proj", "mlp.down_proj", "layers.1.mlp.up_proj", "model.layers.2.self_attn.v_proj", "k_proj",
         "0.self_attn.o_proj"]
EXPRESSIONS = [r".*\.(q|v)_proj", r"model\.layers\.[02]\..*down_proj", r".*layers\.(0|3)\.self_attn\.(?P<x>k|o)_proj",
               r"(?:.*?(?:layers).*?(?:self_attn|mlp).*?(?:q_proj|gate_proj).*?)"]
# (chance, key, values)
OTHERS = [
    (0.3, "exclude_modules", [["o_proj"], ["layers.1.self_attn.q_proj", "down_proj"], r".*layers\.1\..*", "q_proj"]),
    (0.3, "rank_pattern", [{"q_proj": 2}, {"model.layers.1.self_attn.v_proj": 6}, {r"layers\.[12]\.mlp\.up_proj": 3},
                           {"^q_proj": 5}, {"down_proj": 2, "layers.0.mlp.down_proj": 5}]),
    (0.3, "alpha_pattern", [{"q_proj": 2}, {"v_proj": 7.5}, {r".*1.*": 3}]), (0.3, "use_rslora", [True]),
    (0.2, "bias", ["all", "lora_only"]), (0.15, "lora_bias", [True]), (0.05, "use_dora", [True]),
    (0.5, "init_lora_weights", [True, False, "gaussian", "eva", "orthogonal", "mica", "lora_ga", "pissa", "olora"]),
    (0.04, "alora_invocation_tokens", [[1, 2]]), (0.04, "layer_replication", [[[0, 2], [1, 3]]]),
    (0.04, "modules_to_save", [["lm_head"]]), (0.04, "trainable_token_indices", [[1, 2]]), (0.1, "fan_in_fan_out", [True]),
]


def save_base(r, number, folder):
    family = r.choice(["llama", "qwen2", "qwen3", "gemma2"])
    c = dict(vocab_size=64, hidden_size=32, intermediate_size=40, num_hidden_layers=4, num_attention_heads=4,
             num_key_value_heads=2, head_dim=8, max_position_embeddings=128)
    if r.random() < 0.4:
        c["attention_bias"] = True
    if family == "llama" and r.random() < 0.3:
        c["mlp_bias"] = True
    torch.manual_seed(number)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **c), dtype=torch.float32)
    randomise(model)
    model.save_pretrained(folder)


def settings(r):
    k = dict(r=4, lora_alpha=r.choice([4, 8, 3]), task_type=r.choice(["CAUSAL_LM", None]))
    targets = [r.sample(NAMES, r.randint(1, 5)), r.sample(PATHS, r.randint(1, 4)), r.choice(EXPRESSIONS), "all-linear", None,
               [f"model.layers.{r.randint(0, 3)}.self_attn.q_proj", "up_proj"]]
    k["target_modules"] = r.choice(targets)
    if not isinstance(k["target_modules"], str) and r.random() < 0.3:
        k["layers_to_transform"] = r.choice([0, [1, 3], [], [0]])
        if r.random() < 0.4:
            k["layers_pattern"] = r.choice(["layers", ["layers"], ["blocks", "layers"]])
    for chance, key, values in OTHERS:
        if r.random() < chance:
            k[key] = r.choice(values)
    if not isinstance(k.get("init_lora_weights", True), bool):
        k.pop("lora_bias", None)
    return k


def save_adapter(r, k, folder):
    model = AutoModelForCausalLM.from_pretrained(folder / "base", dtype=torch.float32)
    model = get_peft_model(model, LoraConfig(**k))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_" in name:
                weight.copy_(torch.randn_like(weight) * 0.3)
            elif weight.requires_grad:
                weight.add_(torch.randn_like(weight) * 0.3)
    model.save_pretrained(folder / "adapter", safe_serialization=r.random() < 0.85)
    # PEFT does not write back all that it reads.
    path = folder / "adapter" / "adapter_config.json"
    saved = json.loads(path.read_text())
    for key in ["target_modules", "layers_to_transform", "exclude_modules"]:
        if key in k and (key != "target_modules" or isinstance(k[key], str)):
            saved[key] = k[key]
    if r.random() < 0.3:
        saved = {key: value for key, value in saved.items() if value or key == "r"}
    path.write_text(json.dumps(saved))


def case(program, number, folder):
    """The kind of the case, and a line to print where it is not as it should be."""
    r = random.Random(number)
    save_base(r, number, folder / "base")
    k = settings(r)
    try:
        save_adapter(r, k, folder)
    except Exception:
        return "neither", None
    ids = [r.randrange(64) for _ in range(12)]
    try:
        model = AutoModelForCausalLM.from_pretrained(folder / "base", dtype=torch.float32)
        with torch.no_grad():
            wanted = PeftModel.from_pretrained(model, folder / "adapter").eval()(torch.tensor([ids])).logits[0]
    except Exception:
        wanted = None
    return judge(program, ["--model", folder / "base", "--adapter", folder / "adapter"], ids, wanted, 2e-4, folder, str(k))


run(case)
