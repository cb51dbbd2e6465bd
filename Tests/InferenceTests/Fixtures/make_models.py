"""Tiny random models of every family with reference values, as the folders under Fixtures/models hold them.

Usage: make_models.py OUT [VARIANT...]     (needs torch and transformers; a variant by name, all of them by default)

Each folder gets config.json and model.safetensors as transformers saves them, and reference.safetensors, computed by
transformers in fp32 with eager attention: input_ids [2, T], logits, hidden.K (the residual stream after block K),
steer_layer, steer_vector (added to the output of that block at every position) and the steered_logits.
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM
from transformers import Gemma2Config, Gemma3TextConfig, LlamaConfig, Qwen2Config, Qwen3Config

small = dict(vocab_size=320, hidden_size=48, intermediate_size=96, num_hidden_layers=3, num_attention_heads=4,
             num_key_value_heads=2, max_position_embeddings=256)
gemma = dict(query_pre_attn_scalar=20, sliding_window=8, head_dim=16)
llama3 = dict(rope_type="llama3", rope_theta=300000.0, factor=32.0, low_freq_factor=1.5, high_freq_factor=6.0,
              original_max_position_embeddings=48)


def rope(**keys):
    return dict(rope_parameters=keys)


# name: (configuration class, its keys, tokens)
VARIANTS = {
    "llama-mha-1to1": (LlamaConfig, small | dict(num_attention_heads=6, num_key_value_heads=6), 24),
    "llama-gqa-8to1-wide-heads": (LlamaConfig, small | dict(hidden_size=64, num_attention_heads=8, num_key_value_heads=1,
                                                            head_dim=32, num_hidden_layers=5), 70),
    "llama-biases": (LlamaConfig, small | dict(attention_bias=True, mlp_bias=True, tie_word_embeddings=True), 24),
    "llama-rope-llama3": (LlamaConfig, small | dict(head_dim=32) | rope(**llama3), 130),
    "llama-rope-linear": (LlamaConfig, small | rope(rope_type="linear", rope_theta=10000.0, factor=4.0), 40),
    "llama-gelu": (LlamaConfig, small | dict(hidden_act="gelu_pytorch_tanh"), 24),
    "qwen2-untied": (Qwen2Config, small | dict(tie_word_embeddings=False, num_hidden_layers=5), 33),
    "qwen2-window": (Qwen2Config, small | dict(use_sliding_window=True, sliding_window=6, max_window_layers=1), 50),
    "qwen3-biases": (Qwen3Config, small | dict(head_dim=8, attention_bias=True, num_key_value_heads=1), 60),
    "qwen3-tied": (Qwen3Config, small | dict(head_dim=64, tie_word_embeddings=True), 24),
    "gemma2-long": (Gemma2Config, small | gemma | dict(num_hidden_layers=5), 130),
    "gemma2-no-caps": (Gemma2Config, small | gemma | dict(attn_logit_softcapping=None, final_logit_softcapping=None), 40),
    "gemma2-usual-numbers": (Gemma2Config, dict(vocab_size=320, hidden_size=64, num_hidden_layers=3, intermediate_size=96),
                             24),
    "gemma2-biases": (Gemma2Config, small | gemma | dict(attention_bias=True, sliding_window=1), 24),
    "gemma3-long": (Gemma3TextConfig, small | gemma | dict(num_hidden_layers=13, num_key_value_heads=4), 130),
    "gemma3-linear": (Gemma3TextConfig, small | gemma | dict(num_hidden_layers=7) | rope(
        full_attention=dict(rope_type="linear", rope_theta=1000000.0, factor=8.0),
        sliding_attention=dict(rope_type="default", rope_theta=20000.0)), 60),
    "gemma3-own-layers": (Gemma3TextConfig, small | gemma | dict(final_logit_softcapping=20.0, layer_types=[
        "full_attention", "sliding_attention", "full_attention"]), 40),
}


def model(kind, keys, seed):
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(kind(**keys), attn_implementation="eager", dtype=torch.float32).eval()
    # Fresh weights are so small that nothing of the attention would show; norms and biases would all be alike.
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() == 2:
                weight.normal_(0, 1.0 if "embed" in name else 1.5 / weight.shape[1] ** 0.5)
            else:
                weight.add_(0.3 * torch.randn_like(weight))
    return model


def reference(model, length, seed):
    torch.manual_seed(seed + 1000)
    ids = torch.randint(0, model.config.vocab_size, (2, length))
    blocks = model.model.layers
    layer = len(blocks) // 2
    vector = torch.randn(model.config.hidden_size)
    values, steering = {}, [0.0]

    def hook(index):
        def visit(module, inputs, output):
            hidden = output[0] if isinstance(output, tuple) else output
            if index == layer:
                hidden = hidden + steering[0] * vector
            values.setdefault(f"hidden.{index}", hidden.clone())
            return (hidden,) + output[1:] if isinstance(output, tuple) else hidden
        return visit

    for index, block in enumerate(blocks):
        block.register_forward_hook(hook(index))
    with torch.no_grad():
        values["logits"] = model(ids).logits.clone()
        steering[0] = 1.0
        values["steered_logits"] = model(ids).logits.clone()
    return values | dict(input_ids=ids, steer_layer=torch.tensor([layer]), steer_vector=vector)


def main(out, names):
    for seed, (name, (kind, keys, length)) in enumerate(VARIANTS.items()):
        if names and name not in names:
            continue
        folder = Path(out) / name
        made = model(kind, keys, seed)
        made.save_pretrained(folder)
        save_file(reference(made, length, seed), folder / "reference.safetensors")
        (folder / "generation_config.json").unlink(missing_ok=True)
        print(folder)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
