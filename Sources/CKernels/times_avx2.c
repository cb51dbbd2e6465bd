// Products with packed weights on AVX2, whose register holds half a panel (8 rows). The operations and their order are
// those of the AVX-512 version, so the integer products give the same bits.
#include "layout.h"
#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("avx2,fma,f16c")))
#define INLINE TARGET static inline __attribute__((always_inline))

// Turns 16 bits of a mask into 16-bit lanes of all ones or all zeros.
INLINE __m256i lanes(const uint8_t *mask, int half) {
  uint16_t bits;
  memcpy(&bits, mask + 2 * half, 2);
  const __m256i each = _mm256_setr_epi16(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, (short)0x8000);
  return _mm256_cmpeq_epi16(_mm256_and_si256(_mm256_set1_epi16((short)bits), each), each);
}

// Loads pair j of a unit: two 16-bit integers for each of the rows 8 half ..< 8 half + 8.
INLINE __m256i pair(const ck_type type, const uint8_t *data, const int j, const int half) {
  if (type == CK_Q8_0) return _mm256_cvtepi8_epi16(_mm_load_si128((const __m128i *)(data + 32 * j + 16 * half)));
  const __m256i word = _mm256_load_si256((const __m256i *)(data + mask_bytes(type) + 64 * (j / 4) + 32 * half));
  const int k = j % 4;
  if (type == CK_Q4_0) return _mm256_srai_epi16(_mm256_slli_epi16(word, 12 - 4 * k), 12);
  __m256i q = _mm256_and_si256(_mm256_srli_epi16(word, 4 * k), _mm256_set1_epi16(15));
  if (!mask_bytes(type)) return q;
  const __m256i step = _mm256_set1_epi16(type == CK_Q5_0 ? -16 : 16);
  q = _mm256_add_epi16(q, _mm256_and_si256(lanes(data + 4 * j, half), step));
  if (type != CK_Q6_K) return q;
  return _mm256_add_epi16(q, _mm256_and_si256(lanes(data + 64 + 4 * j, half), _mm256_set1_epi16(-32)));
}

INLINE __m256 halves(const uint8_t *p) { return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p)); }
INLINE __m256 bytes(const uint8_t *p) {
  return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p)));
}
INLINE __m256 signed_bytes(const uint8_t *p) {
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)p)));
}

typedef struct { __m256 d[2], minimum; } unit_scale;

INLINE unit_scale scale_of(const ck_type type, const uint8_t *panel, int u, const int half) {
  const uint8_t *s = unit_scales(type, panel, u);
  const int within = u % 8;
  const __m256 d = halves(s + 16 * half);
  unit_scale scale = {{d, d}, _mm256_setzero_ps()};
  if (type == CK_Q4_1 || type == CK_Q5_1) scale.minimum = halves(s + 32 + 16 * half);
  if (type == CK_Q4_K || type == CK_Q5_K) {
    scale.d[0] = scale.d[1] = _mm256_mul_ps(d, bytes(s + 64 + 16 * within + 8 * half));
    scale.minimum = _mm256_fnmadd_ps(halves(s + 32 + 16 * half), bytes(s + 192 + 16 * within + 8 * half), _mm256_setzero_ps());
  }
  if (type == CK_Q6_K) {
    scale.d[0] = _mm256_mul_ps(d, signed_bytes(s + 32 + 32 * within + 8 * half));
    scale.d[1] = _mm256_mul_ps(d, signed_bytes(s + 32 + 32 * within + 16 + 8 * half));
  }
  return scale;
}

INLINE void store_half(const product *a, int s, int row, __m256 sum) {
  float out[8];
  _mm256_storeu_ps(out, sum);
  float *y = a->y + (size_t)s * (size_t)a->ldy + row;
  for (int r = 0; r < 8 && row + r < a->rows; r++) y[r] = a->accumulate ? y[r] + out[r] : out[r];
}

INLINE __m256i two(const int16_t *q) {
  int32_t both;
  memcpy(&both, q, 4);
  return _mm256_set1_epi32(both);
}

INLINE void half_int16(const ck_type type, const product *a, int p, const int half, const int n) {
  const int units = a->columns / unit_columns;
  const uint8_t *panel = a->packed + (size_t)p * panel_bytes(type, a->columns);
  __m256 total[4];
  for (int s = 0; s < n; s++) total[s] = _mm256_setzero_ps();
  for (int u = 0; u < units; u++) {
    const uint8_t *data = unit_data(type, panel, u);
    const unit_scale scale = scale_of(type, panel, u, half);
    const int16_t *q = a->q + (size_t)u * unit_columns;
    __m256i sum[4];
#pragma clang loop unroll(full)
    for (int h = 0; h < 2; h++) {
      if (h == 0 || type == CK_Q6_K)
        for (int s = 0; s < n; s++) sum[s] = _mm256_setzero_si256();
#pragma clang loop unroll(full)
      for (int j = 8 * h; j < 8 * h + 8; j++) {
        const __m256i w = pair(type, data, j, half);
        for (int s = 0; s < n; s++)
          sum[s] = _mm256_add_epi32(sum[s], _mm256_madd_epi16(w, two(q + (size_t)s * (size_t)a->ldx + 2 * j)));
      }
      if (h == 1 || type == CK_Q6_K)
        for (int s = 0; s < n; s++) total[s] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum[s]), scale.d[h], total[s]);
    }
    if (has_minimum(type))
      for (int s = 0; s < n; s++)
        total[s] = _mm256_fmadd_ps(scale.minimum, _mm256_set1_ps(a->sums[(size_t)s * (size_t)units + (size_t)u]), total[s]);
  }
  for (int s = 0; s < n; s++)
    store_half(a, s, p * panel_rows + 8 * half, _mm256_mul_ps(total[s], _mm256_set1_ps(a->scales[s])));
}

