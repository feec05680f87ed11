#include "tiles.h"

// Products of 8-bit inputs with a block of 8-bit weights, where it is mapped, for processors with VNNI and without AVX-512.
//
// The outputs of a block are computed in panels, from groups of four inputs. The inputs are taken in chunks whose weights
// stay in the cache; until the last one, the place of the results holds the sums in 32 bits.

enum { BLOCK = 64, PANEL = 16, LONGEST_CHUNK = 2048 };

typedef struct {
  const uint8_t *x;
  size_t stride, rows, parts;
  const float *row_scales;
  const int8_t *weights;
  const int32_t *weight_sums;
  const float *column_scales, *bias;
  size_t groups;
  float *out;
  size_t out_stride;
  int continues, ends;
} chunk_arguments;

typedef void chunk_function(const chunk_arguments *t);

// The definition: the other tiles are right if they give the same bits. Its vectors have one number.
static inline __attribute__((always_inline)) void plain_tile(size_t row, size_t rows, size_t vectors,
                                                             const chunk_arguments *t) {
  for (size_t r = row; r < row + rows; r += t->parts)
    for (size_t o = 0; o < vectors; o++) {
      float *target = t->out + r / t->parts * t->out_stride + o, result = 0;
      int32_t sum = 0;
      for (size_t part = 0; part < t->parts; part++) {
        sum = 0;
        if (t->continues) memcpy(&sum, target, sizeof sum);
        for (size_t i = 0; i < 4 * t->groups; i++)
          sum += t->x[(r + part) * t->stride + i] * t->weights[i / 4 * 4 * BLOCK + 4 * o + i % 4];
        result = 256 * result + (float)(sum - 128 * t->weight_sums[o]);
      }
      float scale = t->row_scales[r / t->parts] * t->column_scales[o];
      result *= scale;
      if (t->bias) result += t->bias[o];
      memcpy(target, t->ends ? (void *)&result : (void *)&sum, sizeof sum);
    }
}
TILES_OF_ALL_ROWS(plain_panel, , chunk_arguments, plain_tile, PANEL)

#if defined(__x86_64__)

static inline __attribute__((always_inline)) AVX2_VNNI void avx2_vnni_tile(size_t row, size_t rows, size_t vectors,
                                                                           const chunk_arguments *t) {
  __m256i sums[TILE_ROWS][PANEL / 8];
  UNROLLED for (size_t r = 0; r < rows; r++)
    UNROLLED for (size_t v = 0; v < vectors; v++) {
      const float *target = t->out + (row + r) * t->out_stride + 8 * v;
      sums[r][v] = t->continues ? _mm256_loadu_si256((const __m256i *)target) : _mm256_setzero_si256();
    }
  const uint8_t *x = t->x + row * t->stride;
  for (size_t g = 0; g < t->groups; g++) {
    __m256i weights[PANEL / 8];
    UNROLLED for (size_t v = 0; v < vectors; v++)
      weights[v] = _mm256_loadu_si256((const __m256i *)(t->weights + g * 4 * BLOCK + 32 * v));
    UNROLLED for (size_t r = 0; r < rows; r++) {
      int32_t four;
      memcpy(&four, x + r * t->stride + 4 * g, sizeof four);
      __m256i group = _mm256_set1_epi32(four);
      UNROLLED for (size_t v = 0; v < vectors; v++)
        __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sums[r][v]) : "x"(group), "x"(weights[v]));
    }
  }
  UNROLLED for (size_t r = 0; r < rows; r++)
    UNROLLED for (size_t v = 0; v < vectors; v++) {
      float *target = t->out + (row + r) / t->parts * t->out_stride + 8 * v;
      if (!t->ends) {
        _mm256_storeu_si256((__m256i *)target, sums[r][v]);
        continue;
      }
      // The high halves count 256 times; the row after them holds the low ones.
      if (t->parts == 2 && r % 2) continue;
      __m256i zero = _mm256_slli_epi32(_mm256_loadu_si256((const __m256i *)(t->weight_sums + 8 * v)), 7);
      __m256 sum = _mm256_cvtepi32_ps(_mm256_sub_epi32(sums[r][v], zero));
      if (t->parts == 2) {
        __m256 low = _mm256_cvtepi32_ps(_mm256_sub_epi32(sums[r + 1 < rows ? r + 1 : r][v], zero));
        sum = _mm256_add_ps(_mm256_mul_ps(sum, _mm256_set1_ps(256)), low);
      }
      __m256 columns = _mm256_loadu_ps(t->column_scales + 8 * v);
      __m256 scale = _mm256_mul_ps(_mm256_set1_ps(t->row_scales[(row + r) / t->parts]), columns);
      __m256 result = _mm256_mul_ps(sum, scale);
      if (t->bias) result = _mm256_add_ps(result, _mm256_loadu_ps(t->bias + 8 * v));
      _mm256_storeu_ps(target, result);
    }
}
TILES_OF_ALL_ROWS(avx2_vnni_panel, AVX2_VNNI, chunk_arguments, avx2_vnni_tile, PANEL / 8)

#endif

void bb_byte_product(const uint8_t *x, const float *row_scales, size_t rows, size_t parts, size_t columns,
                     const int8_t *weights, const int32_t *weight_sums, const float *column_scales, const float *bias,
                     float *out, size_t stride, bb_instructions instructions) {
  chunk_function *compute = plain_panel;
#if defined(__x86_64__)
  if (instructions == BB_AVX2_VNNI) compute = avx2_vnni_panel;
#endif
  // The place of a result holds one sum.
  size_t longest = parts == 1 ? LONGEST_CHUNK : columns;
  for (size_t column = 0, chunk; column < columns; column += chunk) {
    chunk = columns - column < longest ? columns - column : longest;
    for (size_t output = 0; output < BLOCK; output += PANEL) {
      chunk_arguments arguments = {
          .x = x + column,
          .stride = columns,
          .rows = rows * parts,
          .parts = parts,
          .row_scales = row_scales,
          .weights = weights + column * BLOCK + 4 * output,
          .weight_sums = weight_sums + output,
          .column_scales = column_scales + output,
          .bias = bias ? bias + output : NULL,
          .groups = chunk / 4,
          .out = out + output,
          .out_stride = stride,
          .continues = column > 0,
          .ends = column + chunk == columns,
      };
      compute(&arguments);
    }
  }
}
