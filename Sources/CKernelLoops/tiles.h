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
