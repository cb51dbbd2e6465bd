"""Writes Seeds/: small valid files for the fuzzer to start from. Needs numpy, gguf, safetensors, torch and tokenizers."""

import glob
import os
import shutil

import gguf
import numpy as np
import torch
from safetensors.numpy import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "Seeds")


def place(kind, name):
    os.makedirs(os.path.join(here, kind), exist_ok=True)
    return os.path.join(here, kind, name)


def byte_words():
    return sorted(pre_tokenizers.ByteLevel.alphabet())


def gguf_file(name, pre, words, merges):
    writer = gguf.GGUFWriter(place("gguf", name), "llama")
    writer.add_uint32("a.count", 7)
    writer.add_float32("a.rate", 0.5)
    writer.add_array("a.scores", [0.5, -1.0])
    writer.add_array("a.flags", [True, False])
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(["<|endoftext|>", "<|im_start|>", "<|im_end|>"] + words)
    writer.add_token_types([3, 3, 3] + [1] * len(words))
    writer.add_token_merges(merges)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_chat_template("{% for message in messages %}{{'<|im_start|>' + message['role']}}{% endfor %}")
    writer.add_tensor("vector", np.arange(3, dtype=np.float32))
    writer.add_tensor("matrix", np.zeros((2, 20), dtype=np.uint8), raw_dtype=gguf.GGMLQuantizationType.Q4_1)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    words = byte_words()
    few = list("Helo, wrd!") + ["He", "ll", "Hell"]
    gguf_file("small.gguf", "smollm", few, ["H e", "l l", "He ll"])
    gguf_file("gpt2.gguf", "gpt-2", few, ["H e", "l l", "He ll"])
    gguf_file("whole.gguf", "smollm", words + ["He", "ll"], ["H e", "l l"])

    save_file({"a": np.ones((2, 3), np.float32), "b": np.array(5), "c": np.zeros((0, 4), np.float16)},
              place("safetensors", "small.safetensors"), metadata={"format": "pt"})
    save_file({f"t.{i}": np.ones(1, t) for i, t in enumerate(["f8", "f4", "f2", "i8", "i4", "i2", "i1", "u1", "?"])},
              place("safetensors", "types.safetensors"))

    torch.manual_seed(1)
    w = torch.arange(6, dtype=torch.float32).reshape(2, 3)
    linear = torch.nn.Linear(2, 3)
    for name, value in {"plain": {"w": w, "b": torch.tensor(True)}, "views": {"t": w.t(), "s": w[:, 1:]},
                        "module": linear.state_dict(), "nested": {"m": {"p": torch.nn.Parameter(w)}, "n": 3}}.items():
        path = place("pytorch", name + ".pt")
        torch.save(value, path)
        with open(path, "rb") as file:
            reader = torch._C.PyTorchFileReader(file)
            pickle = reader.get_record("data.pkl")
        with open(place("pytorch", name + ".pkl"), "wb") as file:
            file.write(pickle)

    shutil.copy(os.path.join(here, "../../InferenceTests/Fixtures/pytorch/kinds.pt"), place("pytorch", "kinds.pt"))

    for path in glob.glob(os.path.join(here, "../../InferenceTests/Fixtures/numpy/*.np[yz]")):
        shutil.copy(path, place("numpy", os.path.basename(path)))

    for name, cut in {"bytes": pre_tokenizers.ByteLevel(add_prefix_space=False),
                      "split": pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                                        pre_tokenizers.ByteLevel(add_prefix_space=False)])}.items():
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = cut
        tokenizer.decoder = decoders.ByteLevel()
        tokenizer.train_from_iterator(["Hello hello world"], trainers.BpeTrainer(
            vocab_size=60, special_tokens=["<|endoftext|>", "<|im_start|>"], show_progress=False))
        os.makedirs(os.path.join(here, "tokenizer"), exist_ok=True)
        tokenizer.save(place("tokenizer", name + ".json"))


if __name__ == "__main__":
    main()
