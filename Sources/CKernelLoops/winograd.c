#include "loops.h"

// Winograd's F(2, 3) in time, around a transform in space: four frames d become four of products, which become two.
// Each of the four is a sum or difference of two frames, so the transform in space takes pairs.

typedef float lanes[LANES];

#define EACH_LANE for (size_t k = 0; k < LANES; k++)

static const float TIME_WEIGHTS[4][3] = {{1, 0, 0}, {0.5f, 0.5f, 0.5f}, {0.5f, -0.5f, 0.5f}, {0, 0, 1}};

// Copies `count` numbers, and zeros to fill the lanes.
static inline __attribute__((always_inline)) void load_lanes(const float *x, size_t count, lanes out) {
  if (count == LANES)
    EACH_LANE out[k] = x[k];
  else
    EACH_LANE out[k] = k < count ? x[k] : 0;
}

static inline __attribute__((always_inline)) void load_bfloat16_lanes(const uint16_t *x, size_t count, lanes out) {
  EACH_LANE out[k] = from_bits(count == LANES || k < count ? (uint32_t)x[k] << 16 : 0);
}

// Computes the products of one frame, the earlier or the later of the two, from those of the four in time, which are
// `step` apart.
static inline __attribute__((always_inline)) void combine_times(const float *x, size_t step, int later, int has_middle,
                                                                size_t count, lanes out) {
  lanes end, near = {0}, far = {0};
  load_lanes(x + (later ? 3 * step : 0), count, end);
  if (has_middle) {
    load_lanes(x + step, count, near);
    load_lanes(x + 2 * step, count, far);
  }
  if (later)
    EACH_LANE out[k] = near[k] - far[k] - end[k];
  else
    EACH_LANE out[k] = near[k] + far[k] + end[k];
}

// Loads some channels of a tile's products for one of its frames, one row for each position.
static inline __attribute__((always_inline)) void load_products(bb_winograd_products x, int positions, int later,
                                                                size_t first, size_t count, lanes *m) {
  for (int i = 0; i < positions; i++)
    combine_times(x.values + i * x.stride + first, positions * x.stride, later, x.has_middle, count, m[i]);
}

// Writes the results of a tile's pixels with their bias, or adds them to the pixels.
static inline __attribute__((always_inline)) void store_pixels(const lanes *results, int size, const float *bias,
                                                               float *const *pixels, size_t first, size_t count,
                                                               int adds) {
  lanes biases;
  load_lanes(bias + first, count, biases);
  for (int i = 0; i < size; i++) {
    if (!pixels[i]) continue;
    float *restrict pixel = pixels[i] + first;
    for (size_t k = 0; k < (count == LANES ? LANES : count); k++) {
      float value = results[i][k] + biases[k];
      pixel[k] = adds ? pixel[k] + value : value;
    }
  }
}

// F(2×2, 3×3) in bfloat16.

// Rounds sums of bfloat16 numbers: the payload of a NaN among them is short enough to need no care.
static inline __attribute__((always_inline)) uint16_t bfloat16_of_sum(float x) {
  union {
    float value;
    uint32_t bits;
  } pattern = {x};
  return (uint16_t)(nearest_bfloat16(pattern.bits) >> 16);
}

static inline __attribute__((always_inline)) void winograd_input(const void *const a[16], const void *const b[16],
                                                                 float sign, uint16_t *out, size_t stride, size_t first,
                                                                 size_t count, size_t next) {
  lanes d[16], rows[16];
  for (int i = 0; i < 16; i++) {
    lanes other;
    if (i % 4 >= 2) {
      __builtin_prefetch((const uint16_t *)a[i] + first + next);
      __builtin_prefetch((const uint16_t *)b[i] + first + next);
    }
    load_bfloat16_lanes((const uint16_t *)a[i] + first, count, d[i]);
    load_bfloat16_lanes((const uint16_t *)b[i] + first, count, other);
    EACH_LANE d[i][k] += sign * other[k];
  }
  for (int x = 0; x < 4; x++)
    EACH_LANE {
      rows[x][k] = d[x][k] - d[8 + x][k];
      rows[4 + x][k] = d[4 + x][k] + d[8 + x][k];
      rows[8 + x][k] = d[8 + x][k] - d[4 + x][k];
      rows[12 + x][k] = d[4 + x][k] - d[12 + x][k];
    }
  for (int y = 0; y < 4; y++) {
    lanes *row = rows + 4 * y;
    uint16_t *target = out + 4 * y * stride + first;
    for (size_t k = 0; k < count; k++) target[k] = bfloat16_of_sum(row[0][k] - row[2][k]);
    for (size_t k = 0; k < count; k++) target[stride + k] = bfloat16_of_sum(row[1][k] + row[2][k]);
    for (size_t k = 0; k < count; k++) target[2 * stride + k] = bfloat16_of_sum(row[2][k] - row[1][k]);
    for (size_t k = 0; k < count; k++) target[3 * stride + k] = bfloat16_of_sum(row[1][k] - row[3][k]);
  }
}

