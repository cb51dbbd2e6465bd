// The loops are described in sparse.h. They use vector extensions, compiled for three x86-64 levels of which the loader
// picks one; other processors get one portable version.
#include "sparse.h"
#include "clones.h"

typedef float f32x16 __attribute__((vector_size(64), aligned(4)));
typedef double f64x8 __attribute__((vector_size(64), aligned(8)));
typedef float f32x8 __attribute__((vector_size(32), aligned(4)));
typedef int32_t i32x16 __attribute__((vector_size(64), aligned(4)));

CLONES double ck_dot_double(const float *a, const float *b, int64_t n) {
  f64x8 s0 = {0}, s1 = {0};
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    s0 += __builtin_convertvector(*(const f32x8 *)(a + i), f64x8) * __builtin_convertvector(*(const f32x8 *)(b + i), f64x8);
    s1 += __builtin_convertvector(*(const f32x8 *)(a + i + 8), f64x8) *
          __builtin_convertvector(*(const f32x8 *)(b + i + 8), f64x8);
  }
  s0 += s1;
  double sum = 0;
  for (int lane = 0; lane < 8; lane++) sum += s0[lane];
  for (; i < n; i++) sum += (double)a[i] * b[i];
  return sum;
}

CLONES double ck_dot_mixed(const float *a, const double *b, int64_t n) {
  f64x8 s0 = {0}, s1 = {0};
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    s0 += __builtin_convertvector(*(const f32x8 *)(a + i), f64x8) * *(const f64x8 *)(b + i);
    s1 += __builtin_convertvector(*(const f32x8 *)(a + i + 8), f64x8) * *(const f64x8 *)(b + i + 8);
  }
  s0 += s1;
  double sum = 0;
  for (int lane = 0; lane < 8; lane++) sum += s0[lane];
  for (; i < n; i++) sum += a[i] * b[i];
  return sum;
}

CLONES void ck_dot4_mixed(const float *a, const double *b, int64_t stride, int64_t n, double *out) {
  f64x8 s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0};
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const f64x8 x = __builtin_convertvector(*(const f32x8 *)(a + i), f64x8);
    s0 += x * *(const f64x8 *)(b + i);
    s1 += x * *(const f64x8 *)(b + stride + i);
    s2 += x * *(const f64x8 *)(b + 2 * stride + i);
    s3 += x * *(const f64x8 *)(b + 3 * stride + i);
  }
  double t0 = 0, t1 = 0, t2 = 0, t3 = 0;
  for (int lane = 0; lane < 8; lane++) t0 += s0[lane], t1 += s1[lane], t2 += s2[lane], t3 += s3[lane];
  for (; i < n; i++) {
    t0 += a[i] * b[i];
    t1 += a[i] * b[stride + i];
    t2 += a[i] * b[2 * stride + i];
    t3 += a[i] * b[3 * stride + i];
  }
  out[0] = t0, out[1] = t1, out[2] = t2, out[3] = t3;
}

// Rows lie far apart and are longer than a page. Prefetching them two rows ahead makes them arrive while others are added.
CLONES void ck_combine_rows(const float *rows, const int32_t *index, const float *alpha, int64_t count, double *y,
                            int64_t n) {
  for (int64_t k = 0; k < count; k++) {
    const float *x = rows + index[k] * n;
    const float *ahead = rows + index[k + 2 < count ? k + 2 : k] * n;
    const double a = alpha[k];
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) {
      __builtin_prefetch(ahead + i, 0, 3);
      *(f64x8 *)(y + i) += a * __builtin_convertvector(*(const f32x8 *)(x + i), f64x8);
      *(f64x8 *)(y + i + 8) += a * __builtin_convertvector(*(const f32x8 *)(x + i + 8), f64x8);
    }
    for (; i < n; i++) y[i] += a * x[i];
  }
}

