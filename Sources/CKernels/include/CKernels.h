// The hot kernels and the worker pool, dispatched at run time by what the processor can do.
// Owns: the packed weight layout (panels of 16 rows), products with it, and the element-wise kernels of a decoder block.
// Refuses: nothing; shapes are checked by the Swift callers in Kernels.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "sparse.h"

#pragma clang assume_nonnull begin

// MARK: processor

// What the kernels use: 0 portable C, 1 AVX2+FMA+F16C, 2 AVX-512 (F, BW, DQ, VL, VNNI), 3 with BF16 as well.
int ck_level(void);
// For tests: use at most this level; -1 returns to detection.
void ck_limit_level(int level);

// MARK: pool

typedef void (*ck_task)(void *context, int part, int parts);
// Number of threads that ck_pool_run uses, the caller's included.
int ck_pool_threads(void);
// Before the pool's first use: how many threads it gets, at most 64. Later it does nothing.
void ck_pool_limit(int threads);
// Runs task once for each part 0 ..< ck_pool_threads() and returns when all have finished. Parts go to whichever thread of
// the process-wide pool is free: a worker that is off the processor is not waited for. Workers spin briefly, then sleep.
// Calls from several threads are serialised; a call from inside a task runs every part on the calling thread.
void ck_pool_run(ck_task task, void *context);

// MARK: packed weights

// Types of weights. The first three are plain rows of numbers, used where they lie; the others are packed into panels of
// 16 rows (layout.h).
typedef enum {
  CK_F32 = 0, CK_BF16 = 1, CK_F16 = 2,
  CK_Q4_0 = 3, CK_Q4_1 = 4, CK_Q5_0 = 5, CK_Q5_1 = 6, CK_Q8_0 = 7, CK_Q4_K = 8, CK_Q5_K = 9, CK_Q6_K = 10
} ck_type;

// Columns a block holds: the number of columns must be a multiple of it.
int ck_block_columns(ck_type type);
// Bytes of one block of one row in the file's (GGUF's) layout.
size_t ck_block_bytes(ck_type type);
// Bytes of the packed form of [rows, columns]; rows are padded to a multiple of 16. Quantised types only, as all below.
size_t ck_packed_bytes(ck_type type, int rows, int columns);
// Packs panels p0..<p1 of row-major data in the file's layout; packed is aligned to 64 bytes. Packed row r holds source row
// row_order[r] (null: r).
void ck_pack(ck_type type, const void *source, const int32_t *_Nullable row_order, int rows, int columns, int p0, int p1,
             void *packed);

// y[s][r] (+)= sum_c W[r][c] x[s][c] for panels p0..<p1 and rows of activations s < n, in fp32.
// x [n, ldx], y [n, ldy]; sums [n, columns/32] as by ck_unit_sums, only read for types with minima. The order of additions does not depend on n, so a row's
// result is the same alone and in company; likewise below.
void ck_packed_times(ck_type type, const void *packed, int rows, int columns, const float *x, int ldx, int n,
                     const float *_Nullable sums, float *y, int ldy, int accumulate, int p0, int p1);
// sums[s][u] = sum of x[s][32 u ..< 32 u + 32].
void ck_unit_sums(const float *x, int ldx, int n, int columns, float *sums);

// Activations as 16-bit integers: x[s][c] = scales[s] q[s][c] to within scales[s] / 2, with the largest of a row at
// ±32767; q is dense [n, columns]. sums[s][u] is the sum of 32 q. A row with a NaN or an
// infinity gets the scale NaN.
void ck_quantise(const float *x, int ldx, int n, int columns, int16_t *q, float *scales, float *sums);
// The same product with such activations: integer products within 32 columns (16 for Q6_K), fp32 sums across them. Equal
// bit for bit on every level.
void ck_packed_times_int16(ck_type type, const void *packed, int rows, int columns, const int16_t *q, const float *scales,
                           const float *sums, int n, float *y, int ldy, int accumulate, int p0, int p1);
