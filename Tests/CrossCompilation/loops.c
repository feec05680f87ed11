// Runs every loop of CKernelLoops on the same numbers and prints what it computes, so that two processors can be
// compared: "exact NAME VALUE" has to be the same on both, "close NAME VALUE" up to rounding.

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>


#include "CKernelLoops.h"

enum { ROWS = 5, WIDTH = 68, COUNT = ROWS * WIDTH, MATRIX = 64 * 128 };

static uint32_t state = 1;

static float number(void) {
  state = state * 1664525u + 1013904223u;
  return (float)((int32_t)state / 2147483648.0);
}

static float *floats(size_t count) {
  float *x = malloc(count * sizeof *x);
  for (size_t i = 0; i < count; i++) x[i] = number();
  return x;
}

static void *zeros(size_t size) { return calloc(size, 1); }

#define EXACT(name, values, count) \
  for (size_t i = 0; i < (count); i++) printf("exact %s %" PRId64 "\n", name, (int64_t)(values)[i])
#define CLOSE(name, values, count) \
  for (size_t i = 0; i < (count); i++) printf("close %s %.9g\n", name, (double)(values)[i])

// The numbers that 16-bit patterns stand for, which may differ in the last place.
static void close_bfloat16(const char *name, const uint16_t *values, size_t count) {
  for (size_t i = 0; i < count; i++) {
    union {
      uint32_t bits;
      float value;
    } pattern = {(uint32_t)values[i] << 16};
    printf("rounded %s %.9g\n", name, (double)pattern.value);
  }
}

static void norms(void) {
  float *x = floats(COUNT), *scale = floats(WIDTH), *shift = floats(WIDTH), *out = zeros(COUNT * 4);
  bb_layer_norm_modulate(x, scale, shift, out, ROWS, WIDTH, 1e-6f);
  CLOSE("layer_norm_modulate", out, COUNT);
  bb_layer_norm_affine(x, scale, shift, out, ROWS, WIDTH, 1e-6f);
  CLOSE("layer_norm_affine", out, COUNT);
  bb_rms_norm(x, scale, out, ROWS, WIDTH, 1e-6f);
  CLOSE("rms_norm", out, COUNT);
  double *sum = zeros(WIDTH * 8), *square = zeros(WIDTH * 8);
  bb_channel_moments(x, ROWS, WIDTH, sum, square);
  CLOSE("channel_moments", sum, WIDTH);
  CLOSE("channel_moments", square, WIDTH);
  bb_channel_affine(x, scale, shift, out, ROWS, WIDTH);
  CLOSE("channel_affine", out, COUNT);
  bb_channel_affine_silu(x, scale, shift, out, ROWS, WIDTH);
  CLOSE("channel_affine_silu", out, COUNT);
}

static void elementwise(void) {
  float *x = floats(COUNT), *gate = floats(WIDTH), *out = floats(COUNT), *other = floats(COUNT);
  bb_rotate_pairs(x, other, out, ROWS, 2, 34);
  CLOSE("rotate_pairs", x, COUNT);
  bb_add_gated(x, gate, out, ROWS, WIDTH);
  CLOSE("add_gated", out, COUNT);
  bb_linear_combination(x, 0.5f, other, -2, out, COUNT);
  CLOSE("linear_combination", out, COUNT);
  bb_multiply(x, out, COUNT);
  CLOSE("multiply", out, COUNT);
  bb_swish(out, 1.702f, COUNT);
  CLOSE("swish", out, COUNT);
  bb_gelu(x, COUNT);
  CLOSE("gelu", x, COUNT);
  bb_gelu_tanh(other, COUNT);
  CLOSE("gelu_tanh", other, COUNT);
  bb_deinterleave2(x, out, other, COUNT / 2);
  CLOSE("deinterleave2", other, COUNT / 2);
  bb_deinterleave4(x, out, other, COUNT / 4);
  CLOSE("deinterleave4", other, COUNT / 4);
}

