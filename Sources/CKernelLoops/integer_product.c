#include "loops.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

// Products of 16-bit inputs with 8-bit weights for processors without dot products of bytes (VNNI).
//
// A panel holds one chunk of 16 rows of weights, widened to 16 bits, in the order in which a tile reads it:
// [columns / 4][16][4]. It fits the first-level cache and serves all rows of the input. A tile is the products of up to
// TILE_ROWS rows of the input with a panel: exact sums of a chunk, added to the float sums of the chunks before it.

enum { PANEL = 16, TILE_ROWS = 3, CHUNK = BB_INTEGER_CHUNK };

typedef void tile_function(const int16_t *x, size_t stride, const int16_t *panel, size_t groups, float *sums,
                           size_t sums_stride, int adds);

// The definition: the other tiles are right if they give the same bits.
static inline __attribute__((always_inline)) void plain_tile(size_t rows, const int16_t *x, size_t stride,
                                                             const int16_t *panel, size_t groups, float *sums,
                                                             size_t sums_stride, int adds) {
  for (size_t r = 0; r < rows; r++, x += stride, sums += sums_stride) {
    int32_t exact[PANEL] = {0};
    for (size_t g = 0; g < groups; g++)
      for (size_t o = 0; o < PANEL; o++)
        for (size_t k = 0; k < 4; k++) exact[o] += (int32_t)x[4 * g + k] * panel[(g * PANEL + o) * 4 + k];
    for (size_t o = 0; o < PANEL; o++) sums[o] = adds ? sums[o] + (float)exact[o] : (float)exact[o];
  }
}

#define PLAIN_TILE(rows)                                                                                      \
  static void plain_tile_##rows(const int16_t *x, size_t stride, const int16_t *panel, size_t groups,         \
                                float *sums, size_t sums_stride, int adds) {                                  \
    plain_tile(rows, x, stride, panel, groups, sums, sums_stride, adds);                                      \
  }
PLAIN_TILE(1) PLAIN_TILE(2) PLAIN_TILE(3)
static tile_function *const plain_tiles[TILE_ROWS] = {plain_tile_1, plain_tile_2, plain_tile_3};

#if defined(__x86_64__)

#define AVX2 __attribute__((target("avx2")))

// Multiplies pairs of 16-bit numbers and adds each pair of products. The weights are an operand in memory, which costs
// the processor nothing; a compiler would load them into a register for the three rows, which takes an instruction.
static inline __attribute__((always_inline)) AVX2 __m256i multiply_pairs(const int16_t *weights, __m256i x) {
  __m256i sums;
  __asm__("vpmaddwd %2, %1, %0" : "=x"(sums) : "x"(x), "m"(*(const __m256i *)weights));
  return sums;
}

static inline __attribute__((always_inline)) AVX2 void avx2_tile(size_t rows, const int16_t *x, size_t stride,
                                                                 const int16_t *panel, size_t groups, float *sums,
                                                                 size_t sums_stride, int adds) {
  // Four rows of weights a vector, two sums each, one of the columns 0 and 1 of a group and one of 2 and 3.
  __m256i halves[TILE_ROWS][4];
  for (size_t r = 0; r < rows; r++)
    for (size_t v = 0; v < 4; v++) halves[r][v] = _mm256_setzero_si256();
#pragma unroll 2
  for (size_t g = 0; g < groups; g++) {
    __m256i group[TILE_ROWS];
    for (size_t r = 0; r < rows; r++) {
      int64_t four;
      memcpy(&four, x + r * stride + 4 * g, sizeof four);
      group[r] = _mm256_set1_epi64x(four);
    }
    for (size_t v = 0; v < 4; v++)
      for (size_t r = 0; r < rows; r++)
        halves[r][v] = _mm256_add_epi32(halves[r][v], multiply_pairs(panel + (g * 4 + v) * 16, group[r]));
  }
  for (size_t r = 0; r < rows; r++)
    for (size_t v = 0; v < 4; v += 2) {
      float *target = sums + r * sums_stride + 4 * v;
      // Pairs are added within each half of the vectors, so the middle quarters have to change places.
      __m256i exact = _mm256_permute4x64_epi64(_mm256_hadd_epi32(halves[r][v], halves[r][v + 1]), 0xD8);
      __m256 sum = _mm256_cvtepi32_ps(exact);
      if (adds) sum = _mm256_add_ps(_mm256_loadu_ps(target), sum);
      _mm256_storeu_ps(target, sum);
    }
}