// Panels p0..<p1 as fp32, transposed: out[c * ldo + (r - 16 p0)], rows beyond the matrix are zero.
void ck_unpack_transposed(ck_type type, const void *packed, int columns, int p0, int p1, float *out, int ldo);
// One packed row as fp32 out[columns].
void ck_unpack_row(ck_type type, const void *packed, int columns, int row, float *out);

// MARK: plain weights

// n fp32 values from F32, F16 or BF16 ones, which need not be aligned.
void ck_widen(ck_type type, const void *source, float *out, int64_t n);
// y[s][r] (+)= sum_c W[r][c] x[s][c] for rows r0..<r1 of row-major weights and rows of activations s < n, in fp32.
void ck_dense_times(ck_type type, const void *weights, int columns, int r0, int r1, const float *x, int ldx, int n, float *y,
                    int ldy, int accumulate);
// Reads n bytes and gives their exclusive or by words: what any product with them costs at least.
uint64_t ck_read(const void *bytes, size_t n);
// Whether the processor multiplies bf16 pairs; if not, ck_dense_times_bf16 must not be called.
int ck_has_bf16_products(void);
// The same with bf16 weights and bf16 activations [n, ldx], whose rows hold an even number of values (a zero after an odd
// number of columns), summed in fp32. scratch: 16 × ((columns + 1) / 2) values.
void ck_dense_times_bf16(const void *weights, int columns, int r0, int r1, const uint16_t *x, int ldx, int n, float *y,
                         int ldy, int accumulate, uint32_t *scratch);

// MARK: element-wise

// out = x / sqrt(mean(x^2) + epsilon) * weight, one row of n.
void ck_rms_norm(const float *x, const float *weight, float epsilon, int n, float *out);
// gate = silu(gate) * up, n values.
void ck_silu_multiply(float *gate, const float *up, int n);
// gate = gelu(gate) * up, n values; gelu by its tanh approximation.
void ck_gelu_multiply(float *gate, const float *up, int n);
// x = cap tanh(x / cap), n values; cap > 0.
void ck_soft_cap(float *x, float cap, int n);
// Rotates one head in place, halves paired: (x[i], x[i + half]) by the angle whose cosine and sine are given, [half].
void ck_rope_half(float *x, const float *cosine, const float *sine, int half);
// x = softmax(x) over n values.
void ck_softmax(float *x, int n);
// KL(softmax(p) || softmax(q)) in nats over n > 0 logits.
double ck_kl_divergence(const float *p, const float *q, int64_t n);
float ck_dot(const float *a, const float *b, int n);
// y += a x.
void ck_axpy(float a, const float *x, float *y, int n);
// x *= a.
void ck_scale(float a, float *x, int64_t n);
// Number of values that are not finite.
int64_t ck_count_non_finite(const float *x, int64_t n);

// Query heads that share one head of a cache: out[h] = softmax(capped(scale q[h]·K^T)) V over `length` rows of K and V with
// row stride ld. q and out [heads, d]; cap 0: uncapped; scores is scratch of heads × length.
void ck_attend(const float *q, int heads, const float *keys, const float *values, int ld, int length, int d, float scale,
               float cap, float *scores, float *out);

// bf16 from fp32, rounding to nearest even; ck_widen leads back.
void ck_bf16_from_f32(const float *x, uint16_t *out, int64_t n);

// MARK: hash

// SHA-256 of n bytes, fed in pieces.
typedef struct { uint32_t state[8]; uint64_t length; uint8_t block[64]; } ck_sha256;
void ck_sha256_start(ck_sha256 *hash);
void ck_sha256_add(ck_sha256 *hash, const void *bytes, size_t n);
void ck_sha256_finish(ck_sha256 *hash, uint8_t digest[_Nonnull 32]);

#pragma clang assume_nonnull end
