// Packing, unpacking and the portable product of packed weights; the dispatcher over processor levels.
// The portable product is the reference that the vector kernels are tested against.
#include "layout.h"
#include <stdatomic.h>
#include <string.h>

static inline float half_to_float(const void *p) {
  _Float16 half;
  memcpy(&half, p, 2);
  return (float)half;
}

static inline float bf16_to_float(const void *p) {
  uint16_t half;
  memcpy(&half, p, 2);
  uint32_t bits = (uint32_t)half << 16;
  float value;
  memcpy(&value, &bits, 4);
  return value;
}

int ck_block_columns(ck_type type) { return type == CK_Q8_0 || type == CK_Q4_1 ? q_columns : 1; }

size_t ck_block_bytes(ck_type type) {
  switch (type) {
  case CK_F32: return 4;
  case CK_BF16:
  case CK_F16: return 2;
  case CK_Q8_0: return 34;
  case CK_Q4_1: return 20;
  }
  return 0;
}

size_t ck_packed_bytes(ck_type type, int rows, int columns) {
  return (size_t)((rows + panel_rows - 1) / panel_rows) * packed_panel_bytes(type, columns);
}

void ck_pack(ck_type type, const void *source, const int32_t *row_order, int rows, int columns, int p0, int p1, void *packed) {
  const size_t source_row = (size_t)(columns / ck_block_columns(type)) * ck_block_bytes(type);
  const size_t panel_size = packed_panel_bytes(type, columns);
  for (int p = p0; p < p1; p++) {
    uint8_t *panel = (uint8_t *)packed + (size_t)p * panel_size;
    memset(panel, 0, panel_size);
    for (int r = 0; r < panel_rows && p * panel_rows + r < rows; r++) {
      int row = p * panel_rows + r;
      const uint8_t *from = (const uint8_t *)source + (size_t)(row_order ? row_order[row] : row) * source_row;
      switch (type) {
      case CK_F32:
        for (int c = 0; c < columns; c++) memcpy(panel + ((size_t)c * panel_rows + (size_t)r) * 4, from + (size_t)c * 4, 4);
        break;
      case CK_BF16:
      case CK_F16:
        for (int c = 0; c < columns; c++) memcpy(panel + ((size_t)c * panel_rows + (size_t)r) * 2, from + (size_t)c * 2, 2);
        break;
      case CK_Q8_0:
        for (int b = 0; b < columns / q_columns; b++, from += 34) {
          uint8_t *block = panel + (size_t)b * q8_0_bytes;
          memcpy(block + 2 * r, from, 2);
          for (int c = 0; c < q_columns; c++) block[32 + c * panel_rows + r] = from[2 + c];
        }
        break;
      case CK_Q4_1:
        for (int b = 0; b < columns / q_columns; b++, from += 20) {
          uint8_t *block = panel + (size_t)b * q4_1_bytes;
          memcpy(block + 2 * r, from, 2);
          memcpy(block + 32 + 2 * r, from + 2, 2);
          for (int w = 0; w < 4; w++) memcpy(block + 64 + 64 * w + 4 * r, from + 4 + 4 * w, 4);
        }
        break;
      }
    }
  }
}

// Row r of a panel, columns c0 ..< c0 + block, as fp32.
static void unpack_block(ck_type type, const uint8_t *panel, int r, int b, float *out) {
  switch (type) {
  case CK_F32: memcpy(out, panel + ((size_t)b * panel_rows + (size_t)r) * 4, 4); break;
  case CK_BF16: *out = bf16_to_float(panel + ((size_t)b * panel_rows + (size_t)r) * 2); break;
  case CK_F16: *out = half_to_float(panel + ((size_t)b * panel_rows + (size_t)r) * 2); break;
  case CK_Q8_0: {
    const uint8_t *block = panel + (size_t)b * q8_0_bytes;
    float d = half_to_float(block + 2 * r);
    for (int c = 0; c < q_columns; c++) out[c] = d * (float)(int8_t)block[32 + c * panel_rows + r];
    break;
  }
  case CK_Q4_1: {
    const uint8_t *block = panel + (size_t)b * q4_1_bytes;
    float d = half_to_float(block + 2 * r), m = half_to_float(block + 32 + 2 * r);
    for (int w = 0; w < 4; w++)
      for (int i = 0; i < 4; i++) {
        uint8_t byte = block[64 + 64 * w + 4 * r + i];
        out[4 * w + i] = d * (float)(byte & 15) + m;
        out[4 * w + i + 16] = d * (float)(byte >> 4) + m;
      }
    break;
  }
  }
}

void ck_unpack_row(ck_type type, const void *packed, int columns, int row, float *out) {
  const int step = ck_block_columns(type);
  const uint8_t *panel = (const uint8_t *)packed + (size_t)(row / panel_rows) * packed_panel_bytes(type, columns);
  for (int b = 0; b < columns / step; b++) unpack_block(type, panel, row % panel_rows, b, out + (size_t)b * (size_t)step);
}

#if defined(__x86_64__)
#define CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define CLONES
#endif

