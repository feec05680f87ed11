#include "loops.h"

BEST void bb_add_gated(const float *x, const float *gate, float *out, size_t rows, size_t width) {
  for (size_t r = 0; r < rows; r++, x += width, out += width)
    for (size_t i = 0; i < width; i++) out[i] += x[i] * gate[i];
}

BEST void bb_linear_combination(const float *x, float a, const float *y, float b, float *out, size_t count) {
  float sums[LANES];
  size_t i = 0;
  // Through an array, for y may be the output: the compiler would go number by number then.
  for (; i + LANES <= count; i += LANES) {
    for (size_t k = 0; k < LANES; k++) sums[k] = a * x[i + k] + b * y[i + k];
    memcpy(out + i, sums, sizeof sums);
  }
  for (; i < count; i++) out[i] = a * x[i] + b * y[i];
}

BEST void bb_multiply(const float *x, float *out, size_t count) {
  for (size_t i = 0; i < count; i++) out[i] *= x[i];
}

BEST void bb_rotate_pairs(float *x, const float *cosines, const float *sines, size_t rows, size_t heads,
                          size_t dim) {
  for (size_t r = 0; r < rows; r++, cosines += dim / 2, sines += dim / 2)
    for (size_t h = 0; h < heads; h++, x += dim)
      for (size_t i = 0; i < dim / 2; i++) {
        float even = x[2 * i], odd = x[2 * i + 1];
        x[2 * i] = cosines[i] * even - sines[i] * odd;
        x[2 * i + 1] = sines[i] * even + cosines[i] * odd;
      }
}

BEST void bb_deinterleave2(const float *x, float *restrict out, float *restrict other, size_t count) {
  for (size_t i = 0; i < count; i++) {
    out[i] = x[2 * i];
    other[i] = x[2 * i + 1];
  }
}

BEST void bb_deinterleave4(const float *x, float *restrict out, float *restrict other, size_t count) {
  for (size_t i = 0; i < count; i++) {
    out[i] = x[4 * i];
    out[count + i] = x[4 * i + 1];
    other[i] = x[4 * i + 2];
    other[count + i] = x[4 * i + 3];
  }
}

BEST void bb_transpose_rows(const float *x, size_t rows, size_t width, float *out) {
  for (size_t column = 0; column < width; column += 16) {
    size_t count = width - column < 16 ? width - column : 16;
    uint32_t block[256] = {0};
    for (size_t r = 0; r < rows; r++)
      if (count == 16)
        memcpy(block + 16 * r, x + r * width + column, 64);
      else
        memcpy(block + 16 * r, x + r * width + column, 4 * count);
    transpose(block);
    memcpy(out + column * 16, block, 64 * count);
  }
}
