// Products with packed weights on AMX, whose tiles multiply bytes. An activation of 16 bits is 256 × its high byte + its low
// byte, so two byte products give the same integer as one 16-bit product, and sums across units are added in the same order
// as in the AVX-512 kernel: the results have the same bits, several times as fast. It pays where many rows of activations
// share the weights, which are unpacked into bytes once for all of them.
#include "layout.h"
#if defined(__x86_64__)
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TARGET \
  __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512vbmi,avx2,fma,f16c,amx-tile,amx-int8")))
#include "panel_avx512.h"

// A tile has up to 16 rows of activations; one of weights has 4 columns of 16 rows in each of its rows.
enum { tile_rows = 16, tile_bytes = 64 * tile_rows, unit_bytes = unit_columns * panel_rows };

// Asks the kernel for the right to use tiles, which a process does not have from its start; asking again does no harm.
int ck_has_tiles(void) {
  enum { request_permission = 0x1023, tile_data = 18 };
  return __builtin_cpu_supports("amx-int8") && __builtin_cpu_supports("avx512vbmi")
         && syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
}

typedef struct { uint8_t palette, start, unused[14]; uint16_t bytes[16]; uint8_t rows[16]; } tile_shapes;

// Tiles 0 … 3 are sums of low and high bytes of two steps, 4 and 5 activations, 6 and 7 weights of two steps; `columns` of the
// activations are multiplied at once.
TARGET static void shape_tiles(int n, int columns) {
  const uint8_t rows = (uint8_t)n, quarter = (uint8_t)(columns / 4);
  const uint16_t width = (uint16_t)columns;
  const tile_shapes shapes = {
      .palette = 1, .bytes = {64, 64, 64, 64, width, width, 64, 64}, .rows = {rows, rows, rows, rows, rows, rows, quarter, quarter}};
  _tile_loadconfig(&shapes);
}

// Writes columns 4 t, 4 t + 2, 4 t + 1, 4 t + 3 of each of 16 rows as the bytes of row t of a tile.
INLINE void unpack_unit(const ck_type type, const uint8_t *data, uint8_t *to) {
#pragma clang loop unroll(full)
  for (int t = 0; t < unit_columns / 4; t++) {
    const __m512i low = _mm512_and_si512(pair(type, data, 2 * t), _mm512_set1_epi16(255));
    _mm512_store_si512(to + 64 * t, _mm512_or_si512(low, _mm512_slli_epi16(pair(type, data, 2 * t + 1), 8)));
  }
}

// Tiles of rows lie beside each other, so that their lines never fall on one set of the cache.
TARGET void ck_split_bytes_amx(const int16_t *q, int s0, int s1, int columns, uint8_t *bytes) {
  uint8_t order[64];
  for (int c = 0; c < unit_columns; c++) {
    const int column = c / 4 * 4 + (c % 4 == 1 ? 2 : c % 4 == 2 ? 1 : c % 4);
    order[c] = (uint8_t)(2 * column);
    order[unit_columns + c] = (uint8_t)(2 * column + 1);
  }
  const __m512i by = _mm512_loadu_si512(order);
  const int units = columns / unit_columns;
  for (int s = s0; s < s1; s++)
    for (int u = 0; u < units; u++) {
      const __m512i values = _mm512_loadu_si512(q + (size_t)s * (size_t)columns + (size_t)u * unit_columns);
      uint8_t *line = bytes + ((size_t)(s / tile_rows) * (size_t)units + (size_t)u) * tile_bytes + 64 * (s % tile_rows);
      _mm512_store_si512(line, _mm512_permutexvar_epi8(by, values));
    }
}

// The sums of a tile's products, before they are scaled.
typedef struct { int32_t low[tile_rows][panel_rows], high[tile_rows][panel_rows]; } sums;

// Begins the products of one step, a unit or half of one, in the tiles of an even or an odd step.
#define MULTIPLY(low, high, weight)                                                                                            \
  _tile_zero(low);                                                                                                             \
  _tile_zero(high);                                                                                                            \
  _tile_loadd(weight, w, 64);                                                                                                  \
  _tile_loadd(4, x, 64);                                                                                                       \
  _tile_dpbusd(low, 4, weight);                                                                                                \
  _tile_loadd(5, x + unit_columns, 64);                                                                                        \
  _tile_dpbssd(high, 5, weight);

