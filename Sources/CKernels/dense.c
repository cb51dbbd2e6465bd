// Products with weights stored as plain rows of fp32, fp16 or bf16 numbers, which are read in place (often from a
// mapped file). Decoding has few rows of activations and is bound by reading the weights: it uses fp32. Prefill has
// many and is bound by arithmetic: it uses bf16 dot products where the processor has them, or widens the weights for
// OpenBLAS. The result of a row never depends on how many other rows are computed with it.
#include "layout.h"
#include "clones.h"

// These vectors are passed by pointer: they are wider than the baseline's registers, so no calling convention covers them.
#define INLINE static inline __attribute__((always_inline))

// MARK: widening

CLONES void ck_widen(ck_type type, const void *source, float *out, int64_t n) {
  const uint8_t *bytes = source;
  switch (type) {
  case CK_F32: memcpy(out, source, (size_t)n * 4); break;
  case CK_BF16:
    for (int64_t i = 0; i < n; i++) out[i] = float_from_bf16(bytes + 2 * i);
    break;
  default:
    for (int64_t i = 0; i < n; i++) out[i] = float_from_half(bytes + 2 * i);
  }
}

// MARK: a few rows of activations

// Each row of weights has 16 partial sums: lane l adds the columns c with c mod 16 = l, then a fixed tree adds the lanes.
enum { lanes = 16, most_streams = 8 };

typedef float vector __attribute__((ext_vector_type(16)));

INLINE void load_16(const ck_type type, const uint8_t *p, vector *to) {
  vector out;
  if (type == CK_F32) {
    memcpy(&out, p, 64);
  } else if (type == CK_BF16) {
    typedef uint16_t narrow __attribute__((ext_vector_type(16)));
    typedef uint32_t wide __attribute__((ext_vector_type(16)));
    narrow half;
    memcpy(&half, p, 32);
    wide bits = __builtin_convertvector(half, wide) << 16;
    memcpy(&out, &bits, 64);
  } else {
    typedef _Float16 narrow __attribute__((ext_vector_type(16)));
    narrow half;
    memcpy(&half, p, 32);
    out = __builtin_convertvector(half, vector);
  }
  *to = out;
}

INLINE float add_lanes(const vector *v) {
  typedef float half __attribute__((ext_vector_type(8)));
  half a = v->lo + v->hi;
  return ((a[0] + a[4]) + (a[2] + a[6])) + ((a[1] + a[5]) + (a[3] + a[7]));
}

// Multiplies `group` rows of weights with n rows of activations.
INLINE void dense_group(const ck_type type, const uint8_t *w, size_t stride, int columns,
                                                              const float *x, int ldx, float *y, int ldy, int accumulate,
                                                              const int group, const int n) {
  const size_t size = type == CK_F32 ? 4 : 2;
  vector sums[4][most_streams];
  for (int g = 0; g < group; g++)
    for (int s = 0; s < n; s++) sums[g][s] = 0;
  int c = 0;
  for (; c + lanes <= columns; c += lanes) {
    vector weights[4];
    for (int g = 0; g < group; g++) load_16(type, w + (size_t)g * stride + (size_t)c * size, &weights[g]);
    for (int s = 0; s < n; s++) {
      vector xs;
      memcpy(&xs, x + (size_t)s * (size_t)ldx + c, 64);
      for (int g = 0; g < group; g++) sums[g][s] = __builtin_elementwise_fma(weights[g], xs, sums[g][s]);
    }
  }
  if (c < columns) {
    for (int g = 0; g < group; g++) {
      uint8_t rest[64] = {0};
      memcpy(rest, w + (size_t)g * stride + (size_t)c * size, (size_t)(columns - c) * size);
      vector weights;
      load_16(type, rest, &weights);
      for (int s = 0; s < n; s++) {
        float tail[lanes] = {0};
        memcpy(tail, x + (size_t)s * (size_t)ldx + c, (size_t)(columns - c) * 4);
        vector xs;
        memcpy(&xs, tail, 64);
        sums[g][s] = __builtin_elementwise_fma(weights, xs, sums[g][s]);
      }
    }
  }
  for (int s = 0; s < n; s++)
    for (int g = 0; g < group; g++) {
      float *out = y + (size_t)s * (size_t)ldy + g;
      const float sum = add_lanes(&sums[g][s]);
      *out = accumulate ? *out + sum : sum;
    }
}

