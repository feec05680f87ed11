#include "CKernelLoops.h"

#include <math.h>

#if defined(__x86_64__) && defined(__linux__)
#define BEST __attribute__((target_clones("avx512f", "arch=haswell", "default")))
#else
#define BEST
#endif

// Sixteen partial sums let the compiler use vectors without being allowed to reorder a sum.
#define LANES 16

static inline __attribute__((always_inline)) float row_sum(const float *x, size_t width) {
  float lanes[LANES] = {0};
  size_t i = 0;
  for (; i + LANES <= width; i += LANES)
    for (size_t k = 0; k < LANES; k++) lanes[k] += x[i + k];
  double total = 0;
  for (; i < width; i++) total += x[i];
  for (size_t k = 0; k < LANES; k++) total += lanes[k];
  return (float)total;
}

static inline __attribute__((always_inline)) float row_squares(const float *x, float mean, size_t width) {
  float lanes[LANES] = {0};
  size_t i = 0;
  for (; i + LANES <= width; i += LANES)
    for (size_t k = 0; k < LANES; k++) {
      float d = x[i + k] - mean;
      lanes[k] += d * d;
    }
  double total = 0;
  for (; i < width; i++) total += (double)(x[i] - mean) * (x[i] - mean);
  for (size_t k = 0; k < LANES; k++) total += lanes[k];
  return (float)total;
}

BEST void bb_layer_norm_modulate(const float *x, const float *scale, const float *shift, float *out, size_t rows,
                                 size_t width, float eps) {
  for (size_t r = 0; r < rows; r++, x += width, out += width) {
    float mean = row_sum(x, width) / (float)width;
    float inverse = 1.0f / sqrtf(row_squares(x, mean, width) / (float)width + eps);
    if (scale)
      for (size_t i = 0; i < width; i++) out[i] = (x[i] - mean) * inverse * (1.0f + scale[i]) + shift[i];
    else
      for (size_t i = 0; i < width; i++) out[i] = (x[i] - mean) * inverse;
  }
}

BEST void bb_layer_norm_affine(const float *x, const float *weight, const float *bias, float *out, size_t rows,
                               size_t width, float eps) {
  for (size_t r = 0; r < rows; r++, x += width, out += width) {
    float mean = row_sum(x, width) / (float)width;
    float inverse = 1.0f / sqrtf(row_squares(x, mean, width) / (float)width + eps);
    for (size_t i = 0; i < width; i++) out[i] = (x[i] - mean) * inverse * weight[i] + bias[i];
  }
}

