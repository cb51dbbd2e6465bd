"""The names of the fields that reference libraries have, as fields.json holds them.

Usage: make_fields.py > fields.json     (needs peft, transformers, gguf and openai)

A name stands for what a file of that format may say; tests ask that the table of the format has a row for each.
"""

import dataclasses
import json

import gguf.constants
import transformers
from openai.types.chat import ChatCompletionMessage, completion_create_params
from openai.types.chat.chat_completion_assistant_message_param import ChatCompletionAssistantMessageParam
from openai.types.chat.chat_completion_content_part_text_param import ChatCompletionContentPartTextParam
from openai.types.chat.chat_completion_stream_options_param import ChatCompletionStreamOptionsParam
from openai.types.chat.chat_completion_user_message_param import ChatCompletionUserMessageParam
from peft import LoraConfig

CONFIGURATIONS = ["LlamaConfig", "Gemma2Config", "Gemma3TextConfig", "Gemma3Config", "Qwen2Config", "Qwen3Config"]
# What modeling code asks a configuration for without declaring it, by the name in getattr(config, ...).
UNDECLARED = ["is_causal", "per_layer_config", "transformers_weights", "fusion_config", "kv_sharing_modes", "torch_dtype",
              "rope_scaling", "rope_theta", "partial_rotary_factor", "original_max_position_embeddings", "model_type",
              "quantization_config"]


def names(kind):
    return sorted({f.name for f in dataclasses.fields(kind)} | set(kind().to_dict()))


def keys(holder):
    for name, value in vars(holder).items():
        if isinstance(value, type):
            yield from keys(value)
        elif isinstance(value, str) and not name.startswith("_"):
            yield value


fields = {"LoraConfig": names(LoraConfig), "undeclared": UNDECLARED}
for name in CONFIGURATIONS:
    found = names(getattr(transformers, name))
    fields[name] = [x for x in found if not x.startswith("_") or x == "_sliding_window_pattern"]
fields["llama.cpp"] = sorted({k.removeprefix("{arch}.") for k in keys(gguf.constants.Keys.Attention)}
                             | {k.removeprefix("{arch}.") for k in keys(gguf.constants.Keys.Rope)}
                             | {"logit_scale", "expert_count", "expert_used_count", "attn_logit_softcapping",
                                "final_logit_softcapping", "residual_scale", "embedding_scale", "use_parallel_residual"})
fields["chat.completions"] = sorted(completion_create_params.CompletionCreateParamsStreaming.__annotations__)
fields["messages"] = sorted(set(ChatCompletionMessage.model_fields)
                            | set(ChatCompletionAssistantMessageParam.__annotations__)
                            | set(ChatCompletionUserMessageParam.__annotations__))
fields["parts"] = sorted(ChatCompletionContentPartTextParam.__annotations__)
fields["stream_options"] = sorted(ChatCompletionStreamOptionsParam.__annotations__)
print(json.dumps(fields, indent=1))