static void quantization(void) {
  float *x = floats(MATRIX), *scales = floats(WIDTH), *out = zeros(MATRIX * 4);
  uint32_t largest = bb_largest_magnitude(x, COUNT);
  EXACT("largest_magnitude", &largest, 1);
  uint8_t *high = zeros(COUNT), *low = zeros(COUNT);
  bb_quantize(x, 127, high, COUNT);
  EXACT("quantize", high, COUNT);
  bb_quantize_halves(x, 32639, high, low, COUNT);
  EXACT("quantize_halves", high, COUNT);
  EXACT("quantize_halves", low, COUNT);
  int16_t *words = zeros(COUNT * 2);
  bb_quantize_words(x, 32767, words, COUNT);
  EXACT("quantize_words", words, COUNT);
  int8_t *weights = zeros(MATRIX), *blocks = zeros(MATRIX), *rows = zeros(MATRIX);
  float scale = bb_quantize_weights(x, MATRIX, weights);
  CLOSE("quantize_weights", &scale, 1);
  EXACT("quantize_weights", weights, MATRIX);
  bb_errors errors = bb_weight_errors(weights, scale, x, MATRIX);
  CLOSE("weight_errors", &errors.squared_error, 1);
  bb_interleave_rows(weights, 128, 64, blocks);
  EXACT("interleave_rows", blocks, MATRIX);
  bb_deinterleave_rows(blocks, 128, 3, 20, rows);
  EXACT("deinterleave_rows", rows, 20 * 128);
  int32_t sums[64];
  bb_sum_rows(weights, 64, 128, sums);
  EXACT("sum_rows", sums, 64);
  bb_sum_blocked_rows(blocks, 1, 128, sums);
  EXACT("sum_blocked_rows", sums, 64);
  bb_scale_sums(sums, NULL, sums, 0.5f, scales, NULL, out, 64);
  CLOSE("scale_sums", out, 64);
  uint8_t *bytes = zeros(2 * 3 * 128);
  for (int i = 0; i < 2 * 3 * 128; i++) bytes[i] = (uint8_t)(37 * i + 11);
  bb_byte_product(bytes, scales, 3, 2, 128, blocks, sums, scales, scales, out, 64, BB_PLAIN);
  CLOSE("byte_product", out, 3 * 64);
  bb_integer_weights matrix = {blocks, 128, 1};
  bb_integer_product(matrix, 0, 64, words, 128, 2, out, 64, BB_PLAIN);
  EXACT("integer_product", out, 2 * 64);
  bb_scale_float_sums(out, 1e-6f, scales, scales, 64);
  CLOSE("scale_float_sums", out, 64);
  uint16_t *rounded = zeros(MATRIX * 2);
  bb_round_bfloat16(x, rounded, COUNT);
  EXACT("round_bfloat16", rounded, COUNT);
  uint8_t found[4] = {
      bb_is_finite16(rounded, 0x7F80, COUNT), bb_is_finite16(rounded, 0x3F80, COUNT),
      bb_is_finite32((char *)x + 1, 0x7F800000, COUNT - 1), bb_is_finite32(x, 0x3F800000, COUNT)};
  EXACT("is_finite", found, 4);
  float *wide = zeros(COUNT * 4);
  bb_widen_bfloat16(rounded, wide, COUNT);
  CLOSE("widen_bfloat16", wide, COUNT);
  bb_add_scaled_bfloat16(rounded, 0.3f, wide, COUNT);
  CLOSE("add_scaled_bfloat16", wide, COUNT);
  bb_add_scaled(x, -0.7f, wide, COUNT);
  CLOSE("add_scaled", wide, COUNT);
  bb_dequantize_bfloat16(weights, scale, rounded, COUNT);
  close_bfloat16("dequantize_bfloat16", rounded, COUNT);
}

