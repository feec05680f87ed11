#include "loops.h"

static inline __attribute__((always_inline)) float row_sum(const float *x, size_t width) {
  float lanes[LANES] = {0};
  size_t i = 0;
  for (; i + LANES <= width; i += LANES)
    for (size_t k = 0; k < LANES; k++) lanes[k] += x[i + k];
  double total = 0;
  for (; i < width; i++) total += x[i];
  return (float)(total + lane_sum(lanes));
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
  return (float)(total + lane_sum(lanes));
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
    float inverse = 1.0f / sqrtf(row_squares(x, 0.0f, width) / (float)width + eps), y[LANES];
    size_t i = 0;
    // Through an array, for x may be the output: the compiler would go number by number then.
    for (; i + LANES <= width; i += LANES) {
      for (size_t k = 0; k < LANES; k++) y[k] = x[i + k] * inverse * weight[i + k];
      memcpy(out + i, y, sizeof y);
    }
    for (; i < width; i++) out[i] = x[i] * inverse * weight[i];
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

BEST void bb_channel_affine_silu(const float *x, const float *scale, const float *shift, float *out, size_t pixels,
                                 size_t channels) {
  for (size_t p = 0; p < pixels; p++, x += channels, out += channels)
    for (size_t c = 0; c < channels; c++) {
      float y = x[c] * scale[c] + shift[c];
      out[c] = y / (1.0f + exponential(-y));
    }
}
