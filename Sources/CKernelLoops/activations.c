#include "loops.h"

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
