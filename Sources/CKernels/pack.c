// Packs the blocks of a GGUF file into panels of 16 rows, and turns single packed rows back into fp32. The block
// formats are those of the GGUF specification and of quants.py in the gguf Python package; tests compare every type bit
// for bit with that package's dequantisation.
#include "layout.h"

int ck_block_columns(ck_type type) {
  return type == CK_F32 || type == CK_BF16 || type == CK_F16 ? 1 : group_units(type) == 8 ? 8 * unit_columns : unit_columns;
}

size_t ck_block_bytes(ck_type type) {
  switch (type) {
  case CK_F32: return 4;
  case CK_BF16:
  case CK_F16: return 2;
  case CK_Q4_0: return 18;
  case CK_Q4_1: return 20;
  case CK_Q5_0: return 22;
  case CK_Q5_1: return 24;
  case CK_Q8_0: return 34;
  case CK_Q4_K: return 144;
  case CK_Q5_K: return 176;
  case CK_Q6_K: return 210;
  }
  return 0;
}

size_t ck_packed_bytes(ck_type type, int rows, int columns) {
  return (size_t)((rows + panel_rows - 1) / panel_rows) * panel_bytes(type, columns);
}

// MARK: reading a file's block

// Reads the scale and the minimum of sub-block i of a Q4_K or Q5_K block, which are 6 bits each in 12 packed bytes.
static void scale_k4(const uint8_t *s, int i, uint8_t *scale, uint8_t *minimum) {
  if (i < 4) {
    *scale = s[i] & 63;
    *minimum = s[i + 4] & 63;
  } else {
    *scale = (uint8_t)((s[i + 4] & 15) | (s[i - 4] >> 6) << 4);
    *minimum = (uint8_t)(s[i + 4] >> 4 | (s[i] >> 6) << 4);
  }
}

static void low_then_high(const uint8_t *q, int n, uint8_t *out) {
  for (int i = 0; i < n; i++) {
    out[i] = q[i] & 15;
    out[n + i] = q[i] >> 4;
  }
}

// Writes the stored values of columns c0 ..< c0 + 32 of a block as bytes, offset by 8 (Q4_0), 16 (Q5_0) or 32 (Q6_K).
static void read_unit(ck_type type, const uint8_t *b, int c0, uint8_t *out) {
  switch (type) {
  case CK_Q4_0: low_then_high(b + 2, 16, out); break;
  case CK_Q4_1: low_then_high(b + 4, 16, out); break;
  case CK_Q5_0:
  case CK_Q5_1: {
    const uint8_t *high = b + (type == CK_Q5_0 ? 2 : 4);
    uint32_t bits;
    memcpy(&bits, high, 4);
    low_then_high(high + 4, 16, out);
    for (int c = 0; c < unit_columns; c++) out[c] |= (uint8_t)((bits >> c & 1u) << 4);
    break;
  }
  case CK_Q4_K:
  case CK_Q5_K: {
    const uint8_t *q = b + (type == CK_Q4_K ? 16 : 48) + c0 / 64 * 32;
    const int shift = c0 % 64 ? 4 : 0;
    for (int c = 0; c < unit_columns; c++) out[c] = q[c] >> shift & 15;
    if (type == CK_Q5_K)
      for (int c = 0; c < unit_columns; c++) out[c] |= (uint8_t)((b[16 + c] >> (c0 / 32) & 1) << 4);
    break;
  }
  case CK_Q6_K: {
    const int quarter = c0 % 128 / 32;
    const uint8_t *low = b + 64 * (c0 / 128) + 32 * (quarter % 2), *high = b + 128 + 32 * (c0 / 128);
    for (int c = 0; c < unit_columns; c++)
      out[c] = (uint8_t)((low[c] >> (quarter / 2 * 4) & 15) | (high[c] >> (2 * quarter) & 3) << 4);
    break;
  }
  default: break;
  }
}

// MARK: packing

static void pack_scales(ck_type type, const uint8_t *block, int r, uint8_t *scales) {
  switch (type) {
  case CK_Q4_0:
  case CK_Q5_0:
  case CK_Q8_0: memcpy(scales + 2 * r, block, 2); break;
  case CK_Q4_1:
  case CK_Q5_1:
    memcpy(scales + 2 * r, block, 2);
    memcpy(scales + 32 + 2 * r, block + 2, 2);
    break;
  case CK_Q4_K:
  case CK_Q5_K:
    memcpy(scales + 2 * r, block, 2);
    memcpy(scales + 32 + 2 * r, block + 2, 2);
    for (int i = 0; i < 8; i++) scale_k4(block + 4, i, scales + 64 + 16 * i + r, scales + 192 + 16 * i + r);
    break;
  case CK_Q6_K:
    memcpy(scales + 2 * r, block + 208, 2);
    for (int i = 0; i < 16; i++) scales[32 + 16 * i + r] = block[192 + i];
    break;
  default: break;
  }
}

