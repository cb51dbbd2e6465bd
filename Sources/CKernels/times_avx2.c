// Products with packed weights on AVX2: a panel of 16 rows is two registers; the same order of additions for any
// number of streams. One inner loop serves all types: a block of columns is widened to fp32, then multiplied.
#include "layout.h"
#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("avx2,fma,f16c")))
#define INLINE TARGET static inline __attribute__((always_inline))

// Rows 8 h ..< 8 h + 8 of column c within a block; quantised types without their scale.
INLINE __m256 column_8(const ck_type type, const uint8_t *block, int c, int h) {
  switch (type) {
  case CK_F32: return _mm256_loadu_ps((const float *)block + c * panel_rows + 8 * h);
  case CK_F16: return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(block + (c * panel_rows + 8 * h) * 2)));
  case CK_BF16:
    return _mm256_castsi256_ps(_mm256_slli_epi32(
        _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(block + (c * panel_rows + 8 * h) * 2))), 16));
  case CK_Q8_0:
    return _mm256_cvtepi32_ps(
        _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(block + 32 + c * panel_rows + 8 * h))));
  case CK_Q4_1: {
    int within = c & 15;
    __m256i word = _mm256_loadu_si256((const __m256i *)(block + 64 + 64 * (within / 4) + 32 * h));
    __m256i nibble = _mm256_and_si256(_mm256_srl_epi32(word, _mm_cvtsi32_si128(8 * (within & 3) + (c >= 16 ? 4 : 0))),
                                      _mm256_set1_epi32(15));
    return _mm256_cvtepi32_ps(nibble);
  }
  }
  return _mm256_setzero_ps();
}

INLINE void times(const ck_type type, const uint8_t *packed, int rows, int columns, const float *x, int ldx, int n,
                  const float *sums, float *y, int ldy, int accumulate, int p0, int p1) {
  const int quantised = type == CK_Q8_0 || type == CK_Q4_1;
  const int step = quantised ? q_columns : 1;
  const int blocks = columns / step;
  const size_t stride = packed_panel_bytes(type, columns) / (size_t)blocks;
  for (int p = p0; p < p1; p++) {
    const uint8_t *panel = packed + (size_t)p * packed_panel_bytes(type, columns);
    for (int h = 0; h < 2; h++)
      for (int s = 0; s < n; s++) {
        const float *xs = x + (size_t)s * (size_t)ldx;
        __m256 total = _mm256_setzero_ps();
        if (quantised) {
          for (int b = 0; b < blocks; b++) {
            const uint8_t *block = panel + (size_t)b * stride;
            __m256 even = _mm256_setzero_ps(), odd = even;
#pragma clang loop unroll(full)
            for (int c = 0; c < q_columns; c += 2) {
              even = _mm256_fmadd_ps(column_8(type, block, c, h), _mm256_set1_ps(xs[b * q_columns + c]), even);
              odd = _mm256_fmadd_ps(column_8(type, block, c + 1, h), _mm256_set1_ps(xs[b * q_columns + c + 1]), odd);
            }
            __m256 d = _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(block + 16 * h)));
            total = _mm256_fmadd_ps(d, _mm256_add_ps(even, odd), total);
            if (type == CK_Q4_1) {
              __m256 m = _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(block + 32 + 16 * h)));
              total = _mm256_fmadd_ps(m, _mm256_set1_ps(sums[(size_t)s * (size_t)blocks + (size_t)b]), total);
            }
          }
        } else {
          __m256 odd = _mm256_setzero_ps();
          int c = 0;
          for (; c + 2 <= columns; c += 2) {
            total = _mm256_fmadd_ps(column_8(type, panel, c, h), _mm256_set1_ps(xs[c]), total);
            odd = _mm256_fmadd_ps(column_8(type, panel, c + 1, h), _mm256_set1_ps(xs[c + 1]), odd);
          }
          for (; c < columns; c++) total = _mm256_fmadd_ps(column_8(type, panel, c, h), _mm256_set1_ps(xs[c]), total);
          total = _mm256_add_ps(total, odd);
        }
        float out[8];
        _mm256_storeu_ps(out, total);
        for (int r = 0; r < 8 && p * panel_rows + 8 * h + r < rows; r++) {
          float *to = y + (size_t)s * (size_t)ldy + (size_t)(p * panel_rows + 8 * h + r);
          *to = accumulate ? *to + out[r] : out[r];
        }
      }
  }
}

#define KERNEL(name, type)                                                                                                     \
  TARGET static void name(const uint8_t *packed, int rows, int columns, const float *x, int ldx, int n, const float *sums,     \
                          float *y, int ldy, int accumulate, int p0, int p1) {                                                 \
    times(type, packed, rows, columns, x, ldx, n, sums, y, ldy, accumulate, p0, p1);                                           \
  }
KERNEL(times_f32, CK_F32)
KERNEL(times_f16, CK_F16)
KERNEL(times_bf16, CK_BF16)
KERNEL(times_q8_0, CK_Q8_0)
KERNEL(times_q4_1, CK_Q4_1)

times_fn ck_times_avx2(ck_type type) {
  switch (type) {
  case CK_F32: return times_f32;
  case CK_F16: return times_f16;
  case CK_BF16: return times_bf16;
  case CK_Q8_0: return times_q8_0;
  case CK_Q4_1: return times_q4_1;
  }
  return 0;
}
#endif
