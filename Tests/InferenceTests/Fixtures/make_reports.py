"""Public reports of tokenizers and chat templates gone wrong, each as small files with the ids that the libraries give.

Usage: make_reports.py > reports.json; needs tokenizers 0.23 and transformers 5.24. `ids` are those of the text with its
markers read as tokens, `prefix` what the library puts in front of a raw text, `chat` those of a chat with the next turn
opened. `before` says what crosscope did when the report was first tried.
"""
import json, os, tempfile
from transformers import AutoTokenizer

BL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
META = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": False}
HERE = os.path.dirname(os.path.abspath(__file__))
TEMPLATES = {t["name"]: t["template"] for t in json.load(open(HERE + "/chat-templates.json"))}
BYTES = {b: chr(c) for b, c in zip(list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256)), list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256)))}
for b in range(256):
    if b not in BYTES: BYTES[b] = chr(256 + sum(1 for x in range(b) if not (33 <= x < 127 or 161 <= x < 173 or 174 <= x < 256)))
ALL = {BYTES[b]: b for b in range(256)}


def added(content, **flags):
    return dict(dict(id=0, content=content, single_word=False, lstrip=False, rstrip=False, normalized=False, special=True), **flags)


def file(vocab, merges=(), tokens=(), normalizer=None, pre=BL, post=None, decoder=None, **model):
    vocab = vocab if isinstance(vocab, dict) else {v: i for i, v in enumerate(vocab)}
    m = dict(type="BPE", dropout=None, unk_token=None, continuing_subword_prefix=None, end_of_word_suffix=None, fuse_unk=False, byte_fallback=False, ignore_merges=False, vocab=vocab, merges=list(merges))
    free = len(vocab)
    for t in tokens:
        t["id"] = vocab.get(t["content"], free)
        free += t["id"] == free
    return dict(version="1.0", truncation=None, padding=None, added_tokens=list(tokens), normalizer=normalizer, pre_tokenizer=pre, post_processor=post, decoder=decoder, model=dict(m, **model))


def case(report, what, tokenizer, text=None, config=None, chat=None, before="right", **files):
    names = {"tokenizer.json": json.dumps(tokenizer, ensure_ascii=False), "tokenizer_config.json": json.dumps(dict(tokenizer_class="PreTrainedTokenizerFast", **(config or {})), ensure_ascii=False)}
    names.update({k.replace("__", "."): v if isinstance(v, str) else json.dumps(v, ensure_ascii=False) for k, v in files.items()})
    with tempfile.TemporaryDirectory() as f:
        for n, t in names.items(): open(f + "/" + n, "w", newline="").write(t)
        a = AutoTokenizer.from_pretrained(f)
        result = dict(report=report, what=what, before=before, files=names)
        if text is not None:
            plain = a(text, add_special_tokens=False).input_ids
            result.update(text=text, ids=plain, prefix=a(text).input_ids[:len(a(text).input_ids) - len(plain)])
        if chat: result.update(messages=chat, chat=a.apply_chat_template(chat, add_generation_prompt=True, tokenize=True, return_dict=False))
    return result


def template(single, **ids):
    return dict(type="TemplateProcessing", single=[{"Sequence": {"id": "A", "type_id": 0}} if x == "A" else {"SpecialToken": {"id": x, "type_id": 0}} for x in single], pair=[{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}], special_tokens={k: dict(id=k, ids=v, tokens=[k] * len(v)) for k, v in ids.items()})


