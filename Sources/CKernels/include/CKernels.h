// The hot kernels and the worker pool; the code path is chosen at run time by what the processor can do. The kernels
// multiply with packed weights (panels of 16 rows, see layout.h) and with plain ones, and compute the element-wise
// parts of a decoder block. They check no shapes: their Swift callers in Kernels do.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "sparse.h"

#pragma clang assume_nonnull begin

// MARK: processor

// The level that the kernels use: 0 portable C, 1 AVX2+FMA+F16C, 2 AVX-512 (F, BW, DQ, VL, VNNI), 3 with BF16 as well, 4 with
// AMX tiles of bytes as well.
int ck_level(void);
// Tests call this to use at most this level; -1 returns to detection.
void ck_limit_level(int level);

// MARK: pool

typedef void (*ck_task)(void *context, int part, int parts);
// The number of threads that ck_pool_run uses, including the caller's.
int ck_pool_threads(void);
// Sets how many threads the pool gets, at most 64. It must be called before the pool's first use; later it does nothing.
void ck_pool_limit(int threads);
// Runs task once for each part 0 ..< ck_pool_threads() and returns when all have finished. Each part goes to whichever thread
// of the process-wide pool is free, so no part waits for a worker that the system has descheduled. Idle workers spin briefly,
// then sleep. Calls from several threads run in turn; a call from inside a task runs on the calling thread.
void ck_pool_run(ck_task task, void *context);

// MARK: packed weights

// The types of weights. Three are plain rows of numbers, used in place; the others are packed (layout.h).
typedef enum {
  CK_F32 = 0, CK_BF16 = 1, CK_F16 = 2,
  CK_Q4_0 = 3, CK_Q4_1 = 4, CK_Q5_0 = 5, CK_Q5_1 = 6, CK_Q8_0 = 7, CK_Q4_K = 8, CK_Q5_K = 9, CK_Q6_K = 10
} ck_type;

// The number of columns in a block; a matrix's number of columns must be a multiple of it.
int ck_block_columns(ck_type type);
// The bytes of one block of one row in a GGUF file.
size_t ck_block_bytes(ck_type type);
// The bytes of the packed form of [rows, columns]; rows are padded to a multiple of 16. This and the functions below
// take quantised types only.
size_t ck_packed_bytes(ck_type type, int rows, int columns);
// Packs panels p0..<p1 of row-major data in the file's layout; `packed` is aligned to 64 bytes. Packed row r holds
// source row row_order[r], or r if row_order is null.
void ck_pack(ck_type type, const void *source, const int32_t *_Nullable row_order, int rows, int columns, int p0, int p1,
             void *packed);

// y[s][r] (+)= sum_c W[r][c] x[s][c] for panels p0..<p1 and rows of activations s < n, in fp32. Shapes are x [n, ldx],
// y [n, ldy]. `sums` [n, columns/32] comes from ck_unit_sums and is read only for types with minima. The order of
// additions does not depend on n, here and below, so a row has the same result alone and together with others.
void ck_packed_times(ck_type type, const void *packed, int rows, int columns, const float *x, int ldx, int n,
                     const float *_Nullable sums, float *y, int ldy, int accumulate, int p0, int p1);
// sums[s][u] = sum of x[s][32 u ..< 32 u + 32].
void ck_unit_sums(const float *x, int ldx, int n, int columns, float *sums);

// Turns activations into 16-bit integers: x[s][c] = scales[s] q[s][c] to within scales[s] / 2, and the largest value of a row
// becomes ±32767. q is dense [n, columns]. sums[s][u] is the sum of 32 q. A row with a NaN or infinity gets the scale NaN.
void ck_quantise(const float *x, int ldx, int n, int columns, int16_t *q, float *scales, float *sums);
// The bytes that ck_split_bytes needs for n rows of activations; 0 where products would be no faster with them: few rows, or a
// processor without tiles.
size_t ck_split_size(int n, int columns);
// Splits rows s0..<s1 of q [n, columns] into low and high bytes, in the order that tiles read. `bytes` is aligned to 64.
void ck_split_bytes(const int16_t *q, int s0, int s1, int columns, void *bytes);
// The same product with activations from ck_quantise, and what ck_split_bytes made of them or null: products are integers
// within 32 columns (16 for Q6_K), sums across them are fp32. All processor levels give the same bits.
void ck_packed_times_int16(ck_type type, const void *packed, int rows, int columns, const int16_t *q,
                           const void *_Nullable bytes, const float *scales, const float *sums, int n, float *y, int ldy,
                           int accumulate, int p0, int p1);
