#include "loops.h"

// Transforms some channels. The compiler should know that they fill a vector; copies in local arrays alias nothing.
static inline __attribute__((always_inline)) void winograd_input(const void *const pixels[16], int rounded,
                                                                 uint16_t *out, size_t stride, size_t first,
                                                                 size_t count) {
  float d[16][LANES], rows[16][LANES];
  for (int i = 0; i < 16; i++)
    for (size_t k = 0; k < count; k++) {
      union {
        uint32_t bits;
        float value;
      } wide = {rounded ? (uint32_t)((const uint16_t *)pixels[i])[first + k] << 16 : 0};
      d[i][k] = rounded ? wide.value : ((const float *)pixels[i])[first + k];
    }
  for (int x = 0; x < 4; x++)
    for (size_t k = 0; k < count; k++) {
      rows[x][k] = d[x][k] - d[8 + x][k];
      rows[4 + x][k] = d[4 + x][k] + d[8 + x][k];
      rows[8 + x][k] = d[8 + x][k] - d[4 + x][k];
      rows[12 + x][k] = d[4 + x][k] - d[12 + x][k];
    }
  for (int y = 0; y < 4; y++) {
    float(*row)[LANES] = rows + 4 * y;
    uint16_t *target = out + 4 * y * stride + first;
    for (size_t k = 0; k < count; k++) target[k] = bfloat16(row[0][k] - row[2][k]);
    for (size_t k = 0; k < count; k++) target[stride + k] = bfloat16(row[1][k] + row[2][k]);
    for (size_t k = 0; k < count; k++) target[2 * stride + k] = bfloat16(row[2][k] - row[1][k]);
    for (size_t k = 0; k < count; k++) target[3 * stride + k] = bfloat16(row[1][k] - row[3][k]);
  }
}

static inline __attribute__((always_inline)) void winograd_inputs(const void *const pixels[16], int rounded,
                                                                  uint16_t *out, size_t stride, size_t channels) {
  size_t c = 0;
  for (; c + LANES <= channels; c += LANES) winograd_input(pixels, rounded, out, stride, c, LANES);
  if (c < channels) winograd_input(pixels, rounded, out, stride, c, channels - c);
}

BEST void bb_winograd_input(const void *const pixels[16], uint16_t *out, size_t stride, size_t channels) {
  winograd_inputs(pixels, 0, out, stride, channels);
}

BEST void bb_winograd_rounded_input(const void *const pixels[16], uint16_t *out, size_t stride, size_t channels) {
  winograd_inputs(pixels, 1, out, stride, channels);
}

BEST void bb_winograd_weights(const float *x, uint16_t *restrict out, size_t count, size_t outputs, size_t inputs,
                              size_t times, size_t time) {
  for (size_t c = 0; c < inputs; c++)
    for (size_t k = 0; k < count; k++) {
      const float *g = x + ((k * inputs + c) * times + time) * 9;
      float rows[12];
      for (int i = 0; i < 3; i++) {
        float a = g[i], b = g[3 + i], d = g[6 + i];
        rows[i] = a;
        rows[3 + i] = 0.5f * (a + b + d);
        rows[6 + i] = 0.5f * (a - b + d);
        rows[9 + i] = d;
      }
      uint16_t *target = out + c * outputs + k;
      for (int y = 0; y < 4; y++) {
        float a = rows[3 * y], b = rows[3 * y + 1], d = rows[3 * y + 2];
        target[(4 * y) * inputs * outputs] = bfloat16(a);
        target[(4 * y + 1) * inputs * outputs] = bfloat16(0.5f * (a + b + d));
        target[(4 * y + 2) * inputs * outputs] = bfloat16(0.5f * (a - b + d));
        target[(4 * y + 3) * inputs * outputs] = bfloat16(d);
      }
    }
}

BEST void bb_winograd_output(const float *x, size_t stride, const float *bias, float *const pixels[4], size_t channels,
                             int adds) {
  for (int y = 0; y < 2; y++) {
    float *restrict left = pixels[2 * y], *restrict right = pixels[2 * y + 1];
    const float *m = x + 4 * y * stride;
    float sign = y ? -1.0f : 1.0f;
    // The first row of pixels takes rows 0, 1 and 2, the second one 1, −2 and −3.
    for (size_t c = 0; c < channels; c++) {
      float columns[4];
      for (int i = 0; i < 4; i++) {
        const float *column = m + i * stride + c;
        columns[i] = column[0] + sign * column[4 * stride] + sign * column[8 * stride];
      }
      float a = columns[0] + columns[1] + columns[2] + bias[c], b = columns[1] - columns[2] - columns[3] + bias[c];
      if (left) left[c] = adds ? left[c] + a : a;
      if (right) right[c] = adds ? right[c] + b : b;
    }
  }
}