V = ["a", "b", "c", "Ġ", "ab"]
P = ["<unk>", "▁", "a", "b", "▁a", "▁b", "<0xE6>", "<0x97>", "<0xA5>"]
SPACE = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
HI = [{"role": "user", "content": "Hi"}]
reports = [
    case("huggingface/transformers#33371", "Markers with lstrip and rstrip swallow the spaces beside them and between them.", file(V, tokens=[added("<s>", lstrip=True, rstrip=True), added("<t>", lstrip=True, rstrip=True)]), "a  <s>  <t>  b"),
    case("huggingface/transformers#29626", "A token that is no marker and normalized swallows no space once spaces are ▁.", file(P, tokens=[added("ab a", normalized=True, special=False, lstrip=True, rstrip=True)], normalizer=SPACE, pre=None, unk_token="<unk>", byte_fallback=True), "b ab a b", before="wrong: the spaces were swallowed"),
    case("huggingface/transformers#27279", "Prepend puts ▁ in front of every stretch between markers.", file(P, [["▁", "a"], ["▁", "b"]], [added("<s>")], {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, SPACE]}, None, unk_token="<unk>"), "a<s>b a"),
    case("huggingface/tokenizers#1544", "A normalized marker is looked for with the ▁ that Prepend puts in front of it, so only a stretch that begins with it has one.", file(P, [["▁", "a"]], [added("<s>", normalized=True), added("<t>")], {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, SPACE]}, None, unk_token="<unk>"), "a<s>b<t><s>"),
    case("huggingface/tokenizers#1444", "Ids in added_tokens_decoder are not heeded: a token gets the next free one.", file(V), "a<s>b", dict(bos_token="<s>", added_tokens_decoder={"1": dict(content="<s>", special=True)}), before="refused as damaged"),
    case("wangkuiyi/huggingface-tokenizer-in-cxx#29", "Markers that only special_tokens_map.json names.", file(V), "a<u>b<s>", special_tokens_map__json={"bos_token": {"content": "<s>", "lstrip": False, "rstrip": True, "normalized": False, "single_word": False}, "additional_special_tokens": ["<u>"]}, before="wrong: the file was not read"),
    case("huggingface/swift-transformers#318", "Metaspace without add_prefix_space still prepends by its scheme.", file(P, [["▁", "a"], ["▁", "b"]], [added("<s>")], None, {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": False}, unk_token="<unk>"), "a<s>b"),
    case("huggingface/tokenizers#1476", "Metaspace with split begins a piece at each ▁, so merges do not cross it.", file(P + ["▁▁", "a▁"], [["▁", "▁"], ["a", "▁"], ["▁", "a"]], [], None, dict(META, split=True), unk_token="<unk>"), "a  a b", before="refused"),
    case("openvinotoolkit/openvino_tokenizers#658", "prepend_scheme first with split: only the text's own beginning.", file(P, [["▁", "a"], ["▁", "b"]], [added("<s>")], None, dict(META, prepend_scheme="first", split=True), unk_token="<unk>"), "a<s>b a", before="refused"),
    case("ohdearquant/lattice#259", "A pair twice in merges has its last rank.", file(V + ["bc"], [["a", "b"], ["b", "c"], ["a", "b"]]), "abc", before="wrong: the first rank counted"),
    case("ohdearquant/lattice#259 (2)", "An unknown character is written behind the bytes that follow it.", file(P, normalizer=SPACE, pre=None, unk_token="<unk>", byte_fallback=True), "aé日b", before="wrong: the unknown token came first"),
    case("huggingface/tokenizers#429", "Unknown tokens in a row become one only with fuse_unk, in byte-level vocabularies as well.", file(V + ["<unk>"], unk_token="<unk>", fuse_unk=True), "azzb zq", before="wrong: unknown text was left out"),
    case("huggingface/tokenizers#517", "Without unk_token unknown text is left out.", file(V), "azzb"),
    case("huggingface/tokenizers#1218", "ByteLevel and byte_fallback together.", file(V + ["<0xC3>", "<0xA9>", "<0xC2>", "<0xC4>", "<0x8A>"], byte_fallback=True, decoder=BL), "aé\n", before="refused"),
    case("ollama/ollama#15232", "Byte tokens only where all bytes of a character have one.", file(P, normalizer=SPACE, pre=None, unk_token="<unk>", byte_fallback=True), "日本"),
    case("ggml-org/llama.cpp#7193", "With ignore_merges a piece that is a token stays whole, also where merges lead elsewhere.", file(V + ["abc", "bc"], [["b", "c"]], ignore_merges=True), "abc abcc"),
    case("robertknight/rten#453", "Added tokens that merges pass through.", file(V + ["abc"], [["a", "b"], ["ab", "c"]], [added("ab", single_word=True)]), "abc ab", before="refused as damaged"),
    case("ggml-org/llama.cpp#15086", "The template writes the beginning of a sequence, and the post-processor is not asked again.", file(ALL, tokens=[added("<bos>")], post=template(["<bos>", "A"], **{"<bos>": [256]})), "Hi", dict(bos_token="<bos>", chat_template=TEMPLATES["gemma3"]), chat=HI),
    case("google/minja#24", "A template with bos_token where the files name none writes nothing.", file(ALL), None, dict(bos_token=None, chat_template=TEMPLATES["gemma3"]), HI, before="wrong: <bos> was written"),
    case("janhq/cortex.cpp#618", "A bos_token of another name.", file(ALL, tokens=[added("<s>")]), None, dict(bos_token="<s>", chat_template=TEMPLATES["llama3.1"]), HI, before="wrong: <|begin_of_text|> was written"),
    case("huggingface/tokenizers#1357", "A post-processor that puts two tokens in front.", file(V, tokens=[added("<s>"), added("<t>")], post=template(["<s>", "<t>", "A"], **{"<s>": [5], "<t>": [6]})), "ab", before="wrong: the first one only"),
]
print(json.dumps([r for r in reports], ensure_ascii=False, indent=0))
