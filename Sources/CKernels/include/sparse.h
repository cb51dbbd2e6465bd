// Hot loops of sparse dictionaries: dot products, scaled additions, the selection of active latents, and the Adam step.
// Each function runs on the calling thread; the caller splits the work over threads and guarantees lengths. Pointers
// need no alignment, and regions must not overlap.
#pragma once
#include <stdint.h>

/// Σ a[i]·b[i] of fp32 values, products and sum in fp64.
double ck_dot_double(const float *a, const float *b, int64_t n);
/// Σ a[i]·b[i] of fp32 and fp64 values, in fp64.
double ck_dot_mixed(const float *a, const double *b, int64_t n);
/// The same for one a and four b that lie `stride` values apart.
void ck_dot4_mixed(const float *a, const double *b, int64_t stride, int64_t n, double *out);
/// The same for b and `count` rows of length n, given by their indices: out[k] = Σ rows[index[k]·n + i]·b[i].
void ck_dot_rows_mixed(const float *rows, const int32_t *index, int64_t count, const double *b, int64_t n, double *out);
/// y[i] += Σ_k alpha[k]·rows[index[k]·n + i], with y in fp64, in the order of k.
void ck_combine_rows(const float *rows, const int32_t *index, const float *alpha, int64_t count, double *y, int64_t n);
/// Σ x[i]², in fp64.
double ck_square_sum(const float *x, int64_t n);
/// y[i] += alpha·x[i], with y in fp64.
void ck_axpy_double(double alpha, const float *x, double *y, int64_t n);
/// y[i] += Σ_r alpha[r]·rows[r][i] in fp32, in the order of rows. The bits are those of ck_axpy row by row.
void ck_add_rows(const float *alpha, const float *const *rows, int64_t count, float *y, int64_t n);
/// From one token's encoder products pre[F], collects the latents with max(0, pre + bias)·norm > bound and > 0, in
/// ascending order: the latent goes to index[], pre + bias to code[], the scaled activation to scaled[] (each has room
/// for F). Returns how many there are.
int64_t ck_collect_active(const float *pre, const float *bias, const float *norm, int64_t n, float bound,
                          int32_t *index, float *code, float *scaled);

/// The constants of one Adam step (bias corrections already applied).
typedef struct {
  float gradient_scale;        // the clip factor
  float beta1, beta2, epsilon;
  float step_size;             // learning rate / (1 − beta1^t)
  float inverse_root_correction; // 1 / √(1 − beta2^t)
} ck_adam_constants;
/// One Adam step over n parameters; a NULL gradient means that all gradients are zero.
void ck_adam(float *parameter, float *moment1, float *moment2, const float *gradient, int64_t n,
             const ck_adam_constants *constants);
