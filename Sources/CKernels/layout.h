// The packed layout of quantised weights, shared by the packer and every kernel.
//
// A panel is 16 rows. Its columns are cut into units of 32, and units into groups: first the scales of a group's units, at
// the beginning of a cache line, then their data, so that a panel is read from end to end and every load is aligned.
//
//   units of a group, and their scales
//     Q4_0, Q5_0, Q8_0   2   2 × 16 f16 d
//     Q4_1, Q5_1         1   16 f16 d, 16 f16 m
//     Q4_K, Q5_K         8   16 f16 d, 16 f16 dmin, 8 × 16 scales, 8 × 16 minima (unsigned bytes)
//     Q6_K               8   16 f16 d, 16 × 16 scales (signed bytes), 32 bytes unused
//   data of a unit
//     Q8_0               16 × [16 rows][2 columns] int8
//     Q5_0, Q5_1, Q5_K   16 masks, then nibbles
//     Q6_K               2 × 16 masks, then nibbles
//     Q4_0, Q4_1, Q4_K   nibbles
//
// Pair j of a unit is its columns 2 j and 2 j + 1: the kernels multiply a pair of 16 rows at once. Nibbles are 4 words of
// [16 rows] 32 bits; word w of a row holds pairs 4 w … 4 w + 3, pair 4 w + k at bits 4 k (first column) and 16 + 4 k. Q4_0's
// nibbles are q − 8 in two's complement. Mask j is 32 bits: bit 2 r + i for row r and column 2 j + i. In Q5_1 and Q5_K it is
// the fifth bit, in Q5_0 its complement, so that one masked addition of −16 gives q − 16; Q6_K has the fifth bit, then the
// complement of the sixth.
#pragma once
#include "CKernels.h"
#include <string.h>

enum { panel_rows = 16, unit_columns = 32, pairs = 16 };

// The units of a group; for K types a group is the file's block.
static inline int group_units(ck_type type) {
  switch (type) {
  case CK_Q4_1:
  case CK_Q5_1: return 1;
  case CK_Q4_K:
  case CK_Q5_K:
  case CK_Q6_K: return 8;
  default: return 2;
  }
}
// Whether units have a minimum, which multiplies the sum of their activations.
static inline int has_minimum(ck_type type) {
  return type == CK_Q4_1 || type == CK_Q5_1 || type == CK_Q4_K || type == CK_Q5_K;
}

static inline int mask_bytes(ck_type type) {
  return type == CK_Q6_K ? 128 : type == CK_Q5_0 || type == CK_Q5_1 || type == CK_Q5_K ? 64 : 0;
}
static inline int data_bytes(ck_type type) { return type == CK_Q8_0 ? 512 : mask_bytes(type) + 256; }
static inline int scale_bytes(ck_type type) { return group_units(type) == 8 ? 320 : 64; }
static inline int group_bytes(ck_type type) { return scale_bytes(type) + group_units(type) * data_bytes(type); }

static inline size_t panel_bytes(ck_type type, int columns) {
  const int units = columns / unit_columns;
  return (size_t)((units + group_units(type) - 1) / group_units(type)) * (size_t)group_bytes(type);
}

// Where the scales of unit u begin: its own scales, or its group's for K types.
static inline const uint8_t *unit_scales(ck_type type, const uint8_t *panel, int u) {
  const int g = group_units(type);
  return panel + (size_t)(u / g) * (size_t)group_bytes(type) + (g == 2 ? 32 * (u % 2) : 0);
}
static inline const uint8_t *unit_data(ck_type type, const uint8_t *panel, int u) {
  const int g = group_units(type);
  return panel + (size_t)(u / g) * (size_t)group_bytes(type) + scale_bytes(type) + (size_t)(u % g) * (size_t)data_bytes(type);
}

static inline float float_from_half(const void *p) {
  _Float16 half;
  memcpy(&half, p, 2);
  return (float)half;
}

static inline float float_from_bf16(const void *p) {
  uint16_t half;
  memcpy(&half, p, 2);
  uint32_t bits = (uint32_t)half << 16;
  float value;
  memcpy(&value, &bits, 4);
  return value;
}

