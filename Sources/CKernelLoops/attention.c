#include "loops.h"

// The bits of 2^x for x ≤ 0, precise enough to be rounded to bfloat16: 2^n·2^f with |f| ≤ ½ and the cubic whose error from
// 2^f is the least, below 8e-5.
static inline __attribute__((always_inline)) uint32_t power_of_two(float x) {
  x = x < -126.0f ? -126.0f : x;
  union {
    float value;
    uint32_t bits;
  } n = {x + ROUND_TO_INTEGER}, p;
  float f = x - (n.value - ROUND_TO_INTEGER);
  p.value = 0.0551716685f;
  p.value = p.value * f + 0.242611125f;
  p.value = p.value * f + 0.693260968f;
  p.value = p.value * f + 0.999928057f;
  return p.bits + (n.bits << 23);
}

// The nearest bfloat16, away from zero where two are as near: no tie survives the polynomial's error. Operands in bf16
// leave the low half of a NaN's payload empty, so rounding keeps it a NaN.
static inline __attribute__((always_inline)) uint16_t upper_half(uint32_t bits) {
  return (uint16_t)((bits + 0x8000) >> 16);
}

static inline __attribute__((always_inline)) float largest_value(const float *x, size_t width) {
  float lanes[LANES], largest = -INFINITY;
  for (size_t k = 0; k < LANES; k++) lanes[k] = -INFINITY;
  size_t i = 0;
  for (; i + LANES <= width; i += LANES)
    for (size_t k = 0; k < LANES; k++) lanes[k] = x[i + k] > lanes[k] ? x[i + k] : lanes[k];
  for (; i < width; i++) largest = x[i] > largest ? x[i] : largest;
  for (size_t k = 0; k < LANES; k++) largest = lanes[k] > largest ? lanes[k] : largest;
  return largest;
}

BEST void bb_softmax(float *scores, float scale, size_t rows, size_t width) {
  for (size_t r = 0; r < rows; r++, scores += width) {
    float largest = largest_value(scores, width), sums[LANES] = {0};
    double total = 0;
    size_t i = 0;
    for (; i + LANES <= width; i += LANES)
      for (size_t k = 0; k < LANES; k++) {
        scores[i + k] = exponential((scores[i + k] - largest) * scale);
        sums[k] += scores[i + k];
      }
    for (; i < width; i++) {
      scores[i] = exponential((scores[i] - largest) * scale);
      total += scores[i];
    }
    total += lane_sum(sums);
    float inverse = (float)(1.0 / total);
    for (i = 0; i < width; i++) scores[i] *= inverse;
  }
}

BEST void bb_continue_softmax(
    const float *scores, uint16_t *out, float *largest, float *sums, float *factors, size_t rows, size_t width) {
  // The largest of all rows first: a processor looks for those of several rows at once.
  for (size_t r = 0; r < rows; r++) {
    float more = largest_value(scores + r * width, width), before = largest[r];
    float most = more > before ? more : before;
    factors[r] = before == most ? 1 : before == -INFINITY ? 0 : exponential((before - most) * 0.693147181f);
    largest[r] = most;
  }
  for (size_t r = 0; r < rows; r++, scores += width, out += width) {
    float most = largest[r], lanes[LANES] = {0}, total = 0;
    size_t i = 0;
    for (; i + LANES <= width; i += LANES)
      for (size_t k = 0; k < LANES; k++) {
        uint32_t bits = power_of_two(scores[i + k] - most);
        out[i + k] = upper_half(bits);
        lanes[k] += from_bits(bits);
      }
    for (; i < width; i++) {
      uint32_t bits = power_of_two(scores[i] - most);
      out[i] = upper_half(bits);
      total += from_bits(bits);
    }
    sums[r] = sums[r] * factors[r] + (total + lane_sum(lanes));
  }
}

BEST void bb_scale_and_add_rows(float *x, const float *factors, const float *y, size_t rows, size_t width) {
  for (size_t r = 0; r < rows; r++, x += width, y += width)
    for (size_t i = 0; i < width; i++) x[i] = x[i] * factors[r] + y[i];
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

BEST void bb_block_transposed_columns(const float *x, size_t stride, uint16_t *out, size_t rows, size_t width) {
  size_t padded = (width + 31) / 32 * 32;
  // Sixteen rows of sixteen pairs at a time, rounded row by row and written column by column.
  for (size_t first = 0; first < (rows + 63) / 64 * 64; first += 16)
    for (size_t column = 0; column < padded; column += 32) {
      uint16_t rounded[512] = {0};
      uint32_t pairs[256];
      size_t count = width - column < 32 ? width - column : 32;
      for (size_t r = 0; r < 16 && first + r < rows; r++) {
        const float *row = x + (first + r) * stride + column;
        if (count == 32)
          for (size_t i = 0; i < 32; i++) rounded[32 * r + i] = bfloat16(row[i]);
        else
          for (size_t i = 0; i < count; i++) rounded[32 * r + i] = bfloat16(row[i]);
      }
      memcpy(pairs, rounded, sizeof pairs);
      transpose(pairs);
      uint16_t *target = out + first / 64 * 64 * padded + column / 2 * 128 + 2 * (first % 64);
      for (size_t pair = 0; pair < 16; pair++) memcpy(target + 128 * pair, pairs + 16 * pair, 64);
    }
}

BEST void bb_divide_rows(const float *x, const float *divisors, float *out, size_t stride, size_t rows, size_t width) {
  for (size_t r = 0; r < rows; r++, x += width, out += stride) {
    float inverse = 1 / divisors[r];
    for (size_t i = 0; i < width; i++) out[i] = x[i] * inverse;
  }
}

BEST void bb_round_bfloat16(const float *x, uint16_t *out, size_t count) {
  for (size_t i = 0; i < count; i++) out[i] = bfloat16(x[i]);
}
