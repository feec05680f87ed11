#include "loops.h"

static inline __attribute__((always_inline)) uint32_t magnitude_bits(float x) {
  union {
    float value;
    uint32_t bits;
  } pattern = {x};
  return pattern.bits & 0x7FFFFFFF;
}

BEST uint32_t bb_largest_magnitude(const float *x, size_t width) {
  // Compared as integers, so that a NaN counts as the largest.
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

// x rounded to an integer, in the low bits of the result.
static inline __attribute__((always_inline)) uint32_t rounded_bits(float x) {
  union {
    float value;
    uint32_t bits;
  } shifted = {x + ROUND_TO_INTEGER};
  return shifted.bits;
}

BEST void bb_quantize(const float *x, float inverse_scale, uint8_t *q, size_t count) {
  for (size_t i = 0; i < count; i++) q[i] = (uint8_t)(rounded_bits(x[i] * inverse_scale) + 128);
}

BEST void bb_quantize_halves(const float *x, float inverse_scale, uint8_t *high, uint8_t *low, size_t count) {
  for (size_t i = 0; i < count; i++) {
    // Adding 128 rounds the high half to the nearest, and is also the zero point of the low half.
    uint32_t bits = rounded_bits(x[i] * inverse_scale) + 128;
    high[i] = (uint8_t)((bits >> 8) + 128);
    low[i] = (uint8_t)bits;
  }
}

BEST void bb_quantize_words(const float *x, float inverse_scale, int16_t *q, size_t count) {
  for (size_t i = 0; i < count; i++) q[i] = (int16_t)rounded_bits(x[i] * inverse_scale);
}

BEST float bb_quantize_weights(const float *x, size_t width, int8_t *q) {
// A fused multiply-add would round once where the definition rounds twice.
#pragma STDC FP_CONTRACT OFF
  float lanes[LANES] = {0}, largest = 0;
  size_t i = 0;
  for (; i + LANES <= width; i += LANES)
    for (size_t k = 0; k < LANES; k++) lanes[k] = fabsf(x[i + k]) > lanes[k] ? fabsf(x[i + k]) : lanes[k];
  for (; i < width; i++) largest = fabsf(x[i]) > largest ? fabsf(x[i]) : largest;
  for (size_t k = 0; k < LANES; k++) largest = lanes[k] > largest ? lanes[k] : largest;
  // Near the smallest f32 numbers the inverse of a scale would overflow, so there it is applied in two steps.
  float boost = largest < 0x1p-64f ? 0x1p64f : 1.0f;
  float inverse = largest == 0 ? 0.0f : 127.0f / (largest * boost);
  for (i = 0; i < width; i++) {
    union {
      float value;
      uint32_t bits;
    } shifted = {x[i] * boost * inverse + ROUND_TO_INTEGER};
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

void bb_interleave_rows(const int8_t *q, size_t columns, size_t rows, int8_t *out) {
  // Sixteen rows at a time: four columns of them fill a cache line.
  for (size_t r = 0; r < rows; r += 16)
    for (size_t i = 0; i < columns; i += 4)
      for (size_t k = 0; k < 16; k++)
        memcpy(out + r / 64 * 64 * columns + 64 * i + 4 * (r % 64 + k), q + (r + k) * columns + i, 4);
}

void bb_deinterleave_rows(const int8_t *q, size_t columns, size_t first, size_t rows, int8_t *out) {
  for (size_t r = first; r < first + rows;) {
    size_t count = 16 - r % 16 < first + rows - r ? 16 - r % 16 : first + rows - r;
    const int8_t *source = q + r / 64 * 64 * columns + 4 * (r % 64);
    for (size_t i = 0; i < columns; i += 4)
      for (size_t k = 0; k < count; k++)
        memcpy(out + (r - first + k) * columns + i, source + 64 * i + 4 * k, 4);
    r += count;
  }
}

static inline __attribute__((always_inline)) void scale_sums(
    const int32_t *sums, const int32_t *low_sums, const int32_t *weight_sums, float row_scale,
    const float *column_scales, const float *bias, float *out, size_t width) {
  for (size_t i = 0; i < width; i++) {
    float sum = (float)(sums[i] - 128 * weight_sums[i]);
    if (low_sums) sum = 256.0f * sum + (float)(low_sums[i] - 128 * weight_sums[i]);
    float scaled = sum * (row_scale * column_scales[i]);
    out[i] = bias ? scaled + bias[i] : scaled;
  }
}

// A loop for each of the cases.
BEST void bb_scale_sums(const int32_t *sums, const int32_t *low_sums, const int32_t *weight_sums, float row_scale,
                        const float *column_scales, const float *bias, float *out, size_t width) {
  if (low_sums && bias)
    scale_sums(sums, low_sums, weight_sums, row_scale, column_scales, bias, out, width);
  else if (low_sums)
    scale_sums(sums, low_sums, weight_sums, row_scale, column_scales, 0, out, width);
  else if (bias)
    scale_sums(sums, 0, weight_sums, row_scale, column_scales, bias, out, width);
  else
    scale_sums(sums, 0, weight_sums, row_scale, column_scales, 0, out, width);
}

BEST void bb_scale_float_sums(float *sums, float row_scale, const float *column_scales, const float *bias,
                              size_t width) {
  for (size_t i = 0; i < width; i++) sums[i] = sums[i] * (row_scale * column_scales[i]) + (bias ? bias[i] : 0.0f);
}

BEST void bb_dequantize_bfloat16(const int8_t *q, float scale, uint16_t *out, size_t count) {
  for (size_t i = 0; i < count; i++) {
    union {
      float value;
      uint32_t bits;
    } pattern = {(float)q[i] * scale};
    out[i] = (uint16_t)(nearest_bfloat16(pattern.bits) >> 16);
  }
}
