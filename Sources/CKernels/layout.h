// The packed layout, shared by the packer, the portable kernels and the vector kernels.
// A panel is 16 rows; within it, blocks of columns follow each other:
//   F32, F16, BF16  [column][16 rows]
//   Q8_0            16 f16 scales, then [32 columns][16 rows] int8                                   (544 bytes)
//   Q4_1            16 f16 scales, 16 f16 minima, then 4 × [16 rows][4 bytes]: the bytes 4 w … 4 w + 3 of each row's
//                   block, so that 32-bit lane r of word w holds columns 4 w + b (low nibbles) and 4 w + b + 16 (high)
#pragma once
#include "CKernels.h"

enum { panel_rows = 16, q_columns = 32, q8_0_bytes = 544, q4_1_bytes = 320 };

typedef void (*times_fn)(const uint8_t *packed, int rows, int columns, const float *x, int ldx, int n, const float *sums,
                         float *y, int ldy, int accumulate, int p0, int p1);

static inline size_t packed_panel_bytes(ck_type type, int columns) {
  switch (type) {
  case CK_F32: return (size_t)columns * panel_rows * 4;
  case CK_BF16:
  case CK_F16: return (size_t)columns * panel_rows * 2;
  case CK_Q8_0: return (size_t)(columns / q_columns) * q8_0_bytes;
  case CK_Q4_1: return (size_t)(columns / q_columns) * q4_1_bytes;
  }
  return 0;
}

// Null where this level has no kernel of its own for the type.
times_fn ck_times_avx2(ck_type type);
times_fn ck_times_avx512(ck_type type);
