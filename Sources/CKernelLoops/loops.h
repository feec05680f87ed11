#pragma once
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "CKernelLoops.h"

// Compiled for several instruction sets; the loader chooses.
#ifdef BEST
// Chosen by whoever compiles it.
#elif defined(__x86_64__) && defined(__linux__)
#define BEST __attribute__((target_clones("avx512f", "arch=x86-64-v3", "default")))
#else
#define BEST
#endif

// Sixteen partial sums let the compiler use vectors without being allowed to reorder a sum.
#define LANES 16

// 1.5·2^23: adding it to a float rounds that to an integer, which is in the low bits of the sum.
#define ROUND_TO_INTEGER 12582912.0f

// exp(x) as 2^n·exp(r) with |r| ≤ ln(2)/2 and a polynomial for exp(r); no branch, so that it vectorises.
static inline __attribute__((always_inline)) float exponential(float x) {
  x = x < -87.0f ? -87.0f : x;
  x = x > 88.0f ? 88.0f : x;
  float shifted = x * 1.44269504088896341f + ROUND_TO_INTEGER;
  float n = shifted - ROUND_TO_INTEGER;
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

static inline __attribute__((always_inline)) float from_bits(uint32_t bits) {
  union {
    uint32_t bits;
    float value;
  } pattern = {bits};
  return pattern.value;
}

// The bits of a float after rounding to bfloat16, ties to even, in the upper half; not for NaN.
static inline __attribute__((always_inline)) uint32_t nearest_bfloat16(uint32_t bits) {
  return bits + 0x7FFF + (bits >> 16 & 1);
}

static inline __attribute__((always_inline)) uint16_t bfloat16(float x) {
  union {
    float value;
    uint32_t bits;
  } pattern = {x};
  uint32_t rounded = nearest_bfloat16(pattern.bits) >> 16;
  uint32_t quiet = pattern.bits >> 16 | 0x40;
  return (uint16_t)((pattern.bits & 0x7FFFFFFF) > 0x7F800000 ? quiet : rounded);
}

// The sum of the lanes. Four at a time: a tree to the end would make the compiler undo the lanes before it.
static inline __attribute__((always_inline)) float lane_sum(const float *lanes) {
  float few[4], sum = 0;
  for (size_t k = 0; k < 4; k++) few[k] = (lanes[k] + lanes[k + 4]) + (lanes[k + 8] + lanes[k + 12]);
  for (size_t k = 0; k < 4; k++) sum += few[k];
  return sum;
}

// Puts the second half of 256 elements between those of the first.
static inline __attribute__((always_inline)) void interleave_halves(const uint32_t *x, uint32_t *out) {
  for (size_t i = 0; i < 128; i++) {
    out[2 * i] = x[i];
    out[2 * i + 1] = x[i + 128];
  }
}

// Transposes 16 × 16 elements: each interleaving rotates the eight bits of an element's place, so four exchange its row
// and its column.
static inline __attribute__((always_inline)) void transpose(uint32_t *x) {
  uint32_t other[256];
  interleave_halves(x, other);
  interleave_halves(other, x);
  interleave_halves(x, other);
  interleave_halves(other, x);
}