// The scale of one row for the 16 columns 16 h ..< 16 h + 16 of unit u, and its minimum. All products here are exact in fp32.
static inline float row_scale(ck_type type, const uint8_t *panel, int u, int r, int h, float *minimum) {
  const uint8_t *scales = unit_scales(type, panel, u);
  float d = float_from_half(scales + 2 * r);
  *minimum = 0;
  switch (type) {
  case CK_Q4_1:
  case CK_Q5_1: *minimum = float_from_half(scales + 32 + 2 * r); return d;
  case CK_Q4_K:
  case CK_Q5_K:
    *minimum = -float_from_half(scales + 32 + 2 * r) * (float)scales[192 + 16 * (u % 8) + r];
    return d * (float)scales[64 + 16 * (u % 8) + r];
  case CK_Q6_K: return d * (float)(int8_t)scales[32 + 16 * (2 * (u % 8) + h) + r];
  default: return d;
  }
}

// The quantised value of one row in column c of a unit.
static inline int row_value(ck_type type, const uint8_t *data, int r, int c) {
  int j = c / 2, i = c % 2;
  if (type == CK_Q8_0) return (int8_t)data[32 * j + 2 * r + i];
  const uint8_t *nibbles = data + mask_bytes(type);
  uint32_t word, mask = 0, second = 0;
  memcpy(&word, nibbles + 64 * (j / 4) + 4 * r, 4);
  int q = (int)((word >> (16 * i + 4 * (j % 4))) & 15u);
  if (mask_bytes(type)) memcpy(&mask, data + 4 * j, 4);
  if (type == CK_Q6_K) memcpy(&second, data + 64 + 4 * j, 4);
  int bit = (int)((mask >> (2 * r + i)) & 1u);
  switch (type) {
  case CK_Q4_0: return q >= 8 ? q - 16 : q;
  case CK_Q5_0: return q - 16 * bit;
  case CK_Q5_1:
  case CK_Q5_K: return q + 16 * bit;
  case CK_Q6_K: return q + 16 * bit - 32 * (int)((second >> (2 * r + i)) & 1u);
  default: return q;
  }
}

// The arguments of a product of some panels with n rows of activations; see ck_packed_times and ck_packed_times_int16.
typedef struct {
  const uint8_t *packed;
  int rows, columns;
  const float *x;      // fp32 activations [n, ldx], for the exact product
  const int16_t *q;    // or quantised ones [n, ldx],
  const float *scales; // their scale [n]
  const float *sums;   // and sums of each unit [n, columns / 32]: of x, or of q
  int ldx, n;
  float *y;
  int ldy, accumulate, p0, p1;
} product;

// The same product for the n rows of activations from row s on.
static inline product advanced(product a, int s, int n) {
  if (a.x) a.x += (size_t)s * (size_t)a.ldx;
  if (a.q) a.q += (size_t)s * (size_t)a.ldx;
  if (a.scales) a.scales += s;
  if (a.sums) a.sums += (size_t)s * (size_t)(a.columns / unit_columns);
  a.y += (size_t)s * (size_t)a.ldy;
  a.n = n;
  return a;
}

// The products of one processor level. Portable ones exist for every type.
typedef void (*product_fn)(ck_type type, const product *a);
void ck_times_avx2(ck_type type, const product *a);
void ck_times_avx512(ck_type type, const product *a);
void ck_times_int16_avx2(ck_type type, const product *a);
void ck_times_int16_avx512(ck_type type, const product *a);
// Whether this process may use AMX tiles of bytes; if not, ck_times_int16_amx must not be called.
int ck_has_tiles(void);
void ck_split_bytes_amx(const int16_t *q, int s0, int s1, int columns, uint8_t *bytes);
// Returns 0, and has done nothing, where there is no memory for its scratch.
int ck_times_int16_amx(ck_type type, const product *a, const uint8_t *bytes);
// The AVX2 version of ck_unpack_transposed.
void ck_unpack_avx2(ck_type type, const uint8_t *packed, int columns, int p0, int p1, float *out, int ldo);
void ck_unpack_avx512(ck_type type, const uint8_t *packed, int columns, int p0, int p1, float *out, int ldo);

// Calls an inlined body with each quantised type as a constant, so that each type gets a compiled copy of its own.
#define EACH_TYPE(call)                                                                                                        \
  switch (type) {                                                                                                              \
  case CK_Q4_0: call(CK_Q4_0); break;                                                                                          \
  case CK_Q4_1: call(CK_Q4_1); break;                                                                                          \
  case CK_Q5_0: call(CK_Q5_0); break;                                                                                          \
  case CK_Q5_1: call(CK_Q5_1); break;                                                                                          \
  case CK_Q8_0: call(CK_Q8_0); break;                                                                                          \
  case CK_Q4_K: call(CK_Q4_K); break;                                                                                          \
  case CK_Q5_K: call(CK_Q5_K); break;                                                                                          \
  case CK_Q6_K: call(CK_Q6_K); break;                                                                                          \
  default: break;                                                                                                              \
  }