BEST void bb_winograd_input(const void *const a[16], const void *const b[16], float sign, uint16_t *out,
                            size_t stride, size_t channels) {
  size_t c = 0;
  for (; c + LANES <= channels; c += LANES) winograd_input(a, b, sign, out, stride, c, LANES, 2 * channels);
  if (c < channels) winograd_input(a, b, sign, out, stride, c, channels - c, 2 * channels);
}

BEST void bb_winograd_weights(const float *x, uint16_t *restrict out, size_t count, size_t outputs, size_t inputs,
                              size_t time) {
  const float *factors = TIME_WEIGHTS[time];
  for (size_t c = 0; c < inputs; c++)
    for (size_t k = 0; k < count; k++) {
      const float *kernel = x + (k * inputs + c) * 27;
      float g[9], rows[12];
      for (int i = 0; i < 9; i++)
        g[i] = factors[0] * kernel[i] + factors[1] * kernel[9 + i] + factors[2] * kernel[18 + i];
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

static inline __attribute__((always_inline)) void winograd_output(bb_winograd_products x, const float *bias,
                                                                  float *const *pixels, int later, size_t first,
                                                                  size_t count, int adds) {
  lanes m[16], rows[8], results[4];
  load_products(x, 16, later, first, count, m);
  for (int i = 0; i < 4; i++)
    EACH_LANE {
      rows[i][k] = m[i][k] + m[4 + i][k] + m[8 + i][k];
      rows[4 + i][k] = m[4 + i][k] - m[8 + i][k] - m[12 + i][k];
    }
  for (int y = 0; y < 2; y++)
    EACH_LANE {
      results[2 * y][k] = rows[4 * y][k] + rows[4 * y + 1][k] + rows[4 * y + 2][k];
      results[2 * y + 1][k] = rows[4 * y + 1][k] - rows[4 * y + 2][k] - rows[4 * y + 3][k];
    }
  store_pixels(results, 4, bias, pixels, first, count, adds);
}

BEST void bb_winograd_output(bb_winograd_products x, const float *bias, float *const *earlier, float *const *later,
                             size_t channels, int adds) {
  for (size_t c = 0; c < channels; c += LANES) {
    size_t count = channels - c;
    if (count >= LANES) {
      if (earlier) winograd_output(x, bias, earlier, 0, c, LANES, adds);
      if (later) winograd_output(x, bias, later, 1, c, LANES, adds);
    } else {
      if (earlier) winograd_output(x, bias, earlier, 0, c, count, adds);
      if (later) winograd_output(x, bias, later, 1, c, count, adds);
    }
  }
}

// F(4×4, 3×3) in single precision. Its transforms multiply by numbers up to 8, which bfloat16 would not survive.

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

BEST void bb_winograd4_input(const void *const a[36], const void *const b[36], float sign, float *out, size_t stride,
                             size_t channels) {
  for (size_t first = 0; first < channels; first += LANES) {
    size_t count = channels - first < LANES ? channels - first : LANES;
    lanes d[36], rows[36], result[36];
    for (int i = 0; i < 36; i++) {
      lanes other;
      load_lanes((const float *)a[i] + first, count, d[i]);
      load_lanes((const float *)b[i] + first, count, other);
      EACH_LANE d[i][k] += sign * other[k];
    }
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
                               size_t time) {
  const float *factors = TIME_WEIGHTS[time];
  for (size_t first = 0; first < count; first += LANES)
    for (size_t c = 0; c < inputs; c++) {
      size_t valid = count - first < LANES ? count - first : LANES;
      lanes g[9] = {0}, rows[18], result[36];
      for (size_t k = 0; k < valid; k++) {
        const float *kernel = x + ((first + k) * inputs + c) * 27;
        for (int i = 0; i < 9; i++)
          g[i][k] = factors[0] * kernel[i] + factors[1] * kernel[9 + i] + factors[2] * kernel[18 + i];
      }
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

static inline __attribute__((always_inline)) void winograd4_outputs(bb_winograd_products x, const float *bias,
                                                                    float *const *pixels, int later, size_t first,
                                                                    size_t count, int adds) {
  lanes m[36], rows[24], results[16];
  load_products(x, 36, later, first, count, m);
  for (int c = 0; c < 6; c++) winograd4_output(m + c, 6, rows + c, 6);
  for (int y = 0; y < 4; y++) winograd4_output(rows + 6 * y, 1, results + 4 * y, 1);
  store_pixels(results, 16, bias, pixels, first, count, adds);
}

BEST void bb_winograd4_output(bb_winograd_products x, const float *bias, float *const *earlier, float *const *later,
                              size_t channels, int adds) {
  for (size_t c = 0; c < channels; c += LANES) {
    size_t count = channels - c < LANES ? channels - c : LANES;
    if (earlier) winograd4_outputs(x, bias, earlier, 0, c, count, adds);
    if (later) winograd4_outputs(x, bias, later, 1, c, count, adds);
  }
}
