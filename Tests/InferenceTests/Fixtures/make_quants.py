"""Writes quants.gguf, one tensor [32 rows, 512 columns] of each element type, and quants.safetensors, their fp32 values.

Rows 0-23 are random numbers of many sizes, quantised by ggml itself. Rows 24-31 are blocks that no quantiser would
write: scales of zero, minus zero, below zero, subnormal and as large as they can be, with all quants at their smallest,
largest or random. The values are those of the gguf package; ggml's own conversion is compared with them and may differ
in the last bits, since a compiler may fuse its multiplications and additions.
Usage: make_quants.py GGML_LIBRARY_FOLDER    the folder of llama.cpp's libggml-base.so
"""

import ctypes
import os
import sys

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type
from safetensors.numpy import save_file

ROWS, COLUMNS, RANDOM_ROWS = 32, 512, 24
# Where the half-precision scales stand in a block.
SCALES = {
    Type.Q4_0: [0], Type.Q4_1: [0, 2], Type.Q5_0: [0], Type.Q5_1: [0, 2], Type.Q8_0: [0],
    Type.Q4_K: [0, 2], Type.Q5_K: [0, 2], Type.Q6_K: [208],
}
# 0, -0, -1.5, the smallest subnormal, the largest subnormal, minus a subnormal, the largest finite, its negative
HALVES = [0x0000, 0x8000, 0xBE00, 0x0001, 0x03FF, 0x8155, 0x7BFF, 0xFBFF]


class TypeTraits(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("block", ctypes.c_int64), ("interleave", ctypes.c_int64),
                ("size", ctypes.c_size_t), ("quantized", ctypes.c_bool), ("to_float", ctypes.c_void_p)]


def load(folder):
    library = ctypes.CDLL(os.path.join(folder, "libggml-base.so"))
    library.ggml_quantize_chunk.restype = ctypes.c_size_t
    library.ggml_quantize_chunk.argtypes = [
        ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p]
    library.ggml_get_type_traits.restype = ctypes.POINTER(TypeTraits)
    library.ggml_get_type_traits.argtypes = [ctypes.c_int]
    return library


def extreme_rows(kind, random):
    """The last rows' blocks as bytes."""
    elements, size = gguf.GGML_QUANT_SIZES[kind]
    rows = ROWS - RANDOM_ROWS
    blocks = random.integers(0, 256, (rows, COLUMNS // elements, size), dtype=np.uint8)
    for row in range(rows):
        if row % 4 == 1:
            blocks[row] = 0xFF
        elif row % 4 == 2:
            blocks[row] = 0x00
        for block in range(blocks.shape[1]):
            for place, offset in enumerate(SCALES[kind]):
                half = HALVES[(row + 3 * block + 5 * place) % len(HALVES)]
                blocks[row, block, offset] = half & 0xFF
                blocks[row, block, offset + 1] = half >> 8
    return blocks.reshape(rows, -1)


def plain(kind, values, random):
    """F32, F16 and BF16: random bits below infinity in the last rows."""
    bits = random.integers(0, 1 << 32, (ROWS - RANDOM_ROWS, COLUMNS), dtype=np.uint64).astype(np.uint32)
    if kind == Type.F32:
        exponent = bits >> 23 & 0xFF
        bits[exponent == 0xFF] &= 0xFF7FFFFF
        bits[0, :8] = [0, 0x80000000, 1, 0x80000001, 0x007FFFFF, 0x7F7FFFFF, 0xFF7FFFFF, 0x3F800000]
        return np.concatenate([values[:RANDOM_ROWS], bits.view(np.float32)])
    if kind == Type.F16:
        halves = (bits & 0xFFFF).astype(np.uint16)
        halves[(halves >> 10 & 0x1F) == 0x1F] &= 0xFBFF
        halves[0, : len(HALVES)] = HALVES
        return np.concatenate([values[:RANDOM_ROWS].astype(np.float16), halves.view(np.float16)])
    rounded = gguf.quants.quantize(values[:RANDOM_ROWS], Type.BF16).view(np.uint16)
    halves = (bits & 0xFFFF).astype(np.uint16)
    halves[(halves >> 7 & 0xFF) == 0xFF] &= 0xFF7F
    halves[0, :6] = [0, 0x8000, 1, 0x8001, 0x7F7F, 0xFF7F]
    return np.concatenate([rounded, halves]).view(np.uint8)


def main():
    library = load(sys.argv[1])
    random = np.random.default_rng(20250131)
    here = os.path.dirname(os.path.abspath(__file__))
    values = random.standard_normal((ROWS, COLUMNS)).astype(np.float32)
    values *= np.float32(10) ** random.uniform(-4, 2, (ROWS, 1)).astype(np.float32)
    values[1] = 0
    values[2] = np.abs(values[2])
    values[3] = -np.abs(values[3])
    values[4, ::32] *= 50

    writer = gguf.GGUFWriter(os.path.join(here, "quants.gguf"), "llama")
    expected = {}
    for kind in [Type.F32, Type.F16, Type.BF16] + list(SCALES):
        if kind in SCALES:
            elements, size = gguf.GGML_QUANT_SIZES[kind]
            data = np.zeros((RANDOM_ROWS, COLUMNS // elements * size), dtype=np.uint8)
            written = library.ggml_quantize_chunk(
                int(kind), values.ctypes.data, data.ctypes.data, 0, RANDOM_ROWS, COLUMNS, None)
            assert written == data.nbytes, kind
            data = np.concatenate([data, extreme_rows(kind, random)])
        else:
            data = plain(kind, values, random)
        name = kind.name
        writer.add_tensor(name, data, raw_dtype=None if kind in (Type.F32, Type.F16) else kind)
        floats = np.ascontiguousarray(gguf.quants.dequantize(data, kind).astype(np.float32))
        assert floats.shape == (ROWS, COLUMNS) and np.isfinite(floats).all(), kind
        expected[name] = floats
        convert = library.ggml_get_type_traits(int(kind)).contents.to_float
        if convert:
            theirs = np.zeros_like(floats)
            flat = np.ascontiguousarray(data).view(np.uint8)
            ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)(convert)(
                flat.ctypes.data, theirs.ctypes.data, ROWS * COLUMNS)
            scale = np.abs(floats).reshape(-1, 32).max(1, keepdims=True).clip(1e-30)
            off = (np.abs(theirs - floats).reshape(-1, 32) / scale).max()
            print(f"{name}: ggml differs at {np.count_nonzero(theirs != floats)} of {floats.size}, by {off:.1e} at most")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    save_file(expected, os.path.join(here, "quants.safetensors"))
    for file in ("quants.gguf", "quants.safetensors"):
        print(file, os.path.getsize(os.path.join(here, file)), "bytes")


if __name__ == "__main__":
    main()
