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
