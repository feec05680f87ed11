#pragma once
#include <stddef.h>
#include <stdint.h>

// Vector loops that oneDNN does not have. Every function works on whole rows, touches each element a few times,
// and is compiled for several instruction sets, the best of which is chosen when the program starts.

/// out = (x − mean)·rsqrt(variance + eps)·(scale + 1) + shift, row by row; scale and shift may both be null.
void bb_layer_norm_modulate(const float *x, const float *scale, const float *shift, float *out, size_t rows,
                            size_t width, float eps);

/// out = (x − mean)·rsqrt(variance + eps)·weight + bias, row by row.
void bb_layer_norm_affine(const float *x, const float *weight, const float *bias, float *out, size_t rows,
                          size_t width, float eps);

/// out = x·rsqrt(mean(x²) + eps)·weight, row by row; out may be x.
void bb_rms_norm(const float *x, const float *weight, float *out, size_t rows, size_t width, float eps);

/// Rotates adjacent pairs of every head: x is [rows, heads·dim], cos and sin are [rows, dim/2].
void bb_rotate_pairs(float *x, const float *cosines, const float *sines, size_t rows, size_t heads, size_t dim);

/// Adds each channel's sum and sum of squares over the pixels to sum and square: x is [pixels, channels].
void bb_channel_moments(const float *x, size_t pixels, size_t channels, double *sum, double *square);

/// out = x·scale + shift with one scale and shift per channel: x is [pixels, channels].
void bb_channel_affine(const float *x, const float *scale, const float *shift, float *out, size_t pixels,
                       size_t channels);

/// out = y·σ(y) for y = x·scale + shift as in bb_channel_affine; its exponential is accurate to about one ulp.
void bb_channel_affine_silu(const float *x, const float *scale, const float *shift, float *out, size_t pixels,
                            size_t channels);

/// out += gate ⊙ x, with one gate row for all rows.
void bb_add_gated(const float *x, const float *gate, float *out, size_t rows, size_t width);

/// out = a·x + b·y.
void bb_linear_combination(const float *x, float a, const float *y, float b, float *out, size_t count);

/// Returns the bits of the largest magnitude; those of an infinity or a NaN if x contains one.
uint32_t bb_largest_magnitude(const float *x, size_t width);

/// q = 128 + x / scale rounded to the nearest integer, ties to even; the quotients must fit 8 bits.
void bb_quantize(const float *x, float inverse_scale, uint8_t *q, size_t count);

/// q = x / scale rounded as in bb_quantize, for quotients up to 127·256 + 127, stored as 256·(high − 128) + low − 128.
void bb_quantize_halves(const float *x, float inverse_scale, uint8_t *high, uint8_t *low, size_t count);

/// q = x / scale rounded to the nearest integer, ties to even; the quotients must fit 16 bits.
void bb_quantize_words(const float *x, float inverse_scale, int16_t *q, size_t count);

/// The instructions with which integers may be multiplied; the result is the same with each.
typedef enum { BB_PLAIN, BB_AVX2, BB_AVX2_VNNI, BB_AVX512_VNNI } bb_instructions;

/// The number of columns whose products with 16-bit inputs of at most 32767 are sure to have a sum that fits 32 bits.
#define BB_INTEGER_CHUNK 512

/// Weights in 8 bits, row-major or, if both extents are multiples of 64, in blocks as bb_interleave_rows makes them.
typedef struct {
  const int8_t *values;
  size_t columns;
  int is_blocked;
} bb_integer_weights;

/// sums [rows, count] = x · Wᵀ for `count` rows of the weights, starting with row `first`: exact for each chunk of
/// BB_INTEGER_CHUNK columns, whose sums are rounded to float and added in order. In blocks, first and count are multiples
/// of 16.
///
/// x is [rows, columns] in 16 bits without −32768; its rows are `stride` elements apart, which is at least the columns
/// rounded up to a multiple of four, and zeros fill them. The result is the same with all instructions.
void bb_integer_product(bb_integer_weights weights, size_t first, size_t count, const int16_t *x, size_t stride,
                        size_t rows, float *sums, size_t sums_stride, bb_instructions instructions);

