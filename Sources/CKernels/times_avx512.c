// Products with packed weights on AVX-512: a register holds one column pair of a panel of 16 rows, and activations are
// broadcast. One integer instruction (VNNI) multiplies 16 rows × 2 columns; the fp32 versions widen the same pairs. A
// row of activations goes through the same operations in the same order whatever the number of rows, so its result
// never depends on other rows.
#include "layout.h"
#if defined(__x86_64__)
#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")))
#include "panel_avx512.h"

// MARK: integer products

INLINE __m512i two(const int16_t *q) {
  int32_t both;
  memcpy(&both, q, 4);
  return _mm512_set1_epi32(both);
}

// How many bytes before their use weights are prefetched; the processor's own prefetching leaves this bandwidth idle.
enum { ahead = 1024 };

// Multiplies one panel with n rows of activations.
INLINE void panel_int16(const ck_type type, const product *a, int p, const int n) {
  const int units = a->columns / unit_columns;
  const uint8_t *panel = a->packed + (size_t)p * panel_bytes(type, a->columns);
  __m512 total[8];
#pragma clang loop unroll(full)
  for (int s = 0; s < n; s++) total[s] = _mm512_setzero_ps();
  for (int u = 0; u < units; u++) {
    const uint8_t *data = unit_data(type, panel, u);
#pragma clang loop unroll(full)
    for (int line = 0; line < data_bytes(type); line += 64) __builtin_prefetch(data + ahead + line);
    const unit_scale scale = scale_of(type, panel, u);
    const int16_t *q = a->q + (size_t)u * unit_columns;
    __m512i sum[8];
#pragma clang loop unroll(full)
    for (int j = 0; j < pairs; j++) {
      const __m512i w = pair(type, data, j);
#pragma clang loop unroll(full)
      for (int s = 0; s < n; s++) {
        const int fresh = j == 0 || (type == CK_Q6_K && j == pairs / 2);
        sum[s] = _mm512_dpwssd_epi32(fresh ? _mm512_setzero_si512() : sum[s], w, two(q + (size_t)s * (size_t)a->ldx + 2 * j));
      }
      if (type == CK_Q6_K && j == pairs / 2 - 1)
#pragma clang loop unroll(full)
        for (int s = 0; s < n; s++) total[s] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum[s]), scale.d[0], total[s]);
    }
#pragma clang loop unroll(full)
    for (int s = 0; s < n; s++) {
      total[s] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum[s]), scale.d[1], total[s]);
      if (has_minimum(type))
        total[s] = _mm512_fmadd_ps(scale.minimum, _mm512_set1_ps(a->sums[(size_t)s * (size_t)units + (size_t)u]), total[s]);
    }
  }
#pragma clang loop unroll(full)
  for (int s = 0; s < n; s++)
    store_panel(a, s, p * panel_rows, _mm512_mul_ps(total[s], _mm512_set1_ps(a->scales[s])));
}

// The number of activation values that stay in the second-level cache while all panels pass by.
enum { block_values = 160 * 1024 };

INLINE void times_int16(const ck_type type, const product *all) {
  const int block = block_values / all->columns / 8 * 8 + 8;
  for (int first = 0; first < all->n; first += block) {
    const int end = first + block < all->n ? first + block : all->n;
    for (int p = all->p0; p < all->p1; p++)
      for (int s = first; s < end;) {
        const int left = end - s, n = left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
        const product a = advanced(*all, s, n);
        if (n == 8) panel_int16(type, &a, p, 8);
        if (n == 4) panel_int16(type, &a, p, 4);
        if (n == 2) panel_int16(type, &a, p, 2);
        if (n == 1) panel_int16(type, &a, p, 1);
        s += n;
      }
  }
}

// MARK: fp32 products

typedef struct { __m512 even, odd; } columns_2;

// Returns pair j as fp32: its even and its odd column.
INLINE columns_2 wide_pair(const ck_type type, const uint8_t *data, const int j) {
  if (!mask_bytes(type) && type != CK_Q8_0) {
    // permutexvar reads only the low four bits of each index, so the table turns a nibble into a float without masking.
    const float f = type == CK_Q4_0 ? -16 : 0;
    const __m512 table = _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8 + f, 9 + f, 10 + f, 11 + f, 12 + f, 13 + f, 14 + f, 15 + f);
    const __m512i word = _mm512_load_si512(data + 64 * (j / 4));
    const unsigned shift = 4 * (unsigned)(j % 4);
    return (columns_2){_mm512_permutexvar_ps(_mm512_srli_epi32(word, shift), table),
                       _mm512_permutexvar_ps(_mm512_srli_epi32(word, 16 + shift), table)};
  }
  const __m512i w = pair(type, data, j);
  return (columns_2){_mm512_cvtepi32_ps(_mm512_srai_epi32(_mm512_slli_epi32(w, 16), 16)),
                     _mm512_cvtepi32_ps(_mm512_srai_epi32(w, 16))};
}

