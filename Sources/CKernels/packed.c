// Products with packed weights: the portable versions, which serve as the reference for tests of the vector kernels,
// the quantisation of activations, and the choice of a kernel by processor level.
#include "layout.h"
#include "clones.h"
#include <math.h>
#include <stdatomic.h>

static _Atomic int limit = -1;
void ck_limit_level(int level) { atomic_store(&limit, level); }

int ck_level(void) {
  static _Atomic int found = -1;
  int level = atomic_load_explicit(&found, memory_order_relaxed);
  if (level < 0) {
    level = 0;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c")) level = 1;
    if (level == 1 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni"))
      level = 2;
    if (level == 2 && __builtin_cpu_supports("avx512bf16")) level = 3;
    if (level == 3 && ck_has_tiles()) level = 4;
#endif
    atomic_store_explicit(&found, level, memory_order_relaxed);
  }
  int most = atomic_load_explicit(&limit, memory_order_relaxed);
  return most >= 0 && most < level ? most : level;
}

// MARK: activations

CLONES void ck_quantise(const float *x, int ldx, int n, int columns, int16_t *q, float *scales, float *sums) {
  for (int s = 0; s < n; s++) {
    const float *row = x + (size_t)s * (size_t)ldx;
    int16_t *out = q + (size_t)s * (size_t)columns;
    // Comparing the bits as integers vectorises, and puts infinities and NaN above all numbers.
    int32_t most = 0;
    for (int c = 0; c < columns; c++) {
      int32_t bits;
      memcpy(&bits, row + c, 4);
      bits &= 0x7fffffff;
      most = bits > most ? bits : most;
    }
    float largest;
    memcpy(&largest, &most, 4);
    // A row whose inverse would overflow is treated as zero; the scale of a row that is not finite becomes NaN.
    const float inverse = most < 0x00800000 || most >= 0x7f800000 ? 0 : 32767.0f / largest;
    scales[s] = most >= 0x7f800000 ? NAN : inverse > 0 ? largest / 32767.0f : 0;
    if (inverse == 0) {
      memset(out, 0, (size_t)columns * 2);
      memset(sums + (size_t)s * (size_t)(columns / unit_columns), 0, sizeof(float) * (size_t)(columns / unit_columns));
      continue;
    }
    for (int c = 0; c < columns; c++) out[c] = (int16_t)__builtin_rintf(row[c] * inverse);
    for (int u = 0; u < columns / unit_columns; u++) {
      int32_t sum = 0;
      for (int c = 0; c < unit_columns; c++) sum += out[u * unit_columns + c];
      sums[(size_t)s * (size_t)(columns / unit_columns) + (size_t)u] = (float)sum;
    }
  }
}

void ck_unit_sums(const float *x, int ldx, int n, int columns, float *sums) {
  for (int s = 0; s < n; s++)
    for (int u = 0; u < columns / unit_columns; u++) {
      const float *unit = x + (size_t)s * (size_t)ldx + (size_t)u * unit_columns;
      float sum = 0;
      for (int c = 0; c < unit_columns; c++) sum += unit[c];
      sums[(size_t)s * (size_t)(columns / unit_columns) + (size_t)u] = sum;
    }
}

// MARK: portable products

static void store(const product *a, int s, int row, float sum) {
  float *out = a->y + (size_t)s * (size_t)a->ldy + row;
  *out = a->accumulate ? *out + sum : sum;
}

static void times_portable(ck_type type, const product *a) {
  for (int row = a->p0 * panel_rows; row < a->p1 * panel_rows && row < a->rows; row++) {
    const uint8_t *panel = a->packed + (size_t)(row / panel_rows) * panel_bytes(type, a->columns);
    for (int s = 0; s < a->n; s++) {
      float total = 0;
      for (int u = 0; u < a->columns / unit_columns; u++) {
        const uint8_t *data = unit_data(type, panel, u);
        const float *x = a->x + (size_t)s * (size_t)a->ldx + (size_t)u * unit_columns;
        float minimum = 0;
        for (int h = 0; h < 2; h++) {
          float d = row_scale(type, panel, u, row % panel_rows, h, &minimum), sum = 0;
          for (int c = 16 * h; c < 16 * h + 16; c++) sum += (float)row_value(type, data, row % panel_rows, c) * x[c];
          total += d * sum;
        }
        if (has_minimum(type)) total += minimum * a->sums[(size_t)s * (size_t)(a->columns / unit_columns) + (size_t)u];
      }
      store(a, s, row, total);
    }
  }
}

// The additions and their order are those of the vector kernels: integer sums are exact, and fmaf rounds once.
static void times_int16_portable(ck_type type, const product *a) {
  for (int row = a->p0 * panel_rows; row < a->p1 * panel_rows && row < a->rows; row++) {
    const uint8_t *panel = a->packed + (size_t)(row / panel_rows) * panel_bytes(type, a->columns);
    for (int s = 0; s < a->n; s++) {
      float total = 0;
      for (int u = 0; u < a->columns / unit_columns; u++) {
        const uint8_t *data = unit_data(type, panel, u);
        const int16_t *q = a->q + (size_t)s * (size_t)a->ldx + (size_t)u * unit_columns;
        const int step = type == CK_Q6_K ? 16 : 32;
        float minimum = 0;
        for (int first = 0; first < unit_columns; first += step) {
          float d = row_scale(type, panel, u, row % panel_rows, first / 16, &minimum);
          int32_t sum = 0;
          for (int c = first; c < first + step; c++) sum += row_value(type, data, row % panel_rows, c) * q[c];
          total = fmaf((float)sum, d, total);
        }
        if (has_minimum(type))
          total = fmaf(minimum, a->sums[(size_t)s * (size_t)(a->columns / unit_columns) + (size_t)u], total);
      }
      store(a, s, row, total * a->scales[s]);
    }
  }
}

// MARK: dispatch

void ck_packed_times(ck_type type, const void *packed, int rows, int columns, const float *x, int ldx, int n,
                     const float *sums, float *y, int ldy, int accumulate, int p0, int p1) {
  product a = {.packed = packed, .rows = rows, .columns = columns, .x = x, .sums = sums, .ldx = ldx, .n = n,
               .y = y, .ldy = ldy, .accumulate = accumulate, .p0 = p0, .p1 = p1};
#if defined(__x86_64__)
  if (ck_level() >= 2) return ck_times_avx512(type, &a);
  if (ck_level() == 1) return ck_times_avx2(type, &a);
#endif
  times_portable(type, &a);
}

void ck_packed_times_int16(ck_type type, const void *packed, int rows, int columns, const int16_t *q, const void *bytes,
                           const float *scales, const float *sums, int n, float *y, int ldy, int accumulate, int p0, int p1) {
  product a = {.packed = packed, .rows = rows, .columns = columns, .q = q, .scales = scales, .sums = sums, .ldx = columns,
               .n = n, .y = y, .ldy = ldy, .accumulate = accumulate, .p0 = p0, .p1 = p1};
#if defined(__x86_64__)
  if (bytes && ck_times_int16_amx(type, &a, bytes)) return;
  if (ck_level() >= 2) return ck_times_int16_avx512(type, &a);
  if (ck_level() == 1) return ck_times_int16_avx2(type, &a);
#else
  (void)bytes;
#endif
  times_int16_portable(type, &a);
}

size_t ck_split_size(int n, int columns) {
  // Up to 8 rows the tiles would stay half empty.
  return ck_level() >= 4 && n > 8 ? (size_t)((n + 15) / 16 * 16) * (size_t)columns * 2 : 0;
}

void ck_split_bytes(const int16_t *q, int s0, int s1, int columns, void *bytes) {
#if defined(__x86_64__)
  ck_split_bytes_amx(q, s0, s1, columns, bytes);
#else
  (void)q, (void)s0, (void)s1, (void)columns, (void)bytes; // ck_split_size says that there is nothing to do
#endif
}

static void unpack_portable(ck_type type, const uint8_t *packed, int columns, int p0, int p1, float *out, int ldo) {
  for (int p = p0; p < p1; p++) {
    const uint8_t *panel = packed + (size_t)p * panel_bytes(type, columns);
    for (int u = 0; u < columns / unit_columns; u++)
      for (int r = 0; r < panel_rows; r++)
        for (int c = 0; c < unit_columns; c++) {
          float minimum, d = row_scale(type, panel, u, r, c / 16, &minimum);
          float value = d * (float)row_value(type, unit_data(type, panel, u), r, c);
          out[(size_t)(u * unit_columns + c) * (size_t)ldo + (size_t)((p - p0) * panel_rows + r)] =
              has_minimum(type) ? value + minimum : value;
        }
  }
}

void ck_unpack_transposed(ck_type type, const void *packed, int columns, int p0, int p1, float *out, int ldo) {
#if defined(__x86_64__)
  if (ck_level() >= 2) return ck_unpack_avx512(type, packed, columns, p0, p1, out, ldo);
  if (ck_level() == 1) return ck_unpack_avx2(type, packed, columns, p0, p1, out, ldo);
#endif
  unpack_portable(type, packed, columns, p0, p1, out, ldo);
}
