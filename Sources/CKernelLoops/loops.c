#include "CKernelLoops.h"

#include <math.h>
#include <string.h>

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

BEST uint32_t bb_largest_magnitude(const float *x, size_t width) {
  // Compared as integers, so that a NaN is the largest of all.
  uint32_t lanes[LANES] = {0}, largest = 0;
  size_t i = 0;
  for (; i + LANES <= width; i += LANES)
    for (size_t k = 0; k < LANES; k++) {
      uint32_t bits = magnitude_bits(x[i + k]);
      lanes[k] = bits > lanes[k] ? bits : lanes[k];
    }
  for (; i < width; i++) largest = magnitude_bits(x[i]) > largest ? magnitude_bits(x[i]) : largest;
  for (size_t k = 0; k < LANES; k++) largest = lanes[k] > largest ? lanes[k] : largest;
  return largest;
}

// x rounded to an integer, as the low bits of a number.
static inline __attribute__((always_inline)) uint32_t rounded_bits(float x) {
  union {
    float value;
    uint32_t bits;
  } shifted = {x + 12582912.0f};  // 1.5·2^23: adding it rounds to an integer
  return shifted.bits;
}

BEST void bb_quantize(const float *x, float inverse_scale, uint8_t *q, size_t count) {
  for (size_t i = 0; i < count; i++) q[i] = (uint8_t)(rounded_bits(x[i] * inverse_scale) + 128);
}

