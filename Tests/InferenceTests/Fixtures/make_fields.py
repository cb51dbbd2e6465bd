"""The names of the fields that reference libraries have, as fields.json holds them.

Usage: make_fields.py > fields.json     (needs peft, transformers, tokenizers, gguf and openai)

A name stands for what a file of that format may say; tests ask that the table of the format has a row for each. Fields of
tokenizer.json are those that the library itself writes; those of the files beside it are the names that its source takes
out of what it read. They stand under the titles of the tables in docs/formats.md.
"""

import dataclasses
import inspect
import json
import re

import gguf.constants
import transformers
from openai.types.chat import ChatCompletionMessage, completion_create_params
from openai.types.chat.chat_completion_assistant_message_param import ChatCompletionAssistantMessageParam
from openai.types.chat.chat_completion_content_part_text_param import ChatCompletionContentPartTextParam
from openai.types.chat.chat_completion_stream_options_param import ChatCompletionStreamOptionsParam
from openai.types.chat.chat_completion_user_message_param import ChatCompletionUserMessageParam
from peft import LoraConfig
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import GenerationConfig
from transformers.tokenization_utils_base import PreTrainedTokenizerBase
from transformers.tokenization_utils_tokenizers import TokenizersBackend

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


def taken(*functions):
    """The names that functions take out of their keyword arguments or a configuration, by their source."""
    source = "".join(inspect.getsource(f) for f in functions)
    found = re.findall(r'(?:kwargs|tokenizer_config|config)\.(?:pop|get|setdefault)\(\s*"(\w+)"', source)
    found += re.findall(r'(?:kwargs|tokenizer_config)\["(\w+)"\]', source)
    found += re.findall(r'"(\w+)" (?:not )?in (?:init_)?kwargs', source)
    return sorted(set(x for x in found if not x.startswith("_json") and not x.startswith("_spm")))


def written(**parts):
    """A tokenizer.json with these parts, as the library writes it."""
    tokenizer = Tokenizer(models.BPE(vocab={"a": 0}, merges=[], unk_token="a"))
    tokenizer.add_tokens([AddedToken("x")])
    for name, part in parts.items():
        setattr(tokenizer, name, part)
    return json.loads(tokenizer.to_str())


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

base = written()
P, Q, N, TOKENS = pre_tokenizers, processors, normalizers, PreTrainedTokenizerBase.SPECIAL_TOKENS_ATTRIBUTES
fields["tokenizer.json"] = list(base)
fields["tokenizer.json, model"] = list(base["model"])
fields["tokenizer.json, added_tokens; tokenizer_config.json, added_tokens_decoder"] = list(base["added_tokens"][0])
fields["generation_config.json"] = taken(GenerationConfig.__init__)
fields["tokenizer_config.json"] = sorted(
    set(taken(PreTrainedTokenizerBase.__init__, PreTrainedTokenizerBase._from_pretrained, TokenizersBackend.__init__))
    - {"config_file", "trust_remote_code"} | set(TOKENS))
fields["special_tokens_map.json, read where tokenizer_config.json has no added_tokens_decoder"] = (
    TOKENS + ["additional_special_tokens", "extra_special_tokens"])
for part, objects in {
    "normalizer": [N.NFC(), N.Prepend("a"), N.Replace("a", "b"), N.Sequence([])],
    "pre_tokenizer": [P.ByteLevel(), P.Digits(), P.Split(Regex("a"), "isolated"), P.Metaspace(), P.Sequence([])],
    "post_processor": [Q.TemplateProcessing(single="$A"), Q.ByteLevel(), Q.Sequence([])],
}.items():
    for value in (written(**{part: x})[part] for x in objects):
        fields[f"tokenizer.json, {part} of type {value['type']}"] = list(value)

print(json.dumps(fields, indent=1))
