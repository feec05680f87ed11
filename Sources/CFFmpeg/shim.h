#pragma once
#include <libavcodec/avcodec.h>
#include <libavfilter/avfilter.h>
#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>
#include <libavformat/avformat.h>
#include <libavutil/avutil.h>
#include <libavutil/crc.h>
#include <libavutil/imgutils.h>
#include <libavutil/opt.h>
#include <libswscale/swscale.h>

// Function-like macros: not imported by Swift.
static inline int bb_averror_eagain(void) { return AVERROR(EAGAIN); }
static inline int bb_averror_eof(void) { return AVERROR_EOF; }

// Whether the processor has AVX-512.
static inline int bb_has_avx512(void) {
#ifdef __x86_64__
  return __builtin_cpu_supports("avx512f");
#else
  return 0;
#endif
}

// A converter of pixels between frames of one size. FFmpeg 8 gave libswscale's context and flags other types.
typedef void *bb_scaler;

static inline bb_scaler bb_scaler_create(int width, int height, enum AVPixelFormat source, enum AVPixelFormat target,
                                         int is_accurate) {
  int flags = is_accurate ? SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT : SWS_BICUBIC;
  return sws_getContext(width, height, source, width, height, target, flags, NULL, NULL, NULL);
}

static inline void bb_scaler_free(bb_scaler scaler) { sws_freeContext((struct SwsContext *)scaler); }

// Sets the colour matrix, one of SWS_CS_*, and which sides have the full range.
static inline void bb_scaler_set_colors(bb_scaler scaler, int matrix, int source_is_full, int target_is_full) {
  const int *coefficients = sws_getCoefficients(matrix);
  sws_setColorspaceDetails((struct SwsContext *)scaler, coefficients, source_is_full, coefficients, target_is_full, 0,
                           1 << 16, 1 << 16);
}

static inline int bb_scaler_convert(bb_scaler scaler, AVFrame *target, const AVFrame *source) {
  return sws_scale_frame((struct SwsContext *)scaler, target, source);
}