CLONES static void unpack_q4_1(const uint8_t *panel, int columns, float *out, int ldo) {
  for (int b = 0; b < columns / q_columns; b++) {
    const uint8_t *block = panel + (size_t)b * q4_1_bytes;
    float d[panel_rows], m[panel_rows];
    uint32_t word[panel_rows];
    for (int r = 0; r < panel_rows; r++) {
      d[r] = half_to_float(block + 2 * r);
      m[r] = half_to_float(block + 32 + 2 * r);
    }
    for (int w = 0; w < 4; w++) {
      memcpy(word, block + 64 + 64 * w, 64);
      for (int s = 0; s < 8; s++) {
        float *to = out + (size_t)(b * q_columns + 4 * w + s / 2 + 16 * (s & 1)) * (size_t)ldo;
        for (int r = 0; r < panel_rows; r++) to[r] = (float)(int32_t)((word[r] >> (4 * s)) & 15u) * d[r] + m[r];
      }
    }
  }
}

CLONES static void unpack_q8_0(const uint8_t *panel, int columns, float *out, int ldo) {
  for (int b = 0; b < columns / q_columns; b++) {
    const uint8_t *block = panel + (size_t)b * q8_0_bytes;
    float d[panel_rows];
    for (int r = 0; r < panel_rows; r++) d[r] = half_to_float(block + 2 * r);
    for (int c = 0; c < q_columns; c++) {
      const int8_t *q = (const int8_t *)block + 32 + c * panel_rows;
      float *to = out + (size_t)(b * q_columns + c) * (size_t)ldo;
      for (int r = 0; r < panel_rows; r++) to[r] = (float)q[r] * d[r];
    }
  }
}

void ck_unpack_transposed(ck_type type, const void *packed, int columns, int p0, int p1, float *out, int ldo) {
  for (int p = p0; p < p1; p++) {
    const uint8_t *panel = (const uint8_t *)packed + (size_t)p * packed_panel_bytes(type, columns);
    float *to = out + (size_t)(p - p0) * panel_rows;
    switch (type) {
    case CK_F32:
      for (int c = 0; c < columns; c++) memcpy(to + (size_t)c * (size_t)ldo, panel + (size_t)c * 64, 64);
      break;
    case CK_BF16:
      for (int c = 0; c < columns; c++) ck_f32_from_bf16((const uint16_t *)panel + (size_t)c * panel_rows, to + (size_t)c * (size_t)ldo, panel_rows);
      break;
    case CK_F16:
      for (int c = 0; c < columns; c++) ck_f32_from_f16((const uint16_t *)panel + (size_t)c * panel_rows, to + (size_t)c * (size_t)ldo, panel_rows);
      break;
    case CK_Q8_0: unpack_q8_0(panel, columns, to, ldo); break;
    case CK_Q4_1: unpack_q4_1(panel, columns, to, ldo); break;
    }
  }
}

void ck_block_sums(const float *x, int ldx, int n, int columns, float *sums) {
  for (int s = 0; s < n; s++)
    for (int b = 0; b < columns / q_columns; b++) {
      const float *block = x + (size_t)s * (size_t)ldx + (size_t)b * q_columns;
      float sum = 0;
      for (int c = 0; c < q_columns; c++) sum += block[c];
      sums[(size_t)s * (size_t)(columns / q_columns) + (size_t)b] = sum;
    }
}

static void times_portable(ck_type type, const void *packed, int rows, int columns, const float *x, int ldx, int n, float *y,
                           int ldy, int accumulate, int p0, int p1) {
  const int step = ck_block_columns(type);
  float block[q_columns];
  for (int row = p0 * panel_rows; row < p1 * panel_rows && row < rows; row++) {
    const uint8_t *panel = (const uint8_t *)packed + (size_t)(row / panel_rows) * packed_panel_bytes(type, columns);
    float sums[8] = {0};
    for (int b = 0; b < columns / step; b++) {
      unpack_block(type, panel, row % panel_rows, b, block);
      for (int s = 0; s < n; s++)
        for (int c = 0; c < step; c++) sums[s] += block[c] * x[(size_t)s * (size_t)ldx + (size_t)(b * step + c)];
    }
    for (int s = 0; s < n; s++) {
      float *out = y + (size_t)s * (size_t)ldy + (size_t)row;
      *out = accumulate ? *out + sums[s] : sums[s];
    }
  }
}

static _Atomic int limit = -1;
void ck_limit_level(int level) { atomic_store(&limit, level); }

int ck_level(void) {
  int level = 0;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) level = 1;
  if (level == 1 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
    level = 2;
#endif
  int most = atomic_load(&limit);
  return most >= 0 && most < level ? most : level;
}

void ck_packed_times(ck_type type, const void *packed, int rows, int columns, const float *x, int ldx, int n,
                     const float *sums, float *y, int ldy, int accumulate, int p0, int p1) {
#if defined(__x86_64__)
  int level = ck_level();
  times_fn times = level == 2 ? ck_times_avx512(type) : level == 1 ? ck_times_avx2(type) : 0;
  if (times) {
    times(packed, rows, columns, x, ldx, n, sums, y, ldy, accumulate, p0, p1);
    return;
  }
#endif
  (void)sums;
  times_portable(type, packed, rows, columns, x, ldx, n, y, ldy, accumulate, p0, p1);
}
