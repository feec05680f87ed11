#include "loops.h"

// Winograd's F(4×4, 3×3) in space and F(2, 3) in time: four frames d become four of products, which become two. Each of
// the four is a sum or difference of two frames, so the transform in space takes pairs.
//
// In space the polynomials are taken at 0, ±2/3, ±3/2 and infinity. At the usual 0, ±1, ±2 and infinity the transforms
// multiply by larger numbers, and rounding what is multiplied costs five times as much (measured on noise).

enum { TILE = 6, SIZE = 4, POSITIONS = TILE * TILE };

static const float NEAR = 2.0f / 3, FAR = 3.0f / 2;
static const float NEAR_SQUARE = 4.0f / 9, FAR_SQUARE = 9.0f / 4, SUM_OF_SQUARES = 97.0f / 36;

static const float TIME_WEIGHTS[4][3] = {{1, 0, 0}, {0.5f, 0.5f, 0.5f}, {0.5f, -0.5f, 0.5f}, {0, 0, 1}};

typedef float lanes[LANES];

#define EACH_LANE for (size_t k = 0; k < LANES; k++)

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

// Raises each lane of `largest` to the magnitude's bits, which order as the numbers do, with infinity and NaN above them.
static inline __attribute__((always_inline)) void raise_to_magnitude(const lanes x, uint32_t *largest) {
  EACH_LANE {
    union {
      float value;
      uint32_t bits;
    } pattern = {x[k]};
    uint32_t magnitude = pattern.bits & 0x7FFFFFFF;
    largest[k] = largest[k] > magnitude ? largest[k] : magnitude;
  }
}

// The scale that makes a number the largest integer, NaN if the number is none, and its inverse, 0 where there is none or all
// are as good as zero.
static inline __attribute__((always_inline)) float word_scale(uint32_t largest, float *inverse) {
  float value = from_bits(largest);
  *inverse = largest < 0x7F800000 && value > 0x1p-110f ? BB_WINOGRAD_LIMIT / value : 0;
  return largest < 0x7F800000 ? value / BB_WINOGRAD_LIMIT : NAN;
}

static inline __attribute__((always_inline)) int16_t word(float x, float inverse) {
  union {
    float value;
    uint32_t bits;
  } sum = {x * inverse + ROUND_TO_INTEGER};
  return inverse == 0 ? 0 : (int16_t)sum.bits;
}

// Transforms six rows, which are `step` apart, to six.
static inline __attribute__((always_inline)) void input_row(const lanes *d, size_t step, lanes *t, size_t apart) {
  EACH_LANE {
    float d0 = d[0][k], d1 = d[step][k], d2 = d[2 * step][k], d3 = d[3 * step][k], d4 = d[4 * step][k],
          d5 = d[5 * step][k];
    float near_even = d4 - FAR_SQUARE * d2, near_odd = NEAR * d3 - FAR * d1;
    float far_even = d4 - NEAR_SQUARE * d2, far_odd = FAR * d3 - NEAR * d1;
    t[0][k] = d0 - SUM_OF_SQUARES * d2 + d4;
    t[apart][k] = near_even + near_odd;
    t[2 * apart][k] = near_even - near_odd;
    t[3 * apart][k] = far_even + far_odd;
    t[4 * apart][k] = far_even - far_odd;
    t[5 * apart][k] = d1 - SUM_OF_SQUARES * d3 + d5;
  }
}

// Transforms some channels of a tile, and raises the largest magnitudes at each position.
static inline __attribute__((always_inline)) void input_lanes(const void *const *a, const void *const *b, float sign,
                                                              float *scratch, size_t width, size_t first, size_t count,
                                                              uint32_t (*largest)[LANES]) {
  lanes d[POSITIONS], rows[POSITIONS];
  for (int i = 0; i < POSITIONS; i++) {
    lanes other;
    load_bfloat16_lanes((const uint16_t *)a[i] + first, count, d[i]);
    load_bfloat16_lanes((const uint16_t *)b[i] + first, count, other);
    EACH_LANE d[i][k] += sign * other[k];
  }
  for (int x = 0; x < TILE; x++) input_row(d + x, TILE, rows + x, TILE);
  for (int y = 0; y < TILE; y++) input_row(rows + TILE * y, 1, d + TILE * y, 1);
  for (int i = 0; i < POSITIONS; i++) {
    raise_to_magnitude(d[i], largest[i]);
    float *restrict target = scratch + i * width + first;
    EACH_LANE target[k] = d[i][k];
  }
}

BEST void bb_winograd_input(const void *const a[POSITIONS], const void *const b[POSITIONS], float sign, float *scratch,
                            int16_t *out, size_t stride, float *scales, size_t scale_stride, size_t channels) {
  size_t width = (channels + LANES - 1) / LANES * LANES, c = 0;
  uint32_t largest[POSITIONS][LANES] = {{0}};
  for (; c + LANES <= channels; c += LANES) input_lanes(a, b, sign, scratch, width, c, LANES, largest);
  if (c < channels) input_lanes(a, b, sign, scratch, width, c, channels - c, largest);
  for (int i = 0; i < POSITIONS; i++) {
    uint32_t most = 0;
    EACH_LANE most = largest[i][k] > most ? largest[i][k] : most;
    float inverse;
    scales[i * scale_stride] = word_scale(most, &inverse);
    const float *restrict row = scratch + i * width;
    int16_t *restrict target = out + i * stride;
    // Rows of an odd number of channels end with a zero.
    for (size_t k = 0; k < channels + channels % 2; k++) target[k] = word(row[k], inverse);
  }
}