BEST void bb_rms_norm(const float *x, const float *weight, float *out, size_t rows, size_t width, float eps) {
  for (size_t r = 0; r < rows; r++, x += width, out += width) {
    float inverse = 1.0f / sqrtf(row_squares(x, 0.0f, width) / (float)width + eps);
    for (size_t i = 0; i < width; i++) out[i] = x[i] * inverse * weight[i];
  }
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

BEST void bb_channel_moments(const float *x, size_t pixels, size_t channels, double *sum, double *square) {
  for (size_t p = 0; p < pixels; p++, x += channels)
    for (size_t c = 0; c < channels; c++) {
      double value = x[c];
      sum[c] += value;
      square[c] += value * value;
    }
}

BEST void bb_channel_affine(const float *x, const float *scale, const float *shift, float *out, size_t pixels,
                            size_t channels) {
  for (size_t p = 0; p < pixels; p++, x += channels, out += channels)
    for (size_t c = 0; c < channels; c++) out[c] = x[c] * scale[c] + shift[c];
}

// exp(x) as 2^n·exp(r) with |r| ≤ ln(2)/2 and a polynomial for exp(r); no branch, so that it vectorises.
static inline __attribute__((always_inline)) float exponential(float x) {
  x = x < -87.0f ? -87.0f : x;
  x = x > 88.0f ? 88.0f : x;
  const float to_integer = 12582912.0f;  // 1.5·2^23: adding it rounds to an integer
  float shifted = x * 1.44269504088896341f + to_integer;
  float n = shifted - to_integer;
  float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  union {
    int bits;
    float value;
  } power = {((int)n + 127) << 23};
  return p * power.value;
}

BEST void bb_channel_affine_silu(const float *x, const float *scale, const float *shift, float *out, size_t pixels,
                                 size_t channels) {
  for (size_t p = 0; p < pixels; p++, x += channels, out += channels)
    for (size_t c = 0; c < channels; c++) {
      float y = x[c] * scale[c] + shift[c];
      out[c] = y / (1.0f + exponential(-y));
    }
}

BEST void bb_add_gated(const float *x, const float *gate, float *out, size_t rows, size_t width) {
  for (size_t r = 0; r < rows; r++, x += width, out += width)
    for (size_t i = 0; i < width; i++) out[i] += x[i] * gate[i];
}

BEST void bb_linear_combination(const float *x, float a, const float *y, float b, float *out, size_t count) {
  for (size_t i = 0; i < count; i++) out[i] = a * x[i] + b * y[i];
}

static inline __attribute__((always_inline)) uint32_t magnitude_bits(float x) {
  union {
    float value;
    uint32_t bits;
  } pattern = {x};
  return pattern.bits & 0x7FFFFFFF;
}

BEST void bb_quantize_rows(const float *x, size_t rows, size_t width, uint8_t *q, float *scales) {
  for (size_t r = 0; r < rows; r++, x += width, q += width) {
    // Compared as integers, so that a NaN is the largest of all.
    uint32_t lanes[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= width; i += LANES)
      for (size_t k = 0; k < LANES; k++) {
        uint32_t bits = magnitude_bits(x[i + k]);
        lanes[k] = bits > lanes[k] ? bits : lanes[k];
      }
    union {
      uint32_t bits;
      float value;
    } largest = {0};
    for (; i < width; i++) largest.bits = magnitude_bits(x[i]) > largest.bits ? magnitude_bits(x[i]) : largest.bits;
    for (size_t k = 0; k < LANES; k++) largest.bits = lanes[k] > largest.bits ? lanes[k] : largest.bits;
    int finite = largest.bits < 0x7F800000;
    // Rows near the least f32 numbers are as good as zero for activations.
    float inverse = finite && largest.value > 0x1p-120f ? 127.0f / largest.value : 0.0f;
    scales[r] = finite ? largest.value / 127.0f : NAN;
    if (!finite)
      for (i = 0; i < width; i++) q[i] = 128;
    else
      for (i = 0; i < width; i++) {
        union {
          float value;
          uint32_t bits;
        } shifted = {x[i] * inverse + 12582912.0f};  // 1.5·2^23: adding it rounds to an integer
        q[i] = (uint8_t)(shifted.bits + 128);
      }
  }
}

BEST float bb_quantize_weights(const float *x, size_t width, int8_t *q) {
// A fused multiplication and addition would round once where the definition rounds twice.
#pragma STDC FP_CONTRACT OFF
  float lanes[LANES] = {0}, largest = 0;
  size_t i = 0;
  for (; i + LANES <= width; i += LANES)
    for (size_t k = 0; k < LANES; k++) lanes[k] = fabsf(x[i + k]) > lanes[k] ? fabsf(x[i + k]) : lanes[k];
  for (; i < width; i++) largest = fabsf(x[i]) > largest ? fabsf(x[i]) : largest;
  for (size_t k = 0; k < LANES; k++) largest = lanes[k] > largest ? lanes[k] : largest;
  // Near the least f32 numbers the inverse of a scale would overflow, so there it is applied in two steps.
  float boost = largest < 0x1p-64f ? 0x1p64f : 1.0f;
  float inverse = largest == 0 ? 0.0f : 127.0f / (largest * boost);
  for (i = 0; i < width; i++) {
    union {
      float value;
      uint32_t bits;
    } shifted = {x[i] * boost * inverse + 12582912.0f};  // 1.5·2^23: adding it rounds to an integer
    q[i] = (int8_t)(uint8_t)shifted.bits;
  }
  return largest / 127.0f;
}

BEST bb_errors bb_weight_errors(const int8_t *q, float scale, const float *x, size_t width) {
  enum { COUNT = 8 };
  double squares[COUNT] = {0}, absolutes[COUNT] = {0}, largest[COUNT] = {0}, references[COUNT] = {0};
  double magnitudes[COUNT] = {0};
  size_t i = 0;
  for (; i < width / COUNT * COUNT; i += COUNT)
    for (size_t k = 0; k < COUNT; k++) {
      double reference = x[i + k], error = fabs((double)((float)q[i + k] * scale) - reference);
      squares[k] += error * error;
      absolutes[k] += error;
      largest[k] = error > largest[k] ? error : largest[k];
      references[k] += reference * reference;
      magnitudes[k] = fabs(reference) > magnitudes[k] ? fabs(reference) : magnitudes[k];
    }
  bb_errors result = {0};
  for (; i < width; i++) {
    double reference = x[i], error = fabs((double)((float)q[i] * scale) - reference);
    result.squared_error += error * error;
    result.absolute_error += error;
    result.largest_error = fmax(result.largest_error, error);
    result.squared_reference += reference * reference;
    result.largest_reference = fmax(result.largest_reference, fabs(reference));
  }
  for (size_t k = 0; k < COUNT; k++) {
    result.squared_error += squares[k];
    result.absolute_error += absolutes[k];
    result.largest_error = fmax(result.largest_error, largest[k]);
    result.squared_reference += references[k];
    result.largest_reference = fmax(result.largest_reference, magnitudes[k]);
  }
  return result;
}

BEST void bb_sum_rows(const int8_t *q, size_t rows, size_t width, int32_t *sums) {
  for (size_t r = 0; r < rows; r++, q += width) {
    int32_t sum = 0;
    for (size_t i = 0; i < width; i++) sum += q[i];
    sums[r] = sum;
  }
}

BEST void bb_scale_sums(const int32_t *sums, const int32_t *weight_sums, float row_scale, const float *column_scales,
                        const float *bias, float *out, size_t width) {
  if (bias)
    for (size_t i = 0; i < width; i++)
      out[i] = (float)(sums[i] - 128 * weight_sums[i]) * (row_scale * column_scales[i]) + bias[i];
  else
    for (size_t i = 0; i < width; i++)
      out[i] = (float)(sums[i] - 128 * weight_sums[i]) * (row_scale * column_scales[i]);
}

BEST void bb_swish(float *x, float factor, size_t count) {
  for (size_t i = 0; i < count; i++) x[i] = x[i] / (1.0f + exponential(-factor * x[i]));
}

void bb_gelu(float *x, size_t count) {
  for (size_t i = 0; i < count; i++) x[i] = 0.5f * x[i] * (1.0f + erff(x[i] * 0.70710678f));
}

BEST void bb_gelu_tanh(float *x, size_t count) {
  for (size_t i = 0; i < count; i++) {
    float y = 1.5957691216057308f * (x[i] + 0.044715f * x[i] * x[i] * x[i]);  // 2·sqrt(2/π)
    x[i] = x[i] / (1.0f + exponential(-y));
  }
}

static inline __attribute__((always_inline)) uint16_t bfloat16(float x) {
  union {
    float value;
    uint32_t bits;
  } pattern = {x};
  uint32_t rounded = (pattern.bits + 0x7FFF + (pattern.bits >> 16 & 1)) >> 16;
  uint32_t quiet = pattern.bits >> 16 | 0x40;
  return (uint16_t)((pattern.bits & 0x7FFFFFFF) > 0x7F800000 ? quiet : rounded);
}

BEST void bb_round_bfloat16(const float *x, uint16_t *out, size_t count) {
  for (size_t i = 0; i < count; i++) out[i] = bfloat16(x[i]);
}

BEST void bb_expand_bfloat16(const int8_t *q, float scale, uint16_t *out, size_t count) {
  for (size_t i = 0; i < count; i++) {
    union {
      float value;
      uint32_t bits;
    } pattern = {(float)q[i] * scale};
    out[i] = (uint16_t)((pattern.bits + 0x7FFF + (pattern.bits >> 16 & 1)) >> 16);
  }
}

BEST void bb_multiply(const float *x, float *out, size_t count) {
  for (size_t i = 0; i < count; i++) out[i] *= x[i];
}

BEST void bb_softmax_bfloat16(const float *scores, uint16_t *out, float *inverse_sums, size_t rows, size_t width) {
  for (size_t r = 0; r < rows; r++, scores += width, out += width) {
    float lanes[LANES];
    for (size_t k = 0; k < LANES; k++) lanes[k] = -INFINITY;
    size_t i = 0;
    for (; i + LANES <= width; i += LANES)
      for (size_t k = 0; k < LANES; k++) lanes[k] = scores[i + k] > lanes[k] ? scores[i + k] : lanes[k];
    float largest = -INFINITY;
    for (; i < width; i++) largest = scores[i] > largest ? scores[i] : largest;
    for (size_t k = 0; k < LANES; k++) largest = lanes[k] > largest ? lanes[k] : largest;
    float sums[LANES] = {0};
    double total = 0;
    for (i = 0; i + LANES <= width; i += LANES)
      for (size_t k = 0; k < LANES; k++) {
        union {
          float value;
          uint32_t bits;
        } p = {exponential(scores[i + k] - largest)};
        p.bits = (p.bits + 0x7FFF + (p.bits >> 16 & 1)) & 0xFFFF0000;
        out[i + k] = (uint16_t)(p.bits >> 16);
        sums[k] += p.value;
      }
    for (; i < width; i++) {
      union {
        float value;
        uint32_t bits;
      } p = {exponential(scores[i] - largest)};
      p.bits = (p.bits + 0x7FFF + (p.bits >> 16 & 1)) & 0xFFFF0000;
      out[i] = (uint16_t)(p.bits >> 16);
      total += p.value;
    }
    for (size_t k = 0; k < LANES; k++) total += sums[k];
    // A NaN comes from operands in bf16, so the low half of its payload is empty and rounding leaves it a NaN.
    inverse_sums[r] = (float)(1.0 / total);
  }
}

BEST void bb_round_columns(const float *x, size_t stride, float factor, uint16_t *out, size_t rows, size_t width) {
  for (size_t r = 0; r < rows; r++, x += stride, out += width)
    for (size_t i = 0; i < width; i++) out[i] = bfloat16(x[i] * factor);
}

BEST void bb_scale_rows(float *x, size_t stride, const float *factors, size_t rows, size_t width) {
  for (size_t r = 0; r < rows; r++, x += stride)
    for (size_t i = 0; i < width; i++) x[i] *= factors[r];
}

// Of some channels, which the compiler should know to be as many as a vector has: copies in local arrays alias nothing.
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

BEST void bb_deal_two(const float *x, float *restrict out, float *restrict other, size_t count) {
  for (size_t i = 0; i < count; i++) {
    out[i] = x[2 * i];
    other[i] = x[2 * i + 1];
  }
}

BEST void bb_deal_four(const float *x, float *restrict out, float *restrict other, size_t count) {
  for (size_t i = 0; i < count; i++) {
    out[i] = x[4 * i];
    out[count + i] = x[4 * i + 1];
    other[i] = x[4 * i + 2];
    other[count + i] = x[4 * i + 3];
  }
}