#define AVX2_TILE(rows)                                                                                       \
  static AVX2 void avx2_tile_##rows(const int16_t *x, size_t stride, const int16_t *panel, size_t groups,     \
                                    float *sums, size_t sums_stride, int adds) {                              \
    avx2_tile(rows, x, stride, panel, groups, sums, sums_stride, adds);                                       \
  }
AVX2_TILE(1) AVX2_TILE(2) AVX2_TILE(3)
static tile_function *const avx2_tiles[TILE_ROWS] = {avx2_tile_1, avx2_tile_2, avx2_tile_3};

#endif

// Widens a chunk of PANEL rows of blocked weights, starting with row `first`.
BEST static void widen_blocks(const int8_t *restrict q, size_t columns, size_t first, size_t column, size_t count,
                              int16_t *restrict panel) {
  const int8_t *source = q + first / 64 * 64 * columns + column * 64 + first % 64 * 4;
  // The panel after this one is next to it in the blocks, or in those of the next chunk.
  size_t next = first % 64 < 64 - PANEL ? 4 * PANEL : 64 * CHUNK - 4 * (64 - PANEL);
  for (size_t g = 0; g < count / 4; g++) {
// Left to itself the compiler unrolls this loop, and then widens number by number.
#pragma clang loop vectorize(enable) unroll(disable)
    for (size_t i = 0; i < 4 * PANEL; i++) panel[g * 4 * PANEL + i] = source[g * 256 + i];
    __builtin_prefetch(source + g * 256 + next);
  }
}

// Widens a chunk of up to PANEL rows of row-major weights; zeros fill the panel.
static void widen_rows(const int8_t *q, size_t columns, size_t first, size_t rows, size_t column, size_t count,
                       int16_t *panel) {
  for (size_t i = 0; i < count; i++)
    for (size_t o = 0; o < PANEL; o++)
      panel[(i / 4 * PANEL + o) * 4 + i % 4] =
          o < rows && column + i < columns ? q[(first + o) * columns + column + i] : 0;
}

void bb_integer_product(bb_integer_weights weights, size_t first, size_t count, const int16_t *x, size_t stride,
                        size_t rows, float *sums, size_t sums_stride, int may_use_avx2) {
  int16_t panel[PANEL * CHUNK] __attribute__((aligned(64)));
  tile_function *const *tiles = plain_tiles;
#if defined(__x86_64__)
  if (may_use_avx2) tiles = avx2_tiles;
#endif
  for (size_t column = 0; column < weights.columns; column += CHUNK) {
    size_t left = (weights.columns - column + 3) / 4 * 4, chunk = left < CHUNK ? left : CHUNK;
    for (size_t output = first; output < first + count; output += PANEL) {
      size_t outputs = first + count - output < PANEL ? first + count - output : PANEL;
      if (weights.is_blocked)
        widen_blocks(weights.values, weights.columns, output, column, chunk, panel);
      else
        widen_rows(weights.values, weights.columns, output, outputs, column, chunk, panel);
      for (size_t row = 0; row < rows; row += TILE_ROWS) {
        size_t height = rows - row < TILE_ROWS ? rows - row : TILE_ROWS;
        float *target = sums + row * sums_stride + output - first;
        const int16_t *source = x + row * stride + column;
        if (outputs == PANEL) {
          tiles[height - 1](source, stride, panel, chunk / 4, target, sums_stride, column > 0);
          continue;
        }
        float narrow[TILE_ROWS][PANEL];
        tiles[height - 1](source, stride, panel, chunk / 4, narrow[0], PANEL, 0);
        for (size_t r = 0; r < height; r++)
          for (size_t o = 0; o < outputs; o++) {
            float *sum = target + r * sums_stride + o;
            *sum = column > 0 ? *sum + narrow[r][o] : narrow[r][o];
          }
      }
    }
  }
}