INLINE void dense_streams(const ck_type type, const uint8_t *w, size_t stride, int columns,
                                                                const float *x, int ldx, float *y, int ldy, int accumulate,
                                                                int rows, const int group, const int n) {
  int r = 0;
  for (; r + group <= rows; r += group)
    dense_group(type, w + (size_t)r * stride, stride, columns, x, ldx, y + r, ldy, accumulate, group, n);
  for (; r < rows; r++)
    dense_group(type, w + (size_t)r * stride, stride, columns, x, ldx, y + r, ldy, accumulate, 1, n);
}

INLINE void dense_times(const ck_type type, const uint8_t *w, size_t stride, int columns,
                                                              const float *x, int ldx, int n, float *y, int ldy,
                                                              int accumulate, int rows) {
  for (int s = 0; s < n;) {
    const int left = n - s, now = left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
    const float *xs = x + (size_t)s * (size_t)ldx;
    float *ys = y + (size_t)s * (size_t)ldy;
    if (now == 8) dense_streams(type, w, stride, columns, xs, ldx, ys, ldy, accumulate, rows, 2, 8);
    if (now == 4) dense_streams(type, w, stride, columns, xs, ldx, ys, ldy, accumulate, rows, 4, 4);
    if (now == 2) dense_streams(type, w, stride, columns, xs, ldx, ys, ldy, accumulate, rows, 4, 2);
    // With one row of activations, weights are read one row after the other: that is a single stretch of memory, and
    // faster than four rows at once.
    if (now == 1) dense_streams(type, w, stride, columns, xs, ldx, ys, ldy, accumulate, rows, 1, 1);
    s += now;
  }
}

CLONES void ck_dense_times(ck_type type, const void *weights, int columns, int r0, int r1, const float *x, int ldx, int n,
                           float *y, int ldy, int accumulate) {
  const size_t stride = (size_t)columns * (type == CK_F32 ? 4 : 2);
  const uint8_t *w = (const uint8_t *)weights + (size_t)r0 * stride;
  if (type == CK_F32) dense_times(CK_F32, w, stride, columns, x, ldx, n, y + r0, ldy, accumulate, r1 - r0);
  if (type == CK_BF16) dense_times(CK_BF16, w, stride, columns, x, ldx, n, y + r0, ldy, accumulate, r1 - r0);
  if (type == CK_F16) dense_times(CK_F16, w, stride, columns, x, ldx, n, y + r0, ldy, accumulate, r1 - r0);
}

// MARK: reading alone

CLONES uint64_t ck_read(const void *bytes, size_t n) {
  typedef uint64_t words __attribute__((ext_vector_type(8), aligned(1)));
  const uint8_t *p = bytes;
  words parts[4] = {0};
  size_t i = 0;
  for (; i + sizeof parts <= n; i += sizeof parts)
    for (int part = 0; part < 4; part++) parts[part] ^= *(const words *)(p + i + (size_t)part * sizeof(words));
  const words both = (parts[0] ^ parts[1]) ^ (parts[2] ^ parts[3]);
  uint64_t all = 0;
  for (int lane = 0; lane < 8; lane++) all ^= both[lane];
  for (; i < n; i++) all ^= p[i];
  return all;
}

// MARK: many rows of activations in bf16

int ck_has_bf16_products(void) { return ck_level() >= 3; }

#if defined(__x86_64__)
#include <immintrin.h>
#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma")))
#define VECTOR TARGET static inline __attribute__((always_inline))

// Transposes 16 × 16 elements of 32 bits in four rounds of pairwise exchanges.
VECTOR void transpose_16(__m512i *v) {
  for (int distance = 8; distance >= 1; distance /= 2) {
    __m512i low, high;
    int32_t a[16], b[16];
    for (int i = 0; i < 16; i++) {
      const int upper = (i / distance) & 1;
      a[i] = upper ? 16 + i - distance : i;
      b[i] = upper ? 16 + i : i + distance;
    }
    memcpy(&low, a, 64);
    memcpy(&high, b, 64);
    for (int i = 0; i < 16; i++) {
      if ((i / distance) & 1) continue;
      const __m512i first = v[i], second = v[i + distance];
      v[i] = _mm512_permutex2var_epi32(first, low, second);
      v[i + distance] = _mm512_permutex2var_epi32(first, high, second);
    }
  }
}