BEST void bb_quantize_halves(const float *x, float inverse_scale, uint8_t *high, uint8_t *low, size_t count) {
  for (size_t i = 0; i < count; i++) {
    // 128 more: rounds the high half to the nearest, and is what stands for zero in the low one.
    uint32_t bits = rounded_bits(x[i] * inverse_scale) + 128;
    high[i] = (uint8_t)((bits >> 8) + 128);
    low[i] = (uint8_t)bits;
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

BEST void bb_sum_blocked_rows(const int8_t *q, size_t blocks, size_t width, int32_t *sums) {
  for (size_t b = 0; b < blocks; b++, sums += 64) {
    for (size_t r = 0; r < 64; r++) sums[r] = 0;
    for (size_t i = 0; i < width; i += 4, q += 256)
      for (size_t r = 0; r < 64; r++) sums[r] += q[4 * r] + q[4 * r + 1] + q[4 * r + 2] + q[4 * r + 3];
  }
}

void bb_pack_rows(const int8_t *q, size_t columns, size_t rows, int8_t *out) {
  // Sixteen rows at a time, whose four columns fill a line of the cache.
  for (size_t r = 0; r < rows; r += 16)
    for (size_t i = 0; i < columns; i += 4)
      for (size_t k = 0; k < 16; k++)
        memcpy(out + r / 64 * 64 * columns + 64 * i + 4 * (r % 64 + k), q + (r + k) * columns + i, 4);
}

void bb_unpack_rows(const int8_t *q, size_t columns, size_t first, size_t rows, int8_t *out) {
  for (size_t r = first; r < first + rows;) {
    size_t count = 16 - r % 16 < first + rows - r ? 16 - r % 16 : first + rows - r;
    const int8_t *source = q + r / 64 * 64 * columns + 4 * (r % 64);
    for (size_t i = 0; i < columns; i += 4)
      for (size_t k = 0; k < count; k++)
        memcpy(out + (r - first + k) * columns + i, source + 64 * i + 4 * k, 4);
    r += count;
  }
}

BEST void bb_scale_sums(const int32_t *sums, const int32_t *low_sums, const int32_t *weight_sums, float row_scale,
                        const float *column_scales, const float *bias, float *out, size_t width) {
  if (low_sums)
    for (size_t i = 0; i < width; i++)
      out[i] = 256.0f * (float)(sums[i] - 128 * weight_sums[i]) + (float)(low_sums[i] - 128 * weight_sums[i]);
  else
    for (size_t i = 0; i < width; i++) out[i] = (float)(sums[i] - 128 * weight_sums[i]);
  if (bias)
    for (size_t i = 0; i < width; i++) out[i] = out[i] * (row_scale * column_scales[i]) + bias[i];
  else
    for (size_t i = 0; i < width; i++) out[i] *= row_scale * column_scales[i];
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

BEST void bb_dequantize_bfloat16(const int8_t *q, float scale, uint16_t *out, size_t count) {
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

// exp(x) for x ≤ 0, precise enough to be rounded to bfloat16: 2^n·2^f with |f| ≤ ½ and a polynomial for 2^f that is off by
// less than 5e-5.
static inline __attribute__((always_inline)) uint32_t rounded_exponential(float x) {
  float y = x * 1.44269504088896341f;
  y = y < -126.0f ? -126.0f : y;
  union {
    float value;
    uint32_t bits;
  } n = {y + 12582912.0f}, p;  // 1.5·2^23: adding it rounds to an integer
  float f = y - (n.value - 12582912.0f);
  p.value = 0.00961812911f;  // ln(2)^k / k!
  p.value = p.value * f + 0.0555041087f;
  p.value = p.value * f + 0.240226507f;
  p.value = p.value * f + 0.693147181f;
  p.value = p.value * f + 1.0f;
  p.bits += n.bits << 23;
  // A NaN comes from operands in bf16, so the low half of its payload is empty and rounding leaves it a NaN.
  return (p.bits + 0x7FFF + (p.bits >> 16 & 1)) & 0xFFFF0000;
}

static inline __attribute__((always_inline)) float from_bits(uint32_t bits) {
  union {
    uint32_t bits;
    float value;
  } pattern = {bits};
  return pattern.value;
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
        uint32_t bits = rounded_exponential(scores[i + k] - largest);
        out[i + k] = (uint16_t)(bits >> 16);
        sums[k] += from_bits(bits);
      }
    for (; i < width; i++) {
      uint32_t bits = rounded_exponential(scores[i] - largest);
      out[i] = (uint16_t)(bits >> 16);
      total += from_bits(bits);
    }
    for (size_t k = 0; k < LANES; k++) total += sums[k];
    inverse_sums[r] = (float)(1.0 / total);
  }
}

BEST void bb_round_columns(const float *x, size_t stride, float factor, uint16_t *out, size_t rows, size_t width) {
  for (size_t r = 0; r < rows; r++, x += stride, out += width)
    for (size_t i = 0; i < width; i++) out[i] = bfloat16(x[i] * factor);
}

BEST void bb_block_columns(const float *x, size_t stride, uint16_t *out, size_t rows, size_t width) {
  size_t padded = (rows + 31) / 32 * 32;
  for (size_t first = 0; first < width; first += 64)
    for (size_t r = 0; r < padded; r += 2, out += 128) {
      const float *even = x + r * stride + first, *odd = even + stride;
      size_t count = width - first < 64 ? width - first : 64;
      if (r + 1 < rows && count == 64)
        for (size_t i = 0; i < 64; i++) {
          out[2 * i] = bfloat16(even[i]);
          out[2 * i + 1] = bfloat16(odd[i]);
        }
      else
        for (size_t i = 0; i < 64; i++) {
          out[2 * i] = r < rows && i < count ? bfloat16(even[i]) : 0;
          out[2 * i + 1] = r + 1 < rows && i < count ? bfloat16(odd[i]) : 0;
        }
    }
}

BEST void bb_block_turned_columns(const float *x, size_t stride, uint16_t *out, size_t rows, size_t width) {
  size_t padded = (width + 31) / 32 * 32;
  // Sixteen rows of sixteen pairs at a time, rounded row by row and written column by column.
  for (size_t first = 0; first < (rows + 63) / 64 * 64; first += 16)
    for (size_t column = 0; column < padded; column += 32) {
      uint16_t pairs[16][32] = {0};
      size_t count = width - column < 32 ? width - column : 32;
      for (size_t r = 0; r < 16 && first + r < rows; r++) {
        const float *row = x + (first + r) * stride + column;
        if (count == 32)
          for (size_t i = 0; i < 32; i++) pairs[r][i] = bfloat16(row[i]);
        else
          for (size_t i = 0; i < count; i++) pairs[r][i] = bfloat16(row[i]);
      }
      uint16_t *target = out + first / 64 * 64 * padded + column / 2 * 128 + 2 * (first % 64);
      for (size_t pair = 0; pair < 16; pair++)
        for (size_t r = 0; r < 16; r++) memcpy(target + 128 * pair + 2 * r, pairs[r] + 2 * pair, 4);
    }
}

BEST void bb_scale_rows(const float *x, const float *factors, float *out, size_t stride, size_t rows, size_t width) {
  for (size_t r = 0; r < rows; r++, x += width, out += stride)
    for (size_t i = 0; i < width; i++) out[i] = x[i] * factors[r];
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

BEST void bb_deinterleave4(const float *x, float *restrict out, float *restrict other, size_t count) {
  for (size_t i = 0; i < count; i++) {
    out[i] = x[4 * i];
    out[count + i] = x[4 * i + 1];
    other[i] = x[4 * i + 2];
    other[count + i] = x[4 * i + 3];
  }
}
