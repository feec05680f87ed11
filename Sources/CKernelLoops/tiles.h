#pragma once
#include "loops.h"
#if defined(__x86_64__)
#include <immintrin.h>

#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vnni")))
#define AVX2 __attribute__((target("avx2")))
#define AVX2_VNNI __attribute__((target("avx2,avxvnni")))
#endif

// Products of integers in tiles: the sums of TILE_ROWS rows and some vectors of outputs stay in registers. With 512 bits
// those are 24 of 32 registers, with 256 bits 12 of 16.

enum { TILE_ROWS = 6 };

// The numbers of rows and vectors are constants, and the sums are to stay in registers.
#define UNROLLED _Pragma("clang loop unroll(full)")

// Defines a function that computes `tile(first row, rows, vectors, arguments)` for all rows of the arguments.
#define TILES_OF_ALL_ROWS(name, attributes, type, tile, vectors)                            \
  static attributes void name(const type *t) {                                              \
    size_t row = 0;                                                                         \
    for (; row + TILE_ROWS <= t->rows; row += TILE_ROWS) tile(row, TILE_ROWS, vectors, t);  \
    switch (t->rows - row) {                                                                \
      case 5: tile(row, 5, vectors, t); break;                                              \
      case 4: tile(row, 4, vectors, t); break;                                              \
      case 3: tile(row, 3, vectors, t); break;                                              \
      case 2: tile(row, 2, vectors, t); break;                                              \
      case 1: tile(row, 1, vectors, t); break;                                              \
    }                                                                                       \
  }

// Sums of products of 16-bit numbers with a panel of 16 outputs, which holds pairs of inputs: [pairs][PAIR_PANEL][2]. No sum
// may leave 32 bits.

enum { PAIR_PANEL = 16 };

static inline __attribute__((always_inline)) void plain_pair_sums(const int16_t *x, const int16_t *panel, size_t pairs,
                                                                  int32_t *sums) {
  for (size_t o = 0; o < PAIR_PANEL; o++) sums[o] = 0;
  for (size_t p = 0; p < pairs; p++)
    for (size_t o = 0; o < PAIR_PANEL; o++)
      for (size_t k = 0; k < 2; k++) sums[o] += (int32_t)x[2 * p + k] * panel[(p * PAIR_PANEL + o) * 2 + k];
}

#if defined(__x86_64__)

// Defines a function for some rows, `stride` apart; a panel is two vectors.
#define PAIR_SUMS_OF_256_BITS(name, attributes, add_pairs)                                                 \
  static inline __attribute__((always_inline)) attributes void name(                                       \
      size_t rows, const int16_t *x, size_t stride, const int16_t *panel, size_t pairs,                    \
      __m256i sums[TILE_ROWS][2]) {                                                                        \
    UNROLLED for (size_t r = 0; r < rows; r++) sums[r][0] = sums[r][1] = _mm256_setzero_si256();           \
    for (size_t p = 0; p < pairs; p++, panel += 2 * PAIR_PANEL) {                                          \
      __m256i low = _mm256_loadu_si256((const __m256i *)panel);                                            \
      __m256i high = _mm256_loadu_si256((const __m256i *)panel + 1);                                       \
      UNROLLED for (size_t r = 0; r < rows; r++) {                                                         \
        int32_t pair;                                                                                      \
        memcpy(&pair, x + r * stride + 2 * p, sizeof pair);                                                \
        __m256i both = _mm256_set1_epi32(pair);                                                            \
        sums[r][0] = add_pairs(sums[r][0], low, both);                                                     \
        sums[r][1] = add_pairs(sums[r][1], high, both);                                                    \
      }                                                                                                    \
    }                                                                                                      \
  }

static inline __attribute__((always_inline)) AVX2 __m256i add_pairs_avx2(__m256i sums, __m256i weights, __m256i x) {
  return _mm256_add_epi32(sums, _mm256_madd_epi16(weights, x));
}
PAIR_SUMS_OF_256_BITS(avx2_pair_sums, AVX2, add_pairs_avx2)

// The compiler would make two instructions of the intrinsic.
static inline __attribute__((always_inline)) AVX2_VNNI __m256i add_pairs_avx2_vnni(__m256i sums, __m256i weights,
                                                                                   __m256i x) {
  __asm__("%{vex%} vpdpwssd %2, %1, %0" : "+x"(sums) : "x"(weights), "x"(x));
  return sums;
}
PAIR_SUMS_OF_256_BITS(avx2_vnni_pair_sums, AVX2_VNNI, add_pairs_avx2_vnni)

#endif
