// How the AVX-512 and AMX kernels read the scales and values of a panel, and how they store its sums. The file that includes this
// defines TARGET, the processor features that its functions are compiled for.
#pragma once
#include "layout.h"
#include <immintrin.h>

#define INLINE TARGET static inline __attribute__((always_inline))

// Loads pair j of a unit: two 16-bit integers for each of 16 rows.
INLINE __m512i pair(const ck_type type, const uint8_t *data, const int j) {
  if (type == CK_Q8_0) return _mm512_cvtepi8_epi16(_mm256_load_si256((const __m256i *)(data + 32 * j)));
  const __m512i word = _mm512_load_si512(data + mask_bytes(type) + 64 * (j / 4));
  const unsigned k = (unsigned)(j % 4);
  if (type == CK_Q4_0) return _mm512_srai_epi16(_mm512_slli_epi16(word, 12 - 4 * k), 12);
  __m512i q = _mm512_and_si512(_mm512_srli_epi16(word, 4 * k), _mm512_set1_epi16(15));
  if (!mask_bytes(type)) return q;
  __mmask32 mask;
  memcpy(&mask, data + 4 * j, 4);
  q = _mm512_mask_add_epi16(q, mask, q, _mm512_set1_epi16(type == CK_Q5_0 ? -16 : 16));
  if (type != CK_Q6_K) return q;
  memcpy(&mask, data + 64 + 4 * j, 4);
  return _mm512_mask_add_epi16(q, mask, q, _mm512_set1_epi16(-32));
}

INLINE __m512 halves(const uint8_t *p) { return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p)); }
INLINE __m512 bytes(const uint8_t *p) {
  return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p)));
}
INLINE __m512 signed_bytes(const uint8_t *p) {
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)p)));
}

typedef struct { __m512 d[2], minimum; } unit_scale;

// The scales of unit u; the second element of d differs from the first only for Q6_K.
INLINE unit_scale scale_of(const ck_type type, const uint8_t *panel, int u) {
  const uint8_t *s = unit_scales(type, panel, u);
  const int within = u % 8;
  unit_scale scale = {{halves(s), halves(s)}, _mm512_setzero_ps()};
  if (type == CK_Q4_1 || type == CK_Q5_1) scale.minimum = halves(s + 32);
  if (type == CK_Q4_K || type == CK_Q5_K) {
    scale.d[0] = scale.d[1] = _mm512_mul_ps(scale.d[0], bytes(s + 64 + 16 * within));
    scale.minimum = _mm512_fnmadd_ps(halves(s + 32), bytes(s + 192 + 16 * within), _mm512_setzero_ps());
  }
  if (type == CK_Q6_K) {
    scale.d[1] = _mm512_mul_ps(scale.d[0], signed_bytes(s + 32 + 32 * within + 16));
    scale.d[0] = _mm512_mul_ps(scale.d[0], signed_bytes(s + 32 + 32 * within));
  }
  return scale;
}

INLINE void store_panel(const product *a, int s, int row, __m512 sum) {
  float *y = a->y + (size_t)s * (size_t)a->ldy + row;
  __mmask16 mask = a->rows - row >= panel_rows ? (__mmask16)0xffff : (__mmask16)((1u << (a->rows - row)) - 1);
  if (a->accumulate) sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, y));
  _mm512_mask_storeu_ps(y, mask, sum);
}