// Adds bit `shift` of 32 values to the masks; row r has 2 bits of each mask.
static void add_masks(const uint8_t *values, int shift, uint8_t complement, int r, uint8_t *masks) {
  for (int j = 0; j < pairs; j++) {
    // Row r has bits 2 r and 2 r + 1, which are half a nibble of byte r / 4.
    uint8_t first = (values[2 * j] >> shift & 1) ^ complement, second = (values[2 * j + 1] >> shift & 1) ^ complement;
    masks[4 * j + r / 4] |= (uint8_t)((first | second << 1) << (2 * r % 8));
  }
}

// Packs row r of one unit, whose first column is c0 of the block. Packing takes most of the time of loading a model, so
// this works on whole words where it can.
static void pack_unit(ck_type type, const uint8_t *block, int c0, int r, uint8_t *data) {
  if (type == CK_Q8_0) {
    for (int j = 0; j < pairs; j++) memcpy(data + 32 * j + 2 * r, block + 2 + 2 * j, 2);
    return;
  }
  uint8_t values[unit_columns];
  read_unit(type, block, c0, values);
  for (int w = 0; w < 4; w++) {
    uint64_t eight;
    memcpy(&eight, values + 8 * w, 8);
    if (type == CK_Q4_0) eight ^= 0x0808080808080808u;
    eight &= 0x0f0f0f0f0f0f0f0fu;
    // Even columns go to the lower half of the word and odd ones to the upper half, 4 bits each.
    uint64_t even = eight & 0x00ff00ff00ff00ffu, odd = eight >> 8 & 0x00ff00ff00ff00ffu;
    even = (even | even >> 12) & 0x000000ff000000ffu;
    odd = (odd | odd >> 12) & 0x000000ff000000ffu;
    uint32_t word = (uint32_t)((even | even >> 24) & 0xffffu) | (uint32_t)((odd | odd >> 24) & 0xffffu) << 16;
    memcpy(data + mask_bytes(type) + 64 * w + 4 * r, &word, 4);
  }
  if (mask_bytes(type)) add_masks(values, 4, type == CK_Q5_0, r, data);
  if (type == CK_Q6_K) add_masks(values, 5, 1, r, data + 64);
}

void ck_pack(ck_type type, const void *source, const int32_t *row_order, int rows, int columns, int p0, int p1, void *packed) {
  const int block_columns = ck_block_columns(type), blocks = columns / block_columns;
  const size_t block_size = ck_block_bytes(type);
  for (int p = p0; p < p1; p++) {
    uint8_t *panel = (uint8_t *)packed + (size_t)p * panel_bytes(type, columns);
    memset(panel, 0, panel_bytes(type, columns));
    for (int r = 0; r < panel_rows && p * panel_rows + r < rows; r++) {
      int row = p * panel_rows + r;
      const uint8_t *block = (const uint8_t *)source + (size_t)(row_order ? row_order[row] : row) * (size_t)blocks * block_size;
      for (int b = 0; b < blocks; b++, block += block_size)
        for (int i = 0, u = b * (block_columns / unit_columns); i < block_columns / unit_columns; i++, u++) {
          if (i == 0) pack_scales(type, block, r, (uint8_t *)unit_scales(type, panel, u));
          pack_unit(type, block, i * unit_columns, r, (uint8_t *)unit_data(type, panel, u));
        }
    }
  }
}

// MARK: unpacking

void ck_unpack_row(ck_type type, const void *packed, int columns, int row, float *out) {
  const uint8_t *panel = (const uint8_t *)packed + (size_t)(row / panel_rows) * panel_bytes(type, columns);
  const int r = row % panel_rows;
  for (int u = 0; u < columns / unit_columns; u++)
    for (int h = 0; h < 2; h++) {
      float minimum, d = row_scale(type, panel, u, r, h, &minimum);
      for (int c = 16 * h; c < 16 * h + 16; c++) {
        float value = d * (float)row_value(type, unit_data(type, panel, u), r, c);
        out[u * unit_columns + c] = has_minimum(type) ? value + minimum : value;
      }
    }
}
