// Products with packed weights on AVX-512: one panel of 16 rows a register, fp32 activations broadcast.
// Each stream keeps two partial sums whatever the number of streams, so that its result never depends on company.
#include "layout.h"
#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")))
#define INLINE TARGET static inline __attribute__((always_inline))

INLINE void store_panel(float *y, int row, int rows, __m512 sum, int accumulate) {
  __mmask16 mask = rows - row >= panel_rows ? (__mmask16)0xffff : (__mmask16)((1u << (rows - row)) - 1);
  if (accumulate) sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, y + row));
  _mm512_mask_storeu_ps(y + row, mask, sum);
}

INLINE void q4_1(const uint8_t *packed, int rows, int columns, const float *x, int ldx, const float *sums, float *y, int ldy,
                 int accumulate, int p0, int p1, const int n) {
  const int blocks = columns / q_columns;
  // permutexvar reads only the low four bits of each index: the table turns a nibble into a float without masking.
  const __m512 table = _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  for (int p = p0; p < p1; p++) {
    const uint8_t *block = packed + (size_t)p * (size_t)blocks * q4_1_bytes;
    __m512 total[8];
    for (int s = 0; s < n; s++) total[s] = _mm512_setzero_ps();
    for (int b = 0; b < blocks; b++, block += q4_1_bytes) {
      __m512 even[8], odd[8];
      for (int s = 0; s < n; s++) even[s] = odd[s] = _mm512_setzero_ps();
      const float *xb = x + b * q_columns;
#pragma clang loop unroll(full)
      for (int w = 0; w < 4; w++) {
        __m512i word = _mm512_loadu_si512(block + 64 + 64 * w);
#pragma clang loop unroll(full)
        for (int i = 0; i < 4; i++) {
          __m512 low = _mm512_permutexvar_ps(_mm512_srli_epi32(word, (unsigned)(8 * i)), table);
          __m512 high = _mm512_permutexvar_ps(_mm512_srli_epi32(word, (unsigned)(8 * i + 4)), table);
          for (int s = 0; s < n; s++) {
            const float *xs = xb + (size_t)s * (size_t)ldx + 4 * w + i;
            even[s] = _mm512_fmadd_ps(low, _mm512_set1_ps(xs[0]), even[s]);
            odd[s] = _mm512_fmadd_ps(high, _mm512_set1_ps(xs[16]), odd[s]);
          }
        }
      }
      __m512 d = _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)block));
      __m512 m = _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(block + 32)));
      for (int s = 0; s < n; s++) {
        total[s] = _mm512_fmadd_ps(d, _mm512_add_ps(even[s], odd[s]), total[s]);
        total[s] = _mm512_fmadd_ps(m, _mm512_set1_ps(sums[(size_t)s * (size_t)blocks + (size_t)b]), total[s]);
      }
    }
    for (int s = 0; s < n; s++) store_panel(y + (size_t)s * (size_t)ldy, p * panel_rows, rows, total[s], accumulate);
  }
}

INLINE void q8_0(const uint8_t *packed, int rows, int columns, const float *x, int ldx, const float *sums, float *y, int ldy,
                 int accumulate, int p0, int p1, const int n) {
  (void)sums;
  const int blocks = columns / q_columns;
  for (int p = p0; p < p1; p++) {
    const uint8_t *block = packed + (size_t)p * (size_t)blocks * q8_0_bytes;
    __m512 total[8];
    for (int s = 0; s < n; s++) total[s] = _mm512_setzero_ps();
    for (int b = 0; b < blocks; b++, block += q8_0_bytes) {
      __m512 even[8], odd[8];
      for (int s = 0; s < n; s++) even[s] = odd[s] = _mm512_setzero_ps();
      const float *xb = x + b * q_columns;
      for (int c = 0; c < q_columns; c += 2) {
        __m512 w0 = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(block + 32 + c * panel_rows))));
        __m512 w1 = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(block + 48 + c * panel_rows))));
        for (int s = 0; s < n; s++) {
          even[s] = _mm512_fmadd_ps(w0, _mm512_set1_ps(xb[(size_t)s * (size_t)ldx + (size_t)c]), even[s]);
          odd[s] = _mm512_fmadd_ps(w1, _mm512_set1_ps(xb[(size_t)s * (size_t)ldx + (size_t)c + 1]), odd[s]);
        }
      }
      __m512 d = _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)block));
      for (int s = 0; s < n; s++) total[s] = _mm512_fmadd_ps(d, _mm512_add_ps(even[s], odd[s]), total[s]);
    }
    for (int s = 0; s < n; s++) store_panel(y + (size_t)s * (size_t)ldy, p * panel_rows, rows, total[s], accumulate);
  }
}

