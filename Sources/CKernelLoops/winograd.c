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

// F(4×4, 3×3) in single precision. Its transforms multiply by numbers up to 8, which bfloat16 would not survive.

typedef float lanes[LANES];

#define EACH_LANE for (size_t k = 0; k < LANES; k++)

// Copies `count` numbers, and zeros to fill the lanes.
static inline __attribute__((always_inline)) void load_lanes(const float *x, size_t count, lanes out) {
  if (count == LANES)
    EACH_LANE out[k] = x[k];
  else
    EACH_LANE out[k] = k < count ? x[k] : 0;
}

// Transforms six rows, which are `step` apart, to six.
static inline __attribute__((always_inline)) void winograd4_input(const lanes *d, size_t step, lanes *t, size_t apart) {
  EACH_LANE {
    float d0 = d[0][k], d1 = d[step][k], d2 = d[2 * step][k], d3 = d[3 * step][k], d4 = d[4 * step][k],
          d5 = d[5 * step][k];
    float even = d4 - 4 * d2, odd = d3 - 4 * d1, near = d4 - d2, far = 2 * (d3 - d1);
    t[0][k] = 4 * d0 - 5 * d2 + d4;
    t[apart][k] = even + odd;
    t[2 * apart][k] = even - odd;
    t[3 * apart][k] = near + far;
    t[4 * apart][k] = near - far;
    t[5 * apart][k] = 4 * d1 - 5 * d3 + d5;
  }
}

BEST void bb_winograd4_input(const void *const pixels[36], float *out, size_t stride, size_t channels) {
  for (size_t first = 0; first < channels; first += LANES) {
    size_t count = channels - first < LANES ? channels - first : LANES;
    lanes d[36], rows[36], result[36];
    for (int i = 0; i < 36; i++) load_lanes((const float *)pixels[i] + first, count, d[i]);
    for (int x = 0; x < 6; x++) winograd4_input(d + x, 6, rows + x, 6);
    for (int y = 0; y < 6; y++) winograd4_input(rows + 6 * y, 1, result + 6 * y, 1);
    for (int i = 0; i < 36; i++)
      if (count == LANES)
        EACH_LANE out[i * stride + first + k] = result[i][k];
      else
        for (size_t k = 0; k < count; k++) out[i * stride + first + k] = result[i][k];
  }
}

// Transforms three rows, which are `step` apart, to six.
static inline __attribute__((always_inline)) void winograd4_weights(const lanes *g, size_t step, lanes *u, size_t apart) {
  EACH_LANE {
    float a = g[0][k], b = g[step][k], c = g[2 * step][k];
    float ends = (a + c) * (1.0f / 6), middle = b * (1.0f / 6), far = a * (1.0f / 24) + c * (1.0f / 6);
    u[0][k] = a * 0.25f;
    u[apart][k] = -ends - middle;
    u[2 * apart][k] = middle - ends;
    u[3 * apart][k] = far + b * (1.0f / 12);
    u[4 * apart][k] = far - b * (1.0f / 12);
    u[5 * apart][k] = c;
  }
}

BEST void bb_winograd4_weights(const float *x, float *restrict out, size_t count, size_t outputs, size_t inputs,
                               size_t times, size_t time) {
  for (size_t first = 0; first < count; first += LANES)
    for (size_t c = 0; c < inputs; c++) {
      size_t valid = count - first < LANES ? count - first : LANES;
      lanes g[9] = {0}, rows[18], result[36];
      for (size_t k = 0; k < valid; k++)
        for (int i = 0; i < 9; i++) g[i][k] = x[(((first + k) * inputs + c) * times + time) * 9 + i];
      for (int i = 0; i < 3; i++) winograd4_weights(g + i, 3, rows + i, 3);
      for (int y = 0; y < 6; y++) winograd4_weights(rows + 3 * y, 1, result + 6 * y, 1);
      for (size_t i = 0; i < 36; i++) {
        float *target = out + (i * inputs + c) * outputs + first;
        if (valid == LANES)
          EACH_LANE target[k] = result[i][k];
        else
          for (size_t k = 0; k < valid; k++) target[k] = result[i][k];
      }
    }
}

// Transforms six rows, which are `step` apart, to four.
static inline __attribute__((always_inline)) void winograd4_output(const lanes *m, size_t step, lanes *y, size_t apart) {
  EACH_LANE {
    float m1 = m[step][k], m2 = m[2 * step][k], m3 = m[3 * step][k], m4 = m[4 * step][k];
    float sum = m1 + m2, difference = m1 - m2, far_sum = m3 + m4, far_difference = m3 - m4;
    y[0][k] = m[0][k] + sum + far_sum;
    y[apart][k] = difference + 2 * far_difference;
    y[2 * apart][k] = sum + 4 * far_sum;
    y[3 * apart][k] = difference + 8 * far_difference + m[5 * step][k];
  }
}

BEST void bb_winograd4_output(const float *x, size_t stride, const float *bias, float *const pixels[16],
                              size_t channels, int adds) {
  for (size_t first = 0; first < channels; first += LANES) {
    size_t count = channels - first < LANES ? channels - first : LANES;
    lanes m[36], rows[24], result[16];
    for (int i = 0; i < 36; i++) load_lanes(x + i * stride + first, count, m[i]);
    for (int c = 0; c < 6; c++) winograd4_output(m + c, 6, rows + c, 6);
    for (int y = 0; y < 4; y++) winograd4_output(rows + 6 * y, 1, result + 4 * y, 1);
    for (int i = 0; i < 16; i++) {
      if (!pixels[i]) continue;
      float *restrict pixel = pixels[i] + first;
      for (size_t k = 0; k < count; k++) {
        float value = result[i][k] + bias[first + k];
        pixel[k] = adds ? pixel[k] + value : value;
      }
    }
  }
}
