#include "tiles.h"

// Products of rows and matrices of 16-bit numbers.
//
// A tile is the products of up to TILE_ROWS rows of the left factor with some panels of the right one: exact sums of a
// chunk, scaled and added to those of the chunks before it. A chunk of four panels fits the first-level cache and serves
// all rows.

enum { PANEL = PAIR_PANEL, CHUNK = BB_WINOGRAD_CHUNK, MOST_PANELS = 4 };
_Static_assert(PANEL == BB_WINOGRAD_PANEL, "the panels of the interface are those of the tiles");

typedef struct {
  const int16_t *x;
  size_t stride, rows;
  const float *row_scales;
  const int16_t *panels;
  size_t panel_stride;
  const float *column_scales;
  size_t pairs;
  float *products;
  size_t product_stride;
  int adds;
} chunk_arguments;

// Computes the tiles of all rows.
typedef void chunk_function(const chunk_arguments *t);

// The definition: the other tiles are right if they give the same bits.
static inline __attribute__((always_inline)) void plain_tile(size_t row, size_t rows, size_t panels,
                                                             const chunk_arguments *t) {
  for (size_t r = row; r < row + rows; r++) {
    int32_t exact[PANEL];
    plain_pair_sums(t->x + r * t->stride, t->panels, t->pairs, exact);
    float *target = t->products + r * t->product_stride;
    for (size_t o = 0; o < PANEL; o++) {
      float scale = t->row_scales[r] * t->column_scales[o];
      float product = (float)exact[o] * scale;
      target[o] = t->adds ? target[o] + product : product;
    }
  }
}
TILES_OF_ALL_ROWS(plain_chunk, , chunk_arguments, plain_tile, 1)

#if defined(__x86_64__)

// Adds products of pairs. The compiler would make two instructions of the intrinsic.
static inline __attribute__((always_inline)) AVX512 __m512i add_pairs_avx512(__m512i sums, __m512i weights, __m512i x) {
  __asm__("vpdpwssd %2, %1, %0" : "+v"(sums) : "v"(weights), "v"(x));
  return sums;
}

static inline __attribute__((always_inline)) AVX512 void avx512_tile(size_t row, size_t rows, size_t panels,
                                                                     const chunk_arguments *t) {
  __m512i sums[TILE_ROWS][MOST_PANELS];
  UNROLLED for (size_t r = 0; r < rows; r++)
    UNROLLED for (size_t v = 0; v < panels; v++) sums[r][v] = _mm512_setzero_si512();
  const int16_t *x = t->x + row * t->stride;
  for (size_t p = 0; p < t->pairs; p++) {
    __m512i weights[MOST_PANELS];
    UNROLLED for (size_t v = 0; v < panels; v++)
      weights[v] = _mm512_loadu_si512(t->panels + v * t->panel_stride + p * 2 * PANEL);
    UNROLLED for (size_t r = 0; r < rows; r++) {
      int32_t pair;
      memcpy(&pair, x + r * t->stride + 2 * p, sizeof pair);
      UNROLLED for (size_t v = 0; v < panels; v++)
        sums[r][v] = add_pairs_avx512(sums[r][v], weights[v], _mm512_set1_epi32(pair));
    }
  }
  UNROLLED for (size_t r = 0; r < rows; r++)
    UNROLLED for (size_t v = 0; v < panels; v++) {
      float *target = t->products + (row + r) * t->product_stride + v * PANEL;
      __m512 columns = _mm512_loadu_ps(t->column_scales + v * PANEL);
      __m512 scale = _mm512_mul_ps(_mm512_set1_ps(t->row_scales[row + r]), columns);
      __m512 product = _mm512_mul_ps(_mm512_cvtepi32_ps(sums[r][v]), scale);
      if (t->adds) product = _mm512_add_ps(_mm512_loadu_ps(target), product);
      _mm512_storeu_ps(target, product);
    }
}
TILES_OF_ALL_ROWS(avx512_panel, AVX512, chunk_arguments, avx512_tile, 1)
TILES_OF_ALL_ROWS(avx512_panels, AVX512, chunk_arguments, avx512_tile, MOST_PANELS)

#define TILE_OF_256_BITS(name, attributes, pair_sums)                                              \
  static inline __attribute__((always_inline)) attributes void name(                               \
      size_t row, size_t rows, size_t panels, const chunk_arguments *t) {                          \
    __m256i sums[TILE_ROWS][2];                                                                    \
    pair_sums(rows, t->x + row * t->stride, t->stride, t->panels, t->pairs, sums);                 \
    UNROLLED for (size_t r = 0; r < rows; r++)                                                     \
      UNROLLED for (size_t v = 0; v < 2; v++) {                                                    \
        float *target = t->products + (row + r) * t->product_stride + 8 * v;                       \
        __m256 columns = _mm256_loadu_ps(t->column_scales + 8 * v);                                \
        __m256 scale = _mm256_mul_ps(_mm256_set1_ps(t->row_scales[row + r]), columns);             \
        __m256 product = _mm256_mul_ps(_mm256_cvtepi32_ps(sums[r][v]), scale);                     \
        if (t->adds) product = _mm256_add_ps(_mm256_loadu_ps(target), product);                    \
        _mm256_storeu_ps(target, product);                                                         \
      }                                                                                            \
  }

TILE_OF_256_BITS(avx2_tile, AVX2, avx2_pair_sums)
TILES_OF_ALL_ROWS(avx2_panel, AVX2, chunk_arguments, avx2_tile, 1)

TILE_OF_256_BITS(avx2_vnni_tile, AVX2_VNNI, avx2_vnni_pair_sums)
TILES_OF_ALL_ROWS(avx2_vnni_panel, AVX2_VNNI, chunk_arguments, avx2_vnni_tile, 1)

#endif

void bb_winograd_product(const int16_t *x, const float *row_scales, size_t rows, const int16_t *panels,
                     const float *column_scales, size_t inputs, size_t outputs, float *products,
                     bb_instructions instructions) {
  chunk_function *narrow = plain_chunk, *wide = NULL;
#if defined(__x86_64__)
  switch (instructions) {
    case BB_AVX512_VNNI: narrow = avx512_panel, wide = avx512_panels; break;
    case BB_AVX2_VNNI: narrow = avx2_vnni_panel; break;
    case BB_AVX2: narrow = avx2_panel; break;
    case BB_PLAIN: break;
  }
#endif
  size_t stride = inputs + inputs % 2;
  for (size_t column = 0; column < stride; column += CHUNK) {
    size_t chunk = stride - column < CHUNK ? stride - column : CHUNK;
    for (size_t output = 0, width; output < outputs; output += width) {
      int is_wide = wide && outputs - output >= MOST_PANELS * PANEL;
      width = is_wide ? MOST_PANELS * PANEL : PANEL;
      chunk_arguments arguments = {
          .x = x + column,
          .stride = stride,
          .rows = rows,
          .row_scales = row_scales,
          .panels = panels + output * stride + column * PANEL,
          .panel_stride = stride * PANEL,
          .column_scales = column_scales + output,
          .pairs = chunk / 2,
          .products = products + output,
          .product_stride = outputs,
          .adds = column > 0,
      };
      (is_wide ? wide : narrow)(&arguments);
    }
  }
}