// Writes 16 rows of bf16 weights as [columns / 2][16 rows][2]. Rows beyond `rows`, and an odd last column's partner, are zero.
TARGET static void panel_of_pairs(const uint8_t *w, size_t stride, int rows, int columns, uint32_t *out) {
  const int halves = (columns + 1) / 2;
  for (int j = 0; j < halves; j += 16) {
    const int bytes = (columns - 2 * j) * 2 < 64 ? (columns - 2 * j) * 2 : 64;
    __m512i v[16];
    for (int r = 0; r < 16; r++)
      v[r] = r >= rows ? _mm512_setzero_si512()
                       : _mm512_maskz_loadu_epi16((__mmask32)(bytes == 64 ? ~0u : (1u << (bytes / 2)) - 1),
                                                  w + (size_t)r * stride + (size_t)j * 4);
    transpose_16(v);
    for (int i = 0; i < 16 && j + i < halves; i++) _mm512_storeu_si512(out + (size_t)(j + i) * 16, v[i]);
  }
}

VECTOR void panel_bf16(const uint32_t *panel, int halves, const uint16_t *x, int ldx, float *y, int ldy, int accumulate,
                       __mmask16 mask, const int n) {
  __m512 sum[16];
#pragma clang loop unroll(full)
  for (int s = 0; s < n; s++) sum[s] = _mm512_setzero_ps();
  for (int j = 0; j < halves; j++) {
    const __m512bh w = (__m512bh)_mm512_loadu_si512(panel + (size_t)j * 16);
#pragma clang loop unroll(full)
    for (int s = 0; s < n; s++) {
      int32_t both;
      memcpy(&both, x + (size_t)s * (size_t)ldx + 2 * j, 4);
      sum[s] = _mm512_dpbf16_ps(sum[s], w, (__m512bh)_mm512_set1_epi32(both));
    }
  }
#pragma clang loop unroll(full)
  for (int s = 0; s < n; s++) {
    float *out = y + (size_t)s * (size_t)ldy;
    if (accumulate) sum[s] = _mm512_add_ps(sum[s], _mm512_maskz_loadu_ps(mask, out));
    _mm512_mask_storeu_ps(out, mask, sum[s]);
  }
}

TARGET void ck_dense_times_bf16(const void *weights, int columns, int r0, int r1, const uint16_t *x, int ldx, int n, float *y,
                                int ldy, int accumulate, uint32_t *scratch) {
  const size_t stride = (size_t)columns * 2;
  const int halves = (columns + 1) / 2;
  for (int row = r0; row < r1; row += panel_rows) {
    const int rows = r1 - row < panel_rows ? r1 - row : panel_rows;
    panel_of_pairs((const uint8_t *)weights + (size_t)row * stride, stride, rows, columns, scratch);
    const __mmask16 mask = (__mmask16)((1u << rows) - 1);
    int s = 0;
    for (; s + 16 <= n; s += 16)
      panel_bf16(scratch, halves, x + (size_t)s * (size_t)ldx, ldx, y + (size_t)s * (size_t)ldy + row, ldy, accumulate, mask, 16);
    for (; s + 4 <= n; s += 4)
      panel_bf16(scratch, halves, x + (size_t)s * (size_t)ldx, ldx, y + (size_t)s * (size_t)ldy + row, ldy, accumulate, mask, 4);
    for (; s < n; s++)
      panel_bf16(scratch, halves, x + (size_t)s * (size_t)ldx, ldx, y + (size_t)s * (size_t)ldy + row, ldy, accumulate, mask, 1);
  }
}
#else
void ck_dense_times_bf16(const void *weights, int columns, int r0, int r1, const uint16_t *x, int ldx, int n, float *y, int ldy,
                         int accumulate, uint32_t *scratch) {
  (void)weights, (void)columns, (void)r0, (void)r1, (void)x, (void)ldx, (void)n, (void)y, (void)ldy, (void)accumulate, (void)scratch;
}
#endif