INLINE void multiply(int step, int halves, const uint8_t *activations, const uint8_t *weights) {
  const int half = step % halves;
  const uint8_t *x = activations + (size_t)(step / halves) * tile_bytes + unit_columns / 2 * half;
  const uint8_t *w = weights + (size_t)(step / halves) * unit_bytes + unit_bytes / 2 * half;
  if (step % 2) {
    MULTIPLY(2, 3, 7)
  } else {
    MULTIPLY(0, 1, 6)
  }
}

INLINE void store_sums(int step, sums *to) {
  if (step % 2) {
    _tile_stored(2, to->low, 64);
    _tile_stored(3, to->high, 64);
  } else {
    _tile_stored(0, to->low, 64);
    _tile_stored(1, to->high, 64);
  }
}

// Multiplies an unpacked panel with a tile of n rows of activations, of which a->n count. While the vector unit scales the sums
// of one step, the next one's are stored and those of the step after it are multiplied.
INLINE void panel_tiles(const ck_type type, const product *a, int p, const uint8_t *weights, const uint8_t *activations, const int n) {
  const int units = a->columns / unit_columns, halves = type == CK_Q6_K ? 2 : 1, steps = units * halves;
  const uint8_t *panel = a->packed + (size_t)p * panel_bytes(type, a->columns);
  _Alignas(64) sums both[2];
  __m512 total[tile_rows];
#pragma clang loop unroll(full)
  for (int s = 0; s < n; s++) total[s] = _mm512_setzero_ps();
  multiply(0, halves, activations, weights);
  if (steps > 1) multiply(1, halves, activations, weights);
  store_sums(0, &both[0]);
  for (int i = 0; i < steps; i++) {
    if (i + 2 < steps) multiply(i + 2, halves, activations, weights);
    if (i + 1 < steps) store_sums(i + 1, &both[(i + 1) % 2]);
    const int u = i / halves;
    const unit_scale scale = scale_of(type, panel, u);
    const sums *part = &both[i % 2];
#pragma clang loop unroll(full)
    for (int s = 0; s < n; s++) {
      const __m512i sum = _mm512_add_epi32(_mm512_slli_epi32(_mm512_load_si512(part->high[s]), 8), _mm512_load_si512(part->low[s]));
      total[s] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), scale.d[halves == 1 ? 1 : i % 2], total[s]);
    }
    if (has_minimum(type)) {
#pragma clang loop unroll(full)
      for (int s = 0; s < n; s++)
        total[s] = _mm512_fmadd_ps(scale.minimum, _mm512_set1_ps(a->sums[(size_t)(s < a->n ? s : 0) * (size_t)units + (size_t)u]), total[s]);
    }
  }
#pragma clang loop unroll(full)
  for (int s = 0; s < n; s++)
    if (s < a->n) store_panel(a, s, p * panel_rows, _mm512_mul_ps(total[s], _mm512_set1_ps(a->scales[s])));
}

// The bytes of activations that stay in the second-level cache while all panels pass by.
enum { block_bytes = 512 * 1024 };

INLINE void times_tiles(const ck_type type, const product *all, const uint8_t *bytes, uint8_t *weights) {
  const int units = all->columns / unit_columns, tiles = block_bytes / (units * tile_bytes) + 1;
  shape_tiles(all->n < tile_rows ? all->n : tile_rows, type == CK_Q6_K ? unit_columns / 2 : unit_columns);
  for (int first = 0; first < all->n; first += tiles * tile_rows) {
    const int end = all->n - first < tiles * tile_rows ? all->n : first + tiles * tile_rows;
    for (int p = all->p0; p < all->p1; p++) {
      const uint8_t *panel = all->packed + (size_t)p * panel_bytes(type, all->columns);
      for (int u = 0; u < units; u++) unpack_unit(type, unit_data(type, panel, u), weights + (size_t)u * unit_bytes);
      for (int s = first; s < end; s += tile_rows) {
        const product a = advanced(*all, s, end - s < tile_rows ? end - s : tile_rows);
        const uint8_t *rows = bytes + (size_t)(s / tile_rows) * (size_t)units * tile_bytes;
        if (a.n <= 8) panel_tiles(type, &a, p, weights, rows, 8);
        else panel_tiles(type, &a, p, weights, rows, tile_rows);
      }
    }
  }
  _tile_release();
}

TARGET int ck_times_int16_amx(ck_type type, const product *a, const uint8_t *bytes) {
  uint8_t *weights = aligned_alloc(64, (size_t)panel_rows * (size_t)a->columns);
  if (!weights) return 0;
#define CALL(t) times_tiles(t, a, bytes, weights)
  EACH_TYPE(CALL)
#undef CALL
  free(weights);
  return 1;
}
#endif
