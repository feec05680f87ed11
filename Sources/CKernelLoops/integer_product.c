#include "tiles.h"

// Products of 16-bit inputs with 8-bit weights for processors without dot products of bytes (VNNI).
//
// A panel holds one chunk of PAIR_PANEL rows of weights, widened to 16 bits and in pairs of columns. It fits the first-level
// cache and serves all rows of the input. A tile is the products of up to TILE_ROWS rows of the input with a panel: exact
// sums of a chunk, added to the float sums of the chunks before it.

enum { CHUNK = BB_INTEGER_CHUNK };

typedef struct {
  const int16_t *x;
  size_t stride, rows;
  const int16_t *panel;
  size_t pairs;
  float *sums;
  size_t sums_stride;
  int adds;
} panel_arguments;

// Computes the tiles of all rows.
typedef void panel_function(const panel_arguments *t);

// The definition: the other tiles are right if they give the same bits.
static inline __attribute__((always_inline)) void plain_tile(size_t row, size_t rows, size_t vectors,
                                                             const panel_arguments *t) {
  for (size_t r = row; r < row + rows; r++) {
    int32_t exact[PAIR_PANEL];
    plain_pair_sums(t->x + r * t->stride, t->panel, t->pairs, exact);
    float *target = t->sums + r * t->sums_stride;
    for (size_t o = 0; o < PAIR_PANEL; o++) target[o] = t->adds ? target[o] + (float)exact[o] : (float)exact[o];
  }
}
TILES_OF_ALL_ROWS(plain_panel, , panel_arguments, plain_tile, 1)

#if defined(__x86_64__)

static inline __attribute__((always_inline)) AVX2 void avx2_tile(size_t row, size_t rows, size_t vectors,
                                                                 const panel_arguments *t) {
  __m256i exact[TILE_ROWS][2];
  avx2_pair_sums(rows, t->x + row * t->stride, t->stride, t->panel, t->pairs, exact);
  UNROLLED for (size_t r = 0; r < rows; r++)
    UNROLLED for (size_t v = 0; v < 2; v++) {
      float *target = t->sums + (row + r) * t->sums_stride + 8 * v;
      __m256 sum = _mm256_cvtepi32_ps(exact[r][v]);
      if (t->adds) sum = _mm256_add_ps(_mm256_loadu_ps(target), sum);
      _mm256_storeu_ps(target, sum);
    }
}
TILES_OF_ALL_ROWS(avx2_panel, AVX2, panel_arguments, avx2_tile, 1)

#endif

typedef int8_t eight_rows __attribute__((vector_size(32), aligned(1)));
typedef int8_t eight_pairs __attribute__((vector_size(16)));
typedef int16_t wide_pairs __attribute__((vector_size(32), aligned(2)));

// Widens a chunk of PAIR_PANEL rows of blocked weights, starting with row `first`.
BEST static void widen_blocks(const int8_t *q, size_t columns, size_t first, size_t column, size_t count,
                              int16_t *panel) {
  const int8_t *source = q + first / 64 * 64 * columns + column * 64 + first % 64 * 4;
  // The panel after this one is next to it in the blocks, or in those of the next chunk.
  size_t next = first % 64 < 64 - PAIR_PANEL ? 4 * PAIR_PANEL : 64 * CHUNK - 4 * (64 - PAIR_PANEL);
  for (size_t g = 0; g < count / 4; g++, panel += 4 * PAIR_PANEL) {
    for (size_t r = 0; r < PAIR_PANEL; r += 8) {
      // Four columns of eight rows: the first pair of each, then the second.
      eight_rows all = *(const eight_rows *)(source + g * 256 + 4 * r);
      eight_pairs even = __builtin_shufflevector(all, all, 0, 1, 4, 5, 8, 9, 12, 13, 16, 17, 20, 21, 24, 25, 28, 29);
      eight_pairs odd = __builtin_shufflevector(all, all, 2, 3, 6, 7, 10, 11, 14, 15, 18, 19, 22, 23, 26, 27, 30, 31);
      *(wide_pairs *)(panel + 2 * r) = __builtin_convertvector(even, wide_pairs);
      *(wide_pairs *)(panel + 2 * (PAIR_PANEL + r)) = __builtin_convertvector(odd, wide_pairs);
    }
    __builtin_prefetch(source + g * 256 + next);
  }
}

// Widens a chunk of up to PAIR_PANEL rows of row-major weights; zeros fill the panel.
static void widen_rows(const int8_t *q, size_t columns, size_t first, size_t rows, size_t column, size_t count,
                       int16_t *panel) {
  for (size_t i = 0; i < count; i++)
    for (size_t o = 0; o < PAIR_PANEL; o++)
      panel[(i / 2 * PAIR_PANEL + o) * 2 + i % 2] =
          o < rows && column + i < columns ? q[(first + o) * columns + column + i] : 0;
}

void bb_integer_product(bb_integer_weights weights, size_t first, size_t count, const int16_t *x, size_t stride,
                        size_t rows, float *sums, size_t sums_stride, bb_instructions instructions) {
  int16_t panel[PAIR_PANEL * CHUNK] __attribute__((aligned(64)));
  panel_function *compute = plain_panel;
#if defined(__x86_64__)
  if (instructions != BB_PLAIN) compute = avx2_panel;
#endif
  for (size_t column = 0; column < weights.columns; column += CHUNK) {
    size_t left = (weights.columns - column + 3) / 4 * 4, chunk = left < CHUNK ? left : CHUNK;
    for (size_t output = first; output < first + count; output += PAIR_PANEL) {
      size_t outputs = first + count - output < PAIR_PANEL ? first + count - output : PAIR_PANEL;
      if (weights.is_blocked)
        widen_blocks(weights.values, weights.columns, output, column, chunk, panel);
      else
        widen_rows(weights.values, weights.columns, output, outputs, column, chunk, panel);
      panel_arguments arguments = {
          .x = x + column,
          .stride = stride,
          .rows = rows,
          .panel = panel,
          .pairs = chunk / 2,
          .sums = sums + output - first,
          .sums_stride = sums_stride,
          .adds = column > 0,
      };
      if (outputs == PAIR_PANEL) {
        compute(&arguments);
        continue;
      }
      // The last outputs are too few for a panel.
      float narrow[PAIR_PANEL];
      for (size_t r = 0; r < rows; r++) {
        panel_arguments one = arguments;
        one.x += r * stride, one.rows = 1, one.sums = narrow, one.adds = 0;
        compute(&one);
        for (size_t o = 0; o < outputs; o++) {
          float *sum = arguments.sums + r * sums_stride + o;
          *sum = column > 0 ? *sum + narrow[o] : narrow[o];
        }
      }
    }
  }
}