INLINE void half_fp32(const ck_type type, const product *a, int p, const int half, const int n) {
  const int units = a->columns / unit_columns;
  const uint8_t *panel = a->packed + (size_t)p * panel_bytes(type, a->columns);
  __m256 total[4];
  for (int s = 0; s < n; s++) total[s] = _mm256_setzero_ps();
  for (int u = 0; u < units; u++) {
    const uint8_t *data = unit_data(type, panel, u);
    const unit_scale scale = scale_of(type, panel, u, half);
    const float *x = a->x + (size_t)u * unit_columns;
    __m256 sum[4];
#pragma clang loop unroll(full)
    for (int h = 0; h < 2; h++) {
      if (h == 0 || type == CK_Q6_K)
        for (int s = 0; s < n; s++) sum[s] = _mm256_setzero_ps();
#pragma clang loop unroll(full)
      for (int j = 8 * h; j < 8 * h + 8; j++) {
        const __m256i w = pair(type, data, j, half);
        const __m256 even = _mm256_cvtepi32_ps(_mm256_srai_epi32(_mm256_slli_epi32(w, 16), 16));
        const __m256 odd = _mm256_cvtepi32_ps(_mm256_srai_epi32(w, 16));
        for (int s = 0; s < n; s++) {
          const float *xs = x + (size_t)s * (size_t)a->ldx + 2 * j;
          sum[s] = _mm256_fmadd_ps(even, _mm256_set1_ps(xs[0]), sum[s]);
          sum[s] = _mm256_fmadd_ps(odd, _mm256_set1_ps(xs[1]), sum[s]);
        }
      }
      if (h == 1 || type == CK_Q6_K)
        for (int s = 0; s < n; s++) total[s] = _mm256_fmadd_ps(scale.d[h], sum[s], total[s]);
    }
    if (has_minimum(type))
      for (int s = 0; s < n; s++)
        total[s] = _mm256_fmadd_ps(scale.minimum, _mm256_set1_ps(a->sums[(size_t)s * (size_t)units + (size_t)u]), total[s]);
  }
  for (int s = 0; s < n; s++) store_half(a, s, p * panel_rows + 8 * half, total[s]);
}

INLINE void times(const ck_type type, const product *all, const int integers) {
  for (int p = all->p0; p < all->p1; p++)
    for (int half = 0; half < 2; half++)
      for (int s = 0; s < all->n;) {
        const int left = all->n - s, n = left >= 4 ? 4 : left >= 2 ? 2 : 1;
        const product a = advanced(*all, s, n);
        if (integers) {
          if (n == 4) half_int16(type, &a, p, half, 4);
          if (n == 2) half_int16(type, &a, p, half, 2);
          if (n == 1) half_int16(type, &a, p, half, 1);
        } else {
          if (n == 4) half_fp32(type, &a, p, half, 4);
          if (n == 2) half_fp32(type, &a, p, half, 2);
          if (n == 1) half_fp32(type, &a, p, half, 1);
        }
        s += n;
      }
}

INLINE void unpack(const ck_type type, const uint8_t *packed, int columns, int p0, int p1, float *out, int ldo) {
  for (int p = p0; p < p1; p++) {
    const uint8_t *panel = packed + (size_t)p * panel_bytes(type, columns);
    float *to = out + (size_t)(p - p0) * panel_rows;
    for (int u = 0; u < columns / unit_columns; u++, to += unit_columns * (size_t)ldo) {
      const uint8_t *data = unit_data(type, panel, u);
      for (int half = 0; half < 2; half++) {
        const unit_scale scale = scale_of(type, panel, u, half);
#pragma clang loop unroll(full)
        for (int j = 0; j < pairs; j++) {
          const __m256i w = pair(type, data, j, half);
          const __m256 even = _mm256_cvtepi32_ps(_mm256_srai_epi32(_mm256_slli_epi32(w, 16), 16));
          const __m256 odd = _mm256_cvtepi32_ps(_mm256_srai_epi32(w, 16));
          float *at = to + (size_t)(2 * j) * (size_t)ldo + 8 * half;
          // The product of a scale and a quantised value is exact, so this rounds only once.
          _mm256_storeu_ps(at, _mm256_fmadd_ps(scale.d[j / 8], even, scale.minimum));
          _mm256_storeu_ps(at + ldo, _mm256_fmadd_ps(scale.d[j / 8], odd, scale.minimum));
        }
      }
    }
  }
}

TARGET void ck_times_int16_avx2(ck_type type, const product *a) {
#define CALL(t) times(t, a, 1)
  EACH_TYPE(CALL)
#undef CALL
}

TARGET void ck_times_avx2(ck_type type, const product *a) {
#define CALL(t) times(t, a, 0)
  EACH_TYPE(CALL)
#undef CALL
}

TARGET void ck_unpack_avx2(ck_type type, const uint8_t *packed, int columns, int p0, int p1, float *out, int ldo) {
#define CALL(t) unpack(t, packed, columns, p0, p1, out, ldo)
  EACH_TYPE(CALL)
#undef CALL
}
#endif