INLINE __m512 column_16(ck_type type, const uint8_t *panel, int c) {
  if (type == CK_F32) return _mm512_loadu_ps((const float *)panel + (size_t)c * panel_rows);
  __m256i half = _mm256_loadu_si256((const __m256i *)(panel + (size_t)c * panel_rows * 2));
  if (type == CK_F16) return _mm512_cvtph_ps(half);
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}

INLINE void plain(const ck_type type, const uint8_t *packed, int rows, int columns, const float *x, int ldx, float *y, int ldy,
                  int accumulate, int p0, int p1, const int n) {
  for (int p = p0; p < p1; p++) {
    const uint8_t *panel = packed + (size_t)p * packed_panel_bytes(type, columns);
    __m512 even[8], odd[8];
    for (int s = 0; s < n; s++) even[s] = odd[s] = _mm512_setzero_ps();
    int c = 0;
    for (; c + 2 <= columns; c += 2) {
      __m512 w0 = column_16(type, panel, c), w1 = column_16(type, panel, c + 1);
      for (int s = 0; s < n; s++) {
        even[s] = _mm512_fmadd_ps(w0, _mm512_set1_ps(x[(size_t)s * (size_t)ldx + (size_t)c]), even[s]);
        odd[s] = _mm512_fmadd_ps(w1, _mm512_set1_ps(x[(size_t)s * (size_t)ldx + (size_t)c + 1]), odd[s]);
      }
    }
    for (; c < columns; c++)
      for (int s = 0; s < n; s++)
        even[s] = _mm512_fmadd_ps(column_16(type, panel, c), _mm512_set1_ps(x[(size_t)s * (size_t)ldx + (size_t)c]), even[s]);
    for (int s = 0; s < n; s++)
      store_panel(y + (size_t)s * (size_t)ldy, p * panel_rows, rows, _mm512_add_ps(even[s], odd[s]), accumulate);
  }
}

#define STREAMS(call)                                                                                                          \
  switch (n) {                                                                                                                 \
  case 1: call(1); break;                                                                                                      \
  case 2: call(2); break;                                                                                                      \
  case 3: call(3); break;                                                                                                      \
  case 4: call(4); break;                                                                                                      \
  case 5: call(5); break;                                                                                                      \
  case 6: call(6); break;                                                                                                      \
  case 7: call(7); break;                                                                                                      \
  case 8: call(8); break;                                                                                                      \
  }
#define ARGUMENTS                                                                                                              \
  const uint8_t *packed, int rows, int columns, const float *x, int ldx, int n, const float *sums, float *y, int ldy,         \
      int accumulate, int p0, int p1

TARGET static void times_q4_1(ARGUMENTS) {
#define CALL(k) q4_1(packed, rows, columns, x, ldx, sums, y, ldy, accumulate, p0, p1, k)
  STREAMS(CALL)
#undef CALL
}
TARGET static void times_q8_0(ARGUMENTS) {
#define CALL(k) q8_0(packed, rows, columns, x, ldx, sums, y, ldy, accumulate, p0, p1, k)
  STREAMS(CALL)
#undef CALL
}
#define PLAIN(name, type)                                                                                                      \
  TARGET static void name(ARGUMENTS) {                                                                                         \
    (void)sums;                                                                                                                \
    STREAMS(CALL_##type)                                                                                                       \
  }
#define CALL_CK_F32(k) plain(CK_F32, packed, rows, columns, x, ldx, y, ldy, accumulate, p0, p1, k)
#define CALL_CK_F16(k) plain(CK_F16, packed, rows, columns, x, ldx, y, ldy, accumulate, p0, p1, k)
#define CALL_CK_BF16(k) plain(CK_BF16, packed, rows, columns, x, ldx, y, ldy, accumulate, p0, p1, k)
PLAIN(times_f32, CK_F32)
PLAIN(times_f16, CK_F16)
PLAIN(times_bf16, CK_BF16)

times_fn ck_times_avx512(ck_type type) {
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