static void attention(void) {
  float *x = floats(COUNT), *out = zeros(COUNT * 4), largest[ROWS], sums[ROWS] = {0}, factors[ROWS];
  uint16_t *rounded = zeros(MATRIX * 2);
  for (int row = 0; row < ROWS; row++) largest[row] = -INFINITY;
  for (int block = 0; block < 2; block++) {
    bb_continue_softmax(x + block, rounded, largest, sums, factors, ROWS, WIDTH - 1);
    close_bfloat16("continue_softmax", rounded, ROWS * (WIDTH - 1));
    CLOSE("continue_softmax", largest, ROWS);
    CLOSE("continue_softmax", sums, ROWS);
    CLOSE("continue_softmax", factors, ROWS);
  }
  bb_round_columns(x, WIDTH, 0.5f, rounded, ROWS, 20);
  EXACT("round_columns", rounded, ROWS * 20);
  bb_block_columns(x, WIDTH, rounded, ROWS, 20);
  EXACT("block_columns", rounded, 32 * 64);
  bb_block_transposed_columns(x, WIDTH, rounded, ROWS, 20);
  EXACT("block_transposed_columns", rounded, 32 * 64);
  bb_scale_and_add_rows(out, factors, x, ROWS, WIDTH);
  CLOSE("scale_and_add_rows", out, COUNT);
  bb_divide_rows(x, sums, out, WIDTH, ROWS, WIDTH);
  CLOSE("divide_rows", out, COUNT);
  bb_softmax(x, 0.3f, ROWS, WIDTH);
  CLOSE("softmax", x, COUNT);
}

// Rounded numbers of 13 bits as parts of their largest, which may differ in the last place.
static void close_words(const char *name, const int16_t *values, size_t count) {
  for (size_t i = 0; i < count; i++) printf("word %s %.9g\n", name, values[i] / (double)BB_WINOGRAD_LIMIT);
}

static void winograd(void) {
  enum { CHANNELS = 19, INPUTS = 20, PANEL = INPUTS * BB_WINOGRAD_PANEL };
  float *x = floats(4 * 36 * CHANNELS), *kernels = floats(CHANNELS * 27 * BB_WINOGRAD_PANEL), *bias = floats(CHANNELS);
  float *scratch = zeros(36 * 32 * BB_WINOGRAD_PANEL * 4), *scales = zeros(36 * BB_WINOGRAD_PANEL * 4), *out = zeros(4096 * 4);
  float tile_scales[36], *targets[32];
  uint16_t *frame = zeros(36 * CHANNELS * 2);
  int16_t *tile = zeros(36 * INPUTS * 2), *panels = zeros(36 * PANEL * 2);
  const void *pixels[36], *others[36];
  bb_round_bfloat16(x, frame, 36 * CHANNELS);
  for (int i = 0; i < 36; i++) {
    pixels[i] = frame + i * CHANNELS;
    others[i] = frame + (35 - i) * CHANNELS;
  }
  bb_winograd_input(pixels, others, -1, scratch, tile, INPUTS, tile_scales, 1, CHANNELS);
  close_words("winograd_input", tile, 36 * INPUTS);
  CLOSE("winograd_input", tile_scales, 36);
  bb_winograd_weights(kernels, CHANNELS, 1, scratch, panels, PANEL, scales, BB_WINOGRAD_PANEL);
  close_words("winograd_weights", panels, 36 * PANEL);
  CLOSE("winograd_weights", scales, 36 * BB_WINOGRAD_PANEL);
  int16_t words[2 * 200], matrix[200 * 2 * BB_WINOGRAD_PANEL];
  for (int i = 0; i < 2 * 200; i++) words[i] = (int16_t)(number() * BB_WINOGRAD_LIMIT);
  for (int i = 0; i < 200 * 2 * BB_WINOGRAD_PANEL; i++) matrix[i] = (int16_t)(number() * BB_WINOGRAD_LIMIT);
  bb_winograd_product(words, bias, 2, matrix, scales, 200, 2 * BB_WINOGRAD_PANEL, out, BB_PLAIN);
  CLOSE("winograd_product", out, 4 * BB_WINOGRAD_PANEL);
  bb_transpose_rows(x, 7, CHANNELS, out);
  CLOSE("transpose_rows", out, 16 * CHANNELS);
  bb_tile_products products = {x, CHANNELS, 1};
  for (int i = 0; i < 32; i++) targets[i] = out + i * CHANNELS;
  bb_winograd_output(products, bias, targets, targets + 16, CHANNELS, 1);
  CLOSE("winograd_output", out, 32 * CHANNELS);
}

int main(void) {
  norms();
  elementwise();
  quantization();
  attention();
  winograd();
}