/// out [rows, 64] = x · Wᵀ · row scale · column scale + bias, with exact sums: what bb_scale_sums makes of them. The rows of
/// out are `stride` elements apart; bias may be null. Other instructions than AVX2 VNNI leave it to the definition.
///
/// x is [rows, parts, columns] as bb_quantize, one part, or bb_quantize_halves, two parts, makes it, and W one block of
/// weights as bb_interleave_rows makes it, with the sum of each of its rows.
void bb_byte_product(const uint8_t *x, const float *row_scales, size_t rows, size_t parts, size_t columns,
                     const int8_t *weights, const int32_t *weight_sums, const float *column_scales, const float *bias,
                     float *out, size_t stride, bb_instructions instructions);

/// sums = sums · row scale · column scale + bias for one row; bias may be null.
void bb_scale_float_sums(float *sums, float row_scale, const float *column_scales, const float *bias, size_t width);

/// Returns whether no number of two or of four bytes has all bits of its exponent set; x need not be aligned.
int bb_is_finite16(const void *x, uint16_t exponent, size_t count);
int bb_is_finite32(const void *x, uint32_t exponent, size_t count);

/// out = the bfloat16 numbers x, which need not be aligned.
void bb_widen_bfloat16(const void *x, float *out, size_t count);

/// out += factor · x, of bfloat16 numbers x, which need not be aligned, or of float ones.
void bb_add_scaled_bfloat16(const void *x, float factor, float *out, size_t count);
void bb_add_scaled(const float *x, float factor, float *out, size_t count);

/// q = x / scale rounded to the nearest integer, ties to even, with scale = max|x| / 127, which is returned; x must be
/// finite.
float bb_quantize_weights(const float *x, size_t width, int8_t *q);

/// Sums and maxima over a row, in double precision.
typedef struct {
  double squared_error, absolute_error, largest_error, squared_reference, largest_reference;
} bb_errors;

/// Returns the errors of q · scale against x, which must be finite.
bb_errors bb_weight_errors(const int8_t *q, float scale, const float *x, size_t width);

/// Reorders rows [rows, columns] into blocks [rows / 64][columns / 4][64][4].
void bb_interleave_rows(const int8_t *q, size_t columns, size_t rows, int8_t *out);

/// Copies rows out of blocks, starting with row `first`.
void bb_deinterleave_rows(const int8_t *q, size_t columns, size_t first, size_t rows, int8_t *out);

/// sums = the sum of each row.
void bb_sum_rows(const int8_t *q, size_t rows, size_t width, int32_t *sums);

/// sums = the sum of each row of blocks of 64 rows.
void bb_sum_blocked_rows(const int8_t *q, size_t blocks, size_t width, int32_t *sums);

/// out = (sums − 128·weight sums) · row scale · column scale + bias for one row; bias may be null. If low_sums is not
/// null, it holds the sums of the low halves, and sums holds those of the high halves, which count 256 times.
void bb_scale_sums(const int32_t *sums, const int32_t *low_sums, const int32_t *weight_sums, float row_scale,
                   const float *column_scales, const float *bias, float *out, size_t width);

/// x = x·σ(factor·x).
void bb_swish(float *x, float factor, size_t count);

/// x = GELU(x), using the error function.
void bb_gelu(float *x, size_t count);

/// x = GELU(x), using the tanh approximation.
void bb_gelu_tanh(float *x, size_t count);

/// out = out ⊙ x.
void bb_multiply(const float *x, float *out, size_t count);

/// out = x rounded to bfloat16, ties to even; a NaN stays a quiet NaN.
void bb_round_bfloat16(const float *x, uint16_t *out, size_t count);

/// out = q · scale rounded to bfloat16; the products must be finite.
void bb_dequantize_bfloat16(const int8_t *q, float scale, uint16_t *out, size_t count);

/// Replaces every row by softmax(scale·row).
void bb_softmax(float *scores, float scale, size_t rows, size_t width);

/// Continues the softmax of every row with more of its scores (Milakov and Gimelshein, "Online normalizer calculation for
/// softmax"): out = 2^(x − largest) rounded to bfloat16, where `largest` is now that of all scores so far; `sums` becomes
/// the sum of all of them before rounding, and what was summed with earlier ones is to be multiplied by `factors`. Before
/// the first scores, `largest` is −∞ and `sums` 0.
void bb_continue_softmax(
    const float *scores, uint16_t *out, float *largest, float *sums, float *factors, size_t rows, size_t width);

/// x = x · the row's factor + y.
void bb_scale_and_add_rows(float *x, const float *factors, const float *y, size_t rows, size_t width);