INLINE void panel_fp32(const ck_type type, const product *a, int p, const int n) {
  const int units = a->columns / unit_columns;
  const uint8_t *panel = a->packed + (size_t)p * panel_bytes(type, a->columns);
  __m512 total[8];
  for (int s = 0; s < n; s++) total[s] = _mm512_setzero_ps();
  for (int u = 0; u < units; u++) {
    const uint8_t *data = unit_data(type, panel, u);
    const unit_scale scale = scale_of(type, panel, u);
    const float *x = a->x + (size_t)u * unit_columns;
    __m512 even[8], odd[8];
#pragma clang loop unroll(full)
    for (int h = 0; h < 2; h++) {
      if (h == 0 || type == CK_Q6_K)
        for (int s = 0; s < n; s++) even[s] = odd[s] = _mm512_setzero_ps();
#pragma clang loop unroll(full)
      for (int j = 8 * h; j < 8 * h + 8; j++) {
        const columns_2 w = wide_pair(type, data, j);
        for (int s = 0; s < n; s++) {
          const float *xs = x + (size_t)s * (size_t)a->ldx + 2 * j;
          even[s] = _mm512_fmadd_ps(w.even, _mm512_set1_ps(xs[0]), even[s]);
          odd[s] = _mm512_fmadd_ps(w.odd, _mm512_set1_ps(xs[1]), odd[s]);
        }
      }
      if (h == 1 || type == CK_Q6_K)
        for (int s = 0; s < n; s++) total[s] = _mm512_fmadd_ps(scale.d[h], _mm512_add_ps(even[s], odd[s]), total[s]);
    }
    if (has_minimum(type))
      for (int s = 0; s < n; s++)
        total[s] = _mm512_fmadd_ps(scale.minimum, _mm512_set1_ps(a->sums[(size_t)s * (size_t)units + (size_t)u]), total[s]);
  }
  for (int s = 0; s < n; s++) store_panel(a, s, p * panel_rows, total[s]);
}

INLINE void times_fp32(const ck_type type, const product *all) {
  for (int s = 0; s < all->n;) {
    const int left = all->n - s, n = left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
    product a = advanced(*all, s, n);
    for (int p = all->p0; p < all->p1; p++) {
      if (n == 8) panel_fp32(type, &a, p, 8);
      if (n == 4) panel_fp32(type, &a, p, 4);
      if (n == 2) panel_fp32(type, &a, p, 2);
      if (n == 1) panel_fp32(type, &a, p, 1);
    }
    s += n;
  }
}

INLINE void unpack(const ck_type type, const uint8_t *packed, int columns, int p0, int p1, float *out, int ldo) {
  for (int p = p0; p < p1; p++) {
    const uint8_t *panel = packed + (size_t)p * panel_bytes(type, columns);
    float *to = out + (size_t)(p - p0) * panel_rows;
    for (int u = 0; u < columns / unit_columns; u++) {
      const uint8_t *data = unit_data(type, panel, u);
      const unit_scale scale = scale_of(type, panel, u);
#pragma clang loop unroll(full)
      for (int j = 0; j < pairs; j++, to += 2 * (size_t)ldo) {
        // The product of a scale and a quantised value is exact, so this rounds only once.
        const columns_2 w = wide_pair(type, data, j);
        _mm512_storeu_ps(to, _mm512_fmadd_ps(scale.d[j / 8], w.even, scale.minimum));
        _mm512_storeu_ps(to + ldo, _mm512_fmadd_ps(scale.d[j / 8], w.odd, scale.minimum));
      }
    }
  }
}

// MARK: a copy for each type

TARGET void ck_times_int16_avx512(ck_type type, const product *a) {
#define CALL(t) times_int16(t, a)
  EACH_TYPE(CALL)
#undef CALL
}

TARGET void ck_times_avx512(ck_type type, const product *a) {
#define CALL(t) times_fp32(t, a)
  EACH_TYPE(CALL)
#undef CALL
}

TARGET void ck_unpack_avx512(ck_type type, const uint8_t *packed, int columns, int p0, int p1, float *out, int ldo) {
#define CALL(t) unpack(t, packed, columns, p0, p1, out, ldo)
  EACH_TYPE(CALL)
#undef CALL
}
#endif
