#include "loops.h"

// What is mapped or read from a file need not be aligned.
typedef uint16_t __attribute__((aligned(1), may_alias)) unaligned16;
typedef uint32_t __attribute__((aligned(1), may_alias)) unaligned32;

// A number is finite unless all bits of its exponent are set. No early exit, so that the loops vectorise.
BEST int bb_is_finite16(const void *x, uint16_t exponent, size_t count) {
  const unaligned16 *bits = x;
  uint16_t found = 0;
  for (size_t i = 0; i < count; i++) found |= (bits[i] & exponent) == exponent;
  return !found;
}

BEST int bb_is_finite32(const void *x, uint32_t exponent, size_t count) {
  const unaligned32 *bits = x;
  uint32_t found = 0;
  for (size_t i = 0; i < count; i++) found |= (bits[i] & exponent) == exponent;
  return !found;
}

BEST void bb_widen_bfloat16(const void *x, float *out, size_t count) {
  const unaligned16 *bits = x;
  for (size_t i = 0; i < count; i++) {
    uint32_t wide = (uint32_t)bits[i] << 16;
    memcpy(out + i, &wide, sizeof wide);
  }
}

BEST void bb_add_scaled_bfloat16(const void *x, float factor, float *restrict out, size_t count) {
  const unaligned16 *bits = x;
  for (size_t i = 0; i < count; i++) out[i] += factor * from_bits((uint32_t)bits[i] << 16);
}

BEST void bb_add_scaled(const float *restrict x, float factor, float *restrict out, size_t count) {
  for (size_t i = 0; i < count; i++) out[i] += factor * x[i];
}
