// Attention for a few queries. Query heads that share one head of keys and values are computed together, so that the
// keys and values are read once. The code uses vectors of 16 lanes, which the compiler maps to the processor's
// registers; sums have a fixed order.
#include "CKernels.h"
#include "clones.h"
#include <math.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

enum { lanes = 16 };
typedef float vector __attribute__((ext_vector_type(16)));
typedef vector unaligned_vector __attribute__((aligned(4)));

// out[i] = the sum of the lanes of v[i]. Each round halves the number of vectors.
INLINE void sum_lanes(vector *v, float *out) {
#pragma clang loop unroll(full)
  for (int i = 0; i < 8; i++)
    v[i] = __builtin_shufflevector(v[i], v[i + 8], 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23) +
           __builtin_shufflevector(v[i], v[i + 8], 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
#pragma clang loop unroll(full)
  for (int i = 0; i < 4; i++)
    v[i] = __builtin_shufflevector(v[i], v[i + 4], 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27) +
           __builtin_shufflevector(v[i], v[i + 4], 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31);
#pragma clang loop unroll(full)
  for (int i = 0; i < 2; i++)
    v[i] = __builtin_shufflevector(v[i], v[i + 2], 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29) +
           __builtin_shufflevector(v[i], v[i + 2], 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
  const vector sums = __builtin_shufflevector(v[0], v[1], 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30) +
                      __builtin_shufflevector(v[0], v[1], 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31);
  memcpy(out, &sums, sizeof sums);
}

// Loads a vector. This is a macro because a function could not return vectors wider than the baseline's registers.
#define at(p) (*(const unaligned_vector *)(p))

// scores[t] = scale q·K[t] for 16 positions at a time; d is a multiple of 16.
INLINE void scores_of(const float *q, const float *keys, size_t ld, int length, int d, float scale, float *scores) {
  for (int t = 0; t < length; t += lanes) {
    const float *rows[lanes];
    // Past the end the last row is read again; its score is not stored.
    for (int i = 0; i < lanes; i++) rows[i] = keys + (size_t)(t + i < length ? t + i : length - 1) * ld;
    vector sums[lanes];
    for (int i = 0; i < lanes; i++) sums[i] = 0;
    for (int c = 0; c < d; c += lanes) {
      const vector part = at(q + c) * scale;
#pragma clang loop unroll(full)
      for (int i = 0; i < lanes; i++) sums[i] = __builtin_elementwise_fma(part, at(rows[i] + c), sums[i]);
    }
    float block[lanes];
    sum_lanes(sums, block);
    memcpy(scores + t, block, sizeof(float) * (size_t)(length - t < lanes ? length - t : lanes));
  }
}

// out[h] = sum over t of weights[h][t] V[t], for `heads` heads and `parts` vectors of a row.
INLINE void weighted(const float *weights, const float *values, size_t ld, int length, float *out, int d, const int heads,
                     const int parts) {
  vector sums[4][4];
  for (int h = 0; h < heads; h++)
    for (int i = 0; i < parts; i++) sums[h][i] = 0;
  for (int t = 0; t < length; t++) {
    vector row[4];
    for (int i = 0; i < parts; i++) row[i] = at(values + (size_t)t * ld + i * lanes);
    for (int h = 0; h < heads; h++) {
      const vector weight = weights[(size_t)h * (size_t)length + (size_t)t];
      for (int i = 0; i < parts; i++) sums[h][i] = __builtin_elementwise_fma(weight, row[i], sums[h][i]);
    }
  }
  for (int h = 0; h < heads; h++)
    for (int i = 0; i < parts; i++) memcpy(out + (size_t)h * (size_t)d + i * lanes, &sums[h][i], sizeof(vector));
}

INLINE void weighted_heads(const float *weights, const float *values, size_t ld, int length, float *out, int d, const int heads) {
  int c = 0;
  for (; c + 4 * lanes <= d; c += 4 * lanes) weighted(weights, values + c, ld, length, out + c, d, heads, 4);
  for (; c < d; c += lanes) weighted(weights, values + c, ld, length, out + c, d, heads, 1);
}

CLONES void ck_attend(const float *q, int heads, const float *keys, const float *values, int ld, int length, int d, float scale,
                      float cap, float *scores, float *out) {
  const size_t stride = (size_t)ld;
  for (int h = 0; h < heads; h++) {
    float *row = scores + (size_t)h * (size_t)length;
    if (d % lanes == 0)
      scores_of(q + (size_t)h * (size_t)d, keys, stride, length, d, scale, row);
    else
      for (int t = 0; t < length; t++) row[t] = scale * ck_dot(q + (size_t)h * (size_t)d, keys + (size_t)t * stride, d);
    if (cap > 0) ck_soft_cap(row, cap, length);
    ck_softmax(row, length);
  }
  if (d % lanes) {
    memset(out, 0, sizeof(float) * (size_t)heads * (size_t)d);
    for (int h = 0; h < heads; h++)
      for (int t = 0; t < length; t++)
        ck_axpy(scores[(size_t)h * (size_t)length + (size_t)t], values + (size_t)t * stride, out + (size_t)h * (size_t)d, d);
    return;
  }
  for (int h = 0; h < heads;) {
    const int now = heads - h >= 4 ? 4 : heads - h >= 3 ? 3 : heads - h >= 2 ? 2 : 1;
    const float *w = scores + (size_t)h * (size_t)length;
    float *to = out + (size_t)h * (size_t)d;
    if (now == 4) weighted_heads(w, values, stride, length, to, d, 4);
    if (now == 3) weighted_heads(w, values, stride, length, to, d, 3);
    if (now == 2) weighted_heads(w, values, stride, length, to, d, 2);
    if (now == 1) weighted_heads(w, values, stride, length, to, d, 1);
    h += now;
  }
}