// Writes panels p0..<p1 as fp32, transposed: out[c * ldo + (r - 16 p0)]. Rows beyond the matrix are zero.
void ck_unpack_transposed(ck_type type, const void *packed, int columns, int p0, int p1, float *out, int ldo);
// Writes one packed row as fp32 out[columns].
void ck_unpack_row(ck_type type, const void *packed, int columns, int row, float *out);

// MARK: plain weights

// Converts n F32, F16 or BF16 values, which need not be aligned, to fp32.
void ck_widen(ck_type type, const void *source, float *out, int64_t n);
// y[s][r] (+)= sum_c W[r][c] x[s][c] for rows r0..<r1 of row-major weights and rows of activations s < n, in fp32.
void ck_dense_times(ck_type type, const void *weights, int columns, int r0, int r1, const float *x, int ldx, int n, float *y,
                    int ldy, int accumulate);
// Reads n bytes and returns the exclusive or of their words. Its time is the least that any product with them can take.
uint64_t ck_read(const void *bytes, size_t n);
// Whether the processor multiplies bf16 pairs; if it does not, ck_dense_times_bf16 must not be called.
int ck_has_bf16_products(void);
// The same as ck_dense_times with bf16 weights and bf16 activations [n, ldx], summed in fp32. Rows of activations hold
// an even number of values: a zero follows an odd number of columns. scratch: 16 × ((columns + 1) / 2) values.
void ck_dense_times_bf16(const void *weights, int columns, int r0, int r1, const uint16_t *x, int ldx, int n, float *y,
                         int ldy, int accumulate, uint32_t *scratch);

// MARK: element-wise

// out = x / sqrt(mean(x^2) + epsilon) * weight for one row of n values.
void ck_rms_norm(const float *x, const float *weight, float epsilon, int n, float *out);
// gate = silu(gate) * up for n values.
void ck_silu_multiply(float *gate, const float *up, int n);
// gate = gelu(gate) * up for n values; gelu is its tanh approximation.
void ck_gelu_multiply(float *gate, const float *up, int n);
// x = cap tanh(x / cap) for n values; cap > 0.
void ck_soft_cap(float *x, float cap, int n);
// Rotates one head in place; dimension i is paired with i + half. cosine and sine [half] are those of the angle of each pair.
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
// Returns how many of n values are not finite.
int64_t ck_count_non_finite(const float *x, int64_t n);

// Attention for query heads that share one head of a cache: out[h] = softmax(capped(scale q[h]·K^T)) V over `length` rows of K
// and V with row stride ld. q and out are [heads, d]; cap 0 means no cap; scores is scratch of heads × length values.
void ck_attend(const float *q, int heads, const float *keys, const float *values, int ld, int length, int d, float scale,
               float cap, float *scores, float *out);

// Rounds fp32 to the nearest bf16, ties to even; ck_widen is the way back.
void ck_bf16_from_f32(const float *x, uint16_t *out, int64_t n);

// MARK: differences of logits

// What one row of logits of each model says of the other, in nats: KL(softmax(base) || softmax(chat)), the same the other way
// round, and the logarithms of sum exp.
typedef struct { double base_from_chat, chat_from_base, base_log_total, chat_log_total; } ck_logit_comparison;
// Compares n > 0 logits of each model; equal rows have divergences of exactly 0.
void ck_compare_logits(const float *base, const float *chat, int64_t n, ck_logit_comparison *out);

// Sums are kept in whole units of 1 / ck_units.
enum { ck_units = 1 << 20 };
// sums[i] += x[i], rounded to units; terms beyond 1,900 count as that.
void ck_add_units(const float *x, int64_t n, int64_t *sums);
// counts[i] += x[i] > 0.
void ck_count_positive(const float *x, int64_t n, int32_t *counts);
// out = a - b.
void ck_subtract(const float *a, const float *b, int64_t n, float *out);
// out = p (log p - log q) with p = softmax(chat), q = softmax(base), of n logits whose log sum exp are given: what each token
// adds to KL(p || q).
void ck_divergence_parts(const float *base, const float *chat, int64_t n, float base_log_total, float chat_log_total,
                          float *out);
// The places and values of the k > 0 largest of n values, in no order; places are -1 if n < k.
void ck_largest(const float *x, int64_t n, int k, int32_t *places, float *values);

// MARK: hash

// The state of a SHA-256 hash, which is fed in pieces.
typedef struct { uint32_t state[8]; uint64_t length; uint8_t block[64]; } ck_sha256;
void ck_sha256_start(ck_sha256 *hash);
void ck_sha256_add(ck_sha256 *hash, const void *bytes, size_t n);
void ck_sha256_finish(ck_sha256 *hash, uint8_t digest[_Nonnull 32]);

#pragma clang assume_nonnull end
