// Rows of logits of two models compared: divergences, sums of differences by token, and the tokens that were raised most.

#include "CKernels.h"
#include "clones.h"
#include "exp.h"
#include <math.h>
#include <string.h>

// A few hundred terms at a time are summed in fp32 and these sums are added in fp64, as in ck_kl_divergence.
CLONES void ck_compare_logits(const float *base, const float *chat, int64_t n, ck_logit_comparison *out) {
#pragma clang fp reassociate(on) contract(fast)
  float base_largest = base[0], chat_largest = chat[0];
  for (int64_t i = 1; i < n; i++) {
    base_largest = base[i] > base_largest ? base[i] : base_largest;
    chat_largest = chat[i] > chat_largest ? chat[i] : chat_largest;
  }
  double base_total = 0, chat_total = 0, base_weighted = 0, chat_weighted = 0;
  for (int64_t first = 0; first < n; first += 512) {
    int64_t end = first + 512 < n ? first + 512 : n;
    float base_sum = 0, chat_sum = 0, by_base = 0, by_chat = 0;
    for (int64_t i = first; i < end; i++) {
      float a = base[i] - base_largest, b = chat[i] - chat_largest;
      float p = exp_branchless(a), q = exp_branchless(b);
      base_sum += p;
      chat_sum += q;
      by_base += p * (a - b);
      by_chat += q * (b - a);
    }
    base_total += base_sum;
    chat_total += chat_sum;
    base_weighted += by_base;
    chat_weighted += by_chat;
  }
  double ratio = log(chat_total / base_total);
  out->base_from_chat = base_weighted / base_total + ratio;
  out->chat_from_base = chat_weighted / chat_total - ratio;
  out->base_log_total = log(base_total) + base_largest;
  out->chat_log_total = log(chat_total) + chat_largest;
}

// Terms are rounded to whole units, so that sums do not depend on their order.
CLONES void ck_add_units(const float *x, int64_t n, int64_t *sums) {
  for (int64_t i = 0; i < n; i++) {
    float units = x[i] * (float)ck_units;
    units = units > 2e9f ? 2e9f : units < -2e9f ? -2e9f : units;
    sums[i] += (int32_t)rintf(units);
  }
}

CLONES void ck_count_positive(const float *x, int64_t n, int32_t *counts) {
  for (int64_t i = 0; i < n; i++) counts[i] += x[i] > 0;
}

// Replaces the root of a heap whose smallest value is first.
static void replace_root(float *values, int32_t *places, int k, float value, int32_t place) {
  int at = 0;
  for (;;) {
    int child = 2 * at + 1;
    if (child >= k) break;
    if (child + 1 < k && values[child + 1] < values[child]) child++;
    if (values[child] >= value) break;
    values[at] = values[child];
    places[at] = places[child];
    at = child;
  }
  values[at] = value;
  places[at] = place;
}

CLONES static float largest_of(const float *x, int64_t n) {
#pragma clang fp reassociate(on)
  float largest = -INFINITY;
  for (int64_t i = 0; i < n; i++) largest = x[i] > largest ? x[i] : largest;
  return largest;
}

void ck_largest(const float *x, int64_t n, int k, int32_t *places, float *values) {
  for (int i = 0; i < k; i++) {
    values[i] = -INFINITY;
    places[i] = -1;
  }
  enum { block = 128 };
  for (int64_t first = 0; first < n; first += block) {
    int64_t end = first + block < n ? first + block : n;
    // Most blocks hold nothing that is large enough, which their largest value tells at once.
    if (!(largest_of(x + first, end - first) > values[0])) continue;
    for (int64_t i = first; i < end; i++) {
      if (x[i] > values[0]) replace_root(values, places, k, x[i], (int32_t)i);
    }
  }
}

CLONES void ck_subtract(const float *a, const float *b, int64_t n, float *out) {
  for (int64_t i = 0; i < n; i++) out[i] = a[i] - b[i];
}

CLONES void ck_divergence_parts(const float *base, const float *chat, int64_t n, float base_log_total, float chat_log_total,
                                 float *out) {
  for (int64_t i = 0; i < n; i++) {
    float a = base[i] - base_log_total, b = chat[i] - chat_log_total;
    out[i] = exp_branchless(b) * (b - a);
  }
}