CLONES void ck_dot_rows_mixed(const float *rows, const int32_t *index, int64_t count, const double *b, int64_t n,
                              double *out) {
  for (int64_t k = 0; k < count; k++) {
    const float *x = rows + index[k] * n;
    const float *ahead = rows + index[k + 2 < count ? k + 2 : k] * n;
    f64x8 s0 = {0}, s1 = {0};
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) {
      __builtin_prefetch(ahead + i, 0, 3);
      s0 += __builtin_convertvector(*(const f32x8 *)(x + i), f64x8) * *(const f64x8 *)(b + i);
      s1 += __builtin_convertvector(*(const f32x8 *)(x + i + 8), f64x8) * *(const f64x8 *)(b + i + 8);
    }
    s0 += s1;
    double sum = 0;
    for (int lane = 0; lane < 8; lane++) sum += s0[lane];
    for (; i < n; i++) sum += x[i] * b[i];
    out[k] = sum;
  }
}

double ck_square_sum(const float *x, int64_t n) { return ck_dot_double(x, x, n); }

CLONES void ck_axpy_double(double alpha, const float *x, double *y, int64_t n) {
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) *(f64x8 *)(y + i) += alpha * __builtin_convertvector(*(const f32x8 *)(x + i), f64x8);
  for (; i < n; i++) y[i] += alpha * x[i];
}

CLONES void ck_add_rows(const float *alpha, const float *const *rows, int64_t count, float *y, int64_t n) {
  int64_t i = 0;
  for (; i + 128 <= n; i += 128) {
    f32x16 sum[8];
    for (int part = 0; part < 8; part++) sum[part] = *(const f32x16 *)(y + i + 16 * part);
    for (int64_t row = 0; row < count; row++) {
      const float a = alpha[row];
      const float *x = rows[row] + i;
      for (int part = 0; part < 8; part++) sum[part] += a * *(const f32x16 *)(x + 16 * part);
    }
    for (int part = 0; part < 8; part++) *(f32x16 *)(y + i + 16 * part) = sum[part];
  }
  for (; i < n; i++) {
    float sum = y[i];
    for (int64_t row = 0; row < count; row++) sum += alpha[row] * rows[row][i];
    y[i] = sum;
  }
}

CLONES int64_t ck_collect_active(const float *pre, const float *bias, const float *norm, int64_t n, float bound,
                                     int32_t *index, float *code, float *scaled) {
  int64_t count = 0, i = 0;
  for (; i + 16 <= n; i += 16) {
    const f32x16 f = *(const f32x16 *)(pre + i) + *(const f32x16 *)(bias + i);
    const f32x16 a = f * *(const f32x16 *)(norm + i);
    const i32x16 on = (a > bound) & (f > 0.0f);
    int any = 0;
    for (int lane = 0; lane < 16; lane++) any |= on[lane];
    if (!any) continue;
    for (int lane = 0; lane < 16; lane++) {
      index[count] = (int32_t)(i + lane);
      code[count] = f[lane];
      scaled[count] = a[lane];
      count += on[lane] != 0;
    }
  }
  for (; i < n; i++) {
    const float f = pre[i] + bias[i], a = f * norm[i];
    if (f > 0 && a > bound) {
      index[count] = (int32_t)i;
      code[count] = f;
      scaled[count] = a;
      count++;
    }
  }
  return count;
}

CLONES void ck_adam(float *restrict parameter, float *restrict moment1, float *restrict moment2,
                        const float *restrict gradient, int64_t n, const ck_adam_constants *constants) {
  const float beta1 = constants->beta1, beta2 = constants->beta2, scale = constants->gradient_scale;
  const float epsilon = constants->epsilon, step = constants->step_size, root = constants->inverse_root_correction;
  if (gradient) {
    for (int64_t i = 0; i < n; i++) {
      const float g = gradient[i] * scale;
      const float m = beta1 * moment1[i] + (1 - beta1) * g;
      const float v = beta2 * moment2[i] + (1 - beta2) * g * g;
      moment1[i] = m;
      moment2[i] = v;
      parameter[i] -= step * m / (__builtin_sqrtf(v) * root + epsilon);
    }
  } else {
    for (int64_t i = 0; i < n; i++) {
      const float m = beta1 * moment1[i];
      const float v = beta2 * moment2[i];
      moment1[i] = m;
      moment2[i] = v;
      parameter[i] -= step * m / (__builtin_sqrtf(v) * root + epsilon);
    }
  }
}
