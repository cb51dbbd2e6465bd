"""Makes the small tokenizers of this folder and the ids that the tokenizers library gives.

    python make.py                              the small ones, trained on this repository's own documentation
    python make.py texts NAME TOKENIZER.JSON    ids of a real vocabulary, for NAME-tokens.json beside this folder

Needs the packages tokenizers (0.22). Run in this folder; the results are committed.
"""

import json
import random
import sys
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

HERE = Path(__file__).parent
ROOT = HERE.parents[3]
CASES = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
REST = r"\s*[\r\n]+|\s+(?!\S)|\s+"
PATTERNS = {
    "llama3": CASES + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|" + REST,
    "qwen2": CASES + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|" + REST,
    "qwen35": CASES + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|" + REST,
}
ADDED = [
    AddedToken("<|end|>", special=True, normalized=False),
    AddedToken("<|start|>", special=True, normalized=False, rstrip=True),
    AddedToken("<mask>", special=True, normalized=False, lstrip=True),
    AddedToken("<tool>", special=False, normalized=False),
    AddedToken("<tool>s", special=False, normalized=False),
    AddedToken("<both>", special=False, normalized=False, lstrip=True, rstrip=True),
    AddedToken("word", special=False, normalized=False, single_word=True),
    AddedToken("née", special=False, normalized=True),
]


def corpus():
    names = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", *sorted(str(p.relative_to(ROOT)) for p in ROOT.glob("docs/*.md"))]
    return [(ROOT / name).read_text() for name in names if (ROOT / name).exists()]


def byte_level(name):
    tokenizer = Tokenizer(models.BPE(ignore_merges=name == "llama3"))
    if name == "gpt2":
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    elif name == "smollm":
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Split(Regex(PATTERNS[name]), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    if name.startswith("qwen"):
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=620, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    tokenizer.train_from_iterator(corpus(), trainer)
    return tokenizer


def pieces(name):
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    if name == "gemma":
        tokenizer.normalizer = normalizers.Replace(" ", "▁")
        tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    elif name == "llama2":
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="first", split=False)
    # Trained on words, so that merges do not run through whole lines.
    words = [" " + word for text in corpus() for word in text.split()]
    trainer = trainers.BpeTrainer(
        vocab_size=700, special_tokens=["<unk>", "<bos>"] + [f"<0x{byte:02X}>" for byte in range(256)],
        initial_alphabet=["▁", "\n"], limit_alphabet=110, show_progress=False)
    tokenizer.train_from_iterator(words, trainer)
    state = json.loads(tokenizer.to_str())
    state["added_tokens"] = [token for token in state["added_tokens"] if not token["content"].startswith("<0x")]
    tokenizer = Tokenizer.from_str(json.dumps(state))
    tokenizer.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", 1)])
    return tokenizer


def texts():
    fixed = [
        "", " ", "  ", "\n", "\n\n", " \n", "\n ", " \n \n  x", "a\r\nb\r\n\r\nc", "\t\tx", "x \t\n", "   x   ",
        "I'm I'M don't DON'T we'LL you'Re 'S 'ſ 'sS ''ll '' ' s", "it's1's", "0123456789 12 345 6,789.0 1e9 ²½Ⅷ٣",
        "a1b22c333d4444", "日本語 中文字 한국어 ไทย हिन्दी", "🙂👩‍👩‍👧🇩🇪☝🏽", "e\u0301 é n\u0303 née ne\u0301e \u1100\u1161\u11a8",
        "\u0301a \u200d\ufeff\u00ad", "\u0000\u0001\u0004\u001b[31m\u007f\u0085\u00a0\u2028\u3000x", "\\u0041 \\n &amp; %20 \"'`",
        "{\"a\": [1, 2.5e-3, null]}", "def f(x):\n    return x  # twice\n\n\n", "▁▁a ▁b▁", "<0x41><0x0A> <unk> <bos>",
        "a <|end|> b", "a <|start|>  \n b", "a \n <mask> b", "<tool>s<tool> <tool", "a <both> b<both><both>  c",
        "word sword word, words word_ (word) wordword", "x née y née", "<|end|><|end|>", "  <mask><|start|>  ", "<|end|",
        "the latents of a crosscoder, and the models they differ in", "The the THE tHe",
    ]
    generator = random.Random(20)
    parts = [" ", "  ", "\n", "\r", "\t", "'", "s", "LL", "re", "A", "b", "1", "23", ".", "é", "e\u0301", "日", "🙂", "\u00a0", "the ",
             "word", "<tool>", "<mask>", "<both>", "<|end|>", "<|start|>", "▁", "\u0007", "-", "\u0e33"]
    return fixed + ["".join(generator.choices(parts, k=generator.randrange(2, 14))) for _ in range(90)]


def expected(tokenizer, all_texts):
    rows = []
    for text in all_texts:
        ids = []
        for literal in (True, False):
            tokenizer.encode_special_tokens = literal
            ids.append(tokenizer.encode(text, add_special_tokens=False).ids)
        rows.append({"text": text, "plain": ids[0], "special": ids[1]})
    return rows


def write(path, value):
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n")


if len(sys.argv) > 1:
    _, _, name, path = sys.argv
    known = json.loads((HERE.parent / "smollm2-tokens.json").read_text())["plain"]
    write(HERE.parent / f"{name}-tokens.json", expected(Tokenizer.from_file(path), [item["text"] for item in known] + texts()[:25]))
else:
    for name in ["gpt2", "smollm", "llama3", "qwen2", "qwen35", "gemma", "llama2", "metaspace"]:
        tokenizer = pieces(name) if name in ("gemma", "llama2", "metaspace") else byte_level(name)
        tokenizer.add_special_tokens([token for token in ADDED if token.special])
        tokenizer.add_tokens([token for token in ADDED if not token.special])
        write(HERE / name / "tokenizer.json", json.loads(tokenizer.to_str()))
        write(HERE / name / "expected.json", expected(tokenizer, texts()))
    write(HERE / "gemma" / "tokenizer_config.json", {"bos_token": {"content": "<bos>"}, "eos_token": "<|end|>", "add_bos_token": True})
    write(HERE / "gemma" / "generation_config.json", {"eos_token_id": [1, 5]})
