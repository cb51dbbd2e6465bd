"""Lists the fields on which tokenizers 0.23 and transformers 5.24 act, by the objects of docs/formats.md.

Usage: make_tokenizer_fields.py > library-fields.json; needs both libraries. Fields of tokenizer.json are those that the library
itself writes; those of the other files are the names that its source takes out of what it read.
"""
import inspect, json, re
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, Regex
from transformers import GenerationConfig
from transformers.tokenization_utils_base import PreTrainedTokenizerBase
from transformers.tokenization_utils_tokenizers import TokenizersBackend


def names(*functions):
    source = "".join(inspect.getsource(f) for f in functions)
    found = re.findall(r'(?:kwargs|tokenizer_config|config)\.(?:pop|get|setdefault)\(\s*"(\w+)"', source)
    found += re.findall(r'(?:kwargs|tokenizer_config)\["(\w+)"\]', source) + re.findall(r'"(\w+)" (?:not )?in (?:init_)?kwargs', source)
    return sorted(set(x for x in found if not x.startswith("_json") and not x.startswith("_spm")))


def written(**parts):
    t = Tokenizer(models.BPE(vocab={"a": 0}, merges=[], unk_token="a"))
    for k, v in parts.items(): setattr(t, k, v)
    return json.loads(t.to_str())


base = written()
base_added = Tokenizer(models.BPE()); base_added.add_tokens([AddedToken("x")])
P, Q = pre_tokenizers, processors
fields = {
    "tokenizer.json": list(base), "tokenizer.json, model": list(base["model"]),
    "tokenizer.json, added_tokens; tokenizer_config.json, added_tokens_decoder": list(json.loads(base_added.to_str())["added_tokens"][0]),
    "generation_config.json": names(GenerationConfig.__init__),
    "tokenizer_config.json": sorted(set(names(PreTrainedTokenizerBase.__init__, PreTrainedTokenizerBase._from_pretrained, TokenizersBackend.__init__)) - {"config_file", "trust_remote_code"} | set(PreTrainedTokenizerBase.SPECIAL_TOKENS_ATTRIBUTES)),
    "special_tokens_map.json, read where tokenizer_config.json has no added_tokens_decoder": PreTrainedTokenizerBase.SPECIAL_TOKENS_ATTRIBUTES + ["additional_special_tokens", "extra_special_tokens"],
}
for part, objects in {
    "normalizer": [normalizers.NFC(), normalizers.Prepend("a"), normalizers.Replace("a", "b"), normalizers.Sequence([])],
    "pre_tokenizer": [P.ByteLevel(), P.Digits(), P.Split(Regex("a"), "isolated"), P.Metaspace(), P.Sequence([])],
    "post_processor": [Q.TemplateProcessing(single="$A"), Q.ByteLevel(), Q.Sequence([])],
}.items():
    for o in objects:
        value = written(**{part: o})[part]
        fields[f"tokenizer.json, {part} of type {value['type']}"] = list(value)
print(json.dumps(fields, indent=1))