/// out [rows, width] = factor · the first columns of x, whose rows are `stride` elements apart, rounded to bfloat16.
void bb_round_columns(const float *x, size_t stride, float factor, uint16_t *out, size_t rows, size_t width);

/// Rounds the first columns of x, whose rows are `stride` elements apart, to bfloat16 as the right factor of a product:
/// bb_block_columns as [rows, width] in blocks [width / 64][rows / 2][64][2], bb_block_transposed_columns transposed, as
/// [width, rows] in blocks [rows / 64][width / 2][64][2]. Zeros pad the factor's columns to 64 and its rows to 32.
void bb_block_columns(const float *x, size_t stride, uint16_t *out, size_t rows, size_t width);
void bb_block_transposed_columns(const float *x, size_t stride, uint16_t *out, size_t rows, size_t width);

/// Divides every row of x by its divisor, into rows that are `stride` elements apart.
void bb_divide_rows(const float *x, const float *divisors, float *out, size_t stride, size_t rows, size_t width);

/// The largest magnitude of the 16-bit numbers that bb_winograd_product multiplies, and the number of inputs whose products
/// are then sure to have a sum that fits 32 bits.
#define BB_WINOGRAD_LIMIT 4095
#define BB_WINOGRAD_CHUNK 128
/// The outputs in one panel of bb_winograd_product's right factor.
#define BB_WINOGRAD_PANEL 16

/// products [rows, outputs] = (x · W) · row scale · column scale: exact for each chunk of BB_WINOGRAD_CHUNK inputs, whose
/// scaled sums are added in order, in float.
///
/// x is [rows, inputs] and W in panels [outputs / BB_WINOGRAD_PANEL][inputs / 2][BB_WINOGRAD_PANEL][2], both with a zero where
/// the number of inputs is odd; the number of outputs is a multiple of a panel's.
void bb_winograd_product(const int16_t *x, const float *row_scales, size_t rows, const int16_t *panels,
                     const float *column_scales, size_t inputs, size_t outputs, float *products,
                     bb_instructions instructions);

/// Applies the input transform of Winograd's F(4×4, 3×3) to one tile of 6×6 pixels, each a row of channels in bfloat16, of
/// the frame a + sign·b: writes 36 rows of 16-bit numbers for bb_winograd_product that are `stride` elements apart, and their
/// scales. `scratch` takes 36 rows of the channels rounded up to a multiple of 16.
///
/// In time, the filter is F(2, 3): of four frames d it needs d₀ − d₂, d₁ + d₂, d₂ − d₁ and d₁ − d₃.
void bb_winograd_input(const void *const a[36], const void *const b[36], float sign, float *scratch, int16_t *out,
                       size_t stride, float *scales, size_t scale_stride, size_t channels);

/// Applies the weight transform to the kernels [inputs, 3, 3, 3, BB_WINOGRAD_PANEL] of one panel for one of the four frames:
/// writes its part of the right factors at 36 positions, which are `stride` elements apart, and the scales of the outputs.
/// `scratch` takes [36, inputs, BB_WINOGRAD_PANEL] numbers.
void bb_winograd_weights(const float *x, size_t inputs, size_t time, float *scratch, int16_t *out, size_t stride,
                         float *scales, size_t scale_stride);

/// The products of one tile: for each of four frames 36 rows of channels, all of them `stride` elements apart. Without
/// `has_middle`, the second and the third frame are zero, and not read.
typedef struct {
  const float *values;
  size_t stride;
  int has_middle;
} bb_tile_products;

/// Applies the output transform to a tile's products and adds a bias, writing, or adding to, the 4×4 pixels of the earlier
/// and of the later frame that are not null; null for a frame that is not wanted. The earlier one does not need the last
/// of the four frames, and the later one not the first.
void bb_winograd_output(bb_tile_products x, const float *bias, float *const *earlier, float *const *later,
                        size_t channels, int adds);

/// Transposes up to sixteen rows [rows, width] to [width, 16]; zeros stand for rows that are not there.
void bb_transpose_rows(const float *x, size_t rows, size_t width, float *out);

/// Deinterleaves x: out = its elements at even indices, other = those at odd indices.
void bb_deinterleave2(const float *x, float *out, float *other, size_t count);

/// Deinterleaves groups of four elements of x: the first two of each go to two rows of `count` in out, the last two to
/// two rows in other.
void bb_deinterleave4(const float *x, float *out, float *other, size_t count);
