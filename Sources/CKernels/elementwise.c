// Element-wise kernels of a decoder block, in plain C that the compiler vectorises for each processor level
// (target_clones picks at load time). Reductions may be reassociated; nothing else of floating point is relaxed.
#include <float.h>
#include "CKernels.h"
#include "clones.h"
#include "exp.h"
#include <math.h>
#include <string.h>

// tanh x: its power series near 0, elsewhere 1 - 2 / (e^2|x| + 1), which would lose digits near 0. NaN stays NaN.
static inline float tanh_branchless(float x) {
  float a = x < 0 ? -x : x;
  float s = x * x;
  float p = 21844.0f / 6081075.0f;
  p = p * s - 1382.0f / 155925.0f;
  p = p * s + 62.0f / 2835.0f;
  p = p * s - 17.0f / 315.0f;
  p = p * s + 2.0f / 15.0f;
  p = p * s - 1.0f / 3.0f;
  float near = x + x * s * p;
  float far = 1.0f - 2.0f / (exp_branchless(2.0f * a) + 1.0f);
  far = x < 0 ? -far : far;
  return a < 0.4f ? near : far;
}

CLONES float ck_dot(const float *a, const float *b, int n) {
#pragma clang fp reassociate(on) contract(fast)
  float sum = 0;
  for (int i = 0; i < n; i++) sum += a[i] * b[i];
  return sum;
}

CLONES void ck_axpy(float a, const float *x, float *y, int n) {
  for (int i = 0; i < n; i++) y[i] += a * x[i];
}

CLONES void ck_scale(float a, float *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) x[i] *= a;
}

// The squares of a strongly steered row may overflow fp32, and dividing by an infinite norm would turn the whole row into 0.
static __attribute__((noinline)) void rms_norm_in_double(
    const float *x, const float *weight, float epsilon, int n, float *out) {
  double sum = 0;
  for (int i = 0; i < n; i++) sum += (double)x[i] * x[i];
  double scale = 1 / sqrt(sum / n + epsilon);
  for (int i = 0; i < n; i++) out[i] = (float)(x[i] * scale * weight[i]);
}

CLONES void ck_rms_norm(const float *x, const float *weight, float epsilon, int n, float *out) {
#pragma clang fp reassociate(on) contract(fast)
  float sum = 0;
  for (int i = 0; i < n; i++) sum += x[i] * x[i];
  float scale = 1.0f / sqrtf(sum / (float)n + epsilon);
  if (sum > FLT_MAX) return rms_norm_in_double(x, weight, epsilon, n, out);
  for (int i = 0; i < n; i++) out[i] = x[i] * scale * weight[i];
}

CLONES void ck_silu_multiply(float *gate, const float *up, int n) {
  for (int i = 0; i < n; i++) gate[i] = gate[i] / (1.0f + exp_branchless(-gate[i])) * up[i];
}

// 0.5 (1 + tanh u) = 1 / (1 + e^-2u), a form without cancellation for negative gates.
CLONES void ck_gelu_multiply(float *gate, const float *up, int n) {
  const float twice_root = 1.5957691216f;  // 2 sqrt(2 / pi)
  for (int i = 0; i < n; i++) {
    float x = gate[i];
    float u = twice_root * (x + 0.044715f * x * x * x);
    gate[i] = x / (1.0f + exp_branchless(-u)) * up[i];
  }
}

CLONES void ck_soft_cap(float *x, float cap, int n) {
  for (int i = 0; i < n; i++) x[i] = cap * tanh_branchless(x[i] / cap);
}

CLONES void ck_rope_half(float *x, const float *cosine, const float *sine, int half) {
  float *second = x + half;
  for (int i = 0; i < half; i++) {
    float a = x[i], b = second[i];
    x[i] = a * cosine[i] - b * sine[i];
    second[i] = b * cosine[i] + a * sine[i];
  }
}

CLONES void ck_softmax(float *x, int n) {
#pragma clang fp reassociate(on) contract(fast)
  float largest = x[0];
  for (int i = 1; i < n; i++) largest = x[i] > largest ? x[i] : largest;
  float sum = 0;
  for (int i = 0; i < n; i++) {
    x[i] = exp_branchless(x[i] - largest);
    sum += x[i];
  }
  float scale = 1.0f / sum;
  for (int i = 0; i < n; i++) x[i] *= scale;
}

// A few hundred terms at a time are summed in fp32 and these sums are added in fp64: callers often want a small
// difference of two large sums.
CLONES double ck_kl_divergence(const float *p, const float *q, int64_t n) {
#pragma clang fp reassociate(on) contract(fast)
  float p_largest = p[0], q_largest = q[0];
  for (int64_t i = 1; i < n; i++) {
    p_largest = p[i] > p_largest ? p[i] : p_largest;
    q_largest = q[i] > q_largest ? q[i] : q_largest;
  }
  double p_total = 0, q_total = 0, weighted = 0;
  for (int64_t first = 0; first < n; first += 512) {
    int64_t end = first + 512 < n ? first + 512 : n;
    float p_sum = 0, q_sum = 0, sum = 0;
    for (int64_t i = first; i < end; i++) {
      float a = p[i] - p_largest, b = q[i] - q_largest;
      float e = exp_branchless(a);
      p_sum += e;
      q_sum += exp_branchless(b);
      sum += e * (a - b);
    }
    p_total += p_sum;
    q_total += q_sum;
    weighted += sum;
  }
  return weighted / p_total - log(p_total / q_total);
}

CLONES int64_t ck_count_non_finite(const float *x, int64_t n) {
  int64_t count = 0;
  for (int64_t i = 0; i < n; i++) {
    uint32_t bits;
    memcpy(&bits, x + i, 4);
    count += (bits & 0x7f800000u) == 0x7f800000u;
  }
  return count;
}

CLONES void ck_bf16_from_f32(const float *x, uint16_t *out, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    uint32_t bits;
    memcpy(&bits, x + i, 4);
    uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
    // NaN must stay NaN: rounding its payload away could turn it into infinity.
    out[i] = (uint16_t)((bits & 0x7fffffffu) > 0x7f800000u ? (bits >> 16) | 0x40u : rounded);
  }
}