// Transforms three rows, which are `step` apart, to six.
static inline __attribute__((always_inline)) void weight_row(const lanes *g, size_t step, lanes *u, size_t apart) {
  const float near_factor = -81.0f / 130, far_factor = 8.0f / 65;
  EACH_LANE {
    float a = g[0][k], b = g[step][k], c = g[2 * step][k];
    float near_ends = (a + NEAR_SQUARE * c) * near_factor, near_middle = b * (NEAR * near_factor);
    float far_ends = (a + FAR_SQUARE * c) * far_factor, far_middle = b * (FAR * far_factor);
    u[0][k] = a;
    u[apart][k] = near_ends + near_middle;
    u[2 * apart][k] = near_ends - near_middle;
    u[3 * apart][k] = far_ends + far_middle;
    u[4 * apart][k] = far_ends - far_middle;
    u[5 * apart][k] = c;
  }
}

BEST void bb_winograd_weights(const float *x, size_t inputs, size_t time, float *scratch, int16_t *out, size_t stride,
                              float *scales, size_t scale_stride) {
  const float *factors = TIME_WEIGHTS[time];
  uint32_t largest[POSITIONS][LANES] = {{0}};
  for (size_t c = 0; c < inputs; c++) {
    const float *restrict kernel = x + c * 27 * LANES;
    lanes g[9], rows[18], result[POSITIONS];
    for (size_t i = 0; i < 9; i++)
      EACH_LANE g[i][k] = factors[0] * kernel[i * LANES + k] + factors[1] * kernel[(9 + i) * LANES + k] +
                          factors[2] * kernel[(18 + i) * LANES + k];
    for (int i = 0; i < 3; i++) weight_row(g + i, 3, rows + i, 3);
    for (int y = 0; y < TILE; y++) weight_row(rows + 3 * y, 1, result + TILE * y, 1);
    for (int i = 0; i < POSITIONS; i++) {
      raise_to_magnitude(result[i], largest[i]);
      float *restrict target = scratch + (i * inputs + c) * LANES;
      EACH_LANE target[k] = result[i][k];
    }
  }
  for (int i = 0; i < POSITIONS; i++) {
    lanes inverses;
    EACH_LANE scales[i * scale_stride + k] = word_scale(largest[i][k], &inverses[k]);
    for (size_t c = 0; c < inputs; c += 2) {
      const float *restrict pair = scratch + (i * inputs + c) * LANES;
      int has_second = c + 1 < inputs;
      uint32_t words[LANES];
      EACH_LANE {
        uint32_t second = has_second ? (uint16_t)word(pair[LANES + k], inverses[k]) : 0;
        words[k] = (uint16_t)word(pair[k], inverses[k]) | second << 16;
      }
      memcpy(out + i * stride + c * LANES, words, sizeof words);
    }
  }
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

// Writes the results of a tile's pixels with their bias, or adds them to the pixels.
static inline __attribute__((always_inline)) void store_pixels(const lanes *results, const float *bias,
                                                               float *const *pixels, size_t first, size_t count,
                                                               int adds) {
  lanes biases;
  load_lanes(bias + first, count, biases);
  for (int i = 0; i < SIZE * SIZE; i++) {
    if (!pixels[i]) continue;
    float *restrict pixel = pixels[i] + first;
    for (size_t k = 0; k < (count == LANES ? LANES : count); k++) {
      float value = results[i][k] + biases[k];
      pixel[k] = adds ? pixel[k] + value : value;
    }
  }
}

// Transforms six rows, which are `step` apart, to four.
static inline __attribute__((always_inline)) void output_row(const lanes *m, size_t step, lanes *y, size_t apart) {
  EACH_LANE {
    float m1 = m[step][k], m2 = m[2 * step][k], m3 = m[3 * step][k], m4 = m[4 * step][k];
    float near_sum = m1 + m2, near_difference = NEAR * (m1 - m2);
    float far_sum = m3 + m4, far_difference = FAR * (m3 - m4);
    y[0][k] = m[0][k] + near_sum + far_sum;
    y[apart][k] = near_difference + far_difference;
    y[2 * apart][k] = NEAR_SQUARE * near_sum + FAR_SQUARE * far_sum;
    y[3 * apart][k] = NEAR_SQUARE * near_difference + FAR_SQUARE * far_difference + m[5 * step][k];
  }
}

static inline __attribute__((always_inline)) void winograd_output(bb_tile_products x, const float *bias,
                                                                  float *const *pixels, int later, size_t first,
                                                                  size_t count, int adds) {
  lanes m[POSITIONS], rows[SIZE * TILE], results[SIZE * SIZE];
  for (int i = 0; i < POSITIONS; i++)
    combine_times(x.values + i * x.stride + first, POSITIONS * x.stride, later, x.has_middle, count, m[i]);
  for (int c = 0; c < TILE; c++) output_row(m + c, TILE, rows + c, TILE);
  for (int y = 0; y < SIZE; y++) output_row(rows + TILE * y, 1, results + SIZE * y, 1);
  store_pixels(results, bias, pixels, first, count, adds);
}

BEST void bb_winograd_output(bb_tile_products x, const float *bias, float *const *earlier, float *const *later,
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
