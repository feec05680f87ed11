import CFFmpeg
import Files

/// A filter that maps frames to a palette made from all of them (FFmpeg's palettegen and paletteuse).
final class PaletteFilter {
  private var graph: UnsafeMutablePointer<AVFilterGraph>?
  private var source: UnsafeMutablePointer<AVFilterContext>?
  private var sink: UnsafeMutablePointer<AVFilterContext>?
  private let path: String

  init(width: Int, height: Int, framesPerSecond: Int, _ path: String) throws {
    self.path = path
    graph = try allocated(avfilter_graph_alloc(), "create the palette filter", path)
    let size = "video_size=\(width)x\(height):pix_fmt=\(AV_PIX_FMT_RGB24.rawValue)"
    try ffmpeg(
      avfilter_graph_create_filter(
        &source, avfilter_get_by_name("buffer"), "in", size + ":time_base=1/\(framesPerSecond)", nil, graph),
      .inputOutput, "cannot create the palette filter", path)
    try ffmpeg(
      avfilter_graph_create_filter(&sink, avfilter_get_by_name("buffersink"), "out", nil, nil, graph),
      .inputOutput,
      "cannot create the palette filter", path)
    // The description's open ends: its input is fed by `source`, its output feeds `sink`.
    var outputs = avfilter_inout_alloc()
    var inputs = avfilter_inout_alloc()
    defer {
      avfilter_inout_free(&outputs)
      avfilter_inout_free(&inputs)
    }
    outputs?.pointee.name = av_strdup("in")
    outputs?.pointee.filter_ctx = source
    inputs?.pointee.name = av_strdup("out")
    inputs?.pointee.filter_ctx = sink
    let description =
      "[in]split[a][b];[a]palettegen=stats_mode=full:reserve_transparent=0[p];[b][p]paletteuse=dither=sierra2_4a[out]"
    try ffmpeg(
      avfilter_graph_parse_ptr(graph, description, &inputs, &outputs, nil), .inputOutput,
      "cannot create the palette filter", path)
    try ffmpeg(avfilter_graph_config(graph, nil), .inputOutput, "cannot create the palette filter", path)
  }

  deinit { avfilter_graph_free(&graph) }

  /// Feeds a frame, whose contents the filter takes over; nil ends the clip.
  func push(_ frame: FrameBuffer?) throws {
    try ffmpeg(
      av_buffersrc_add_frame(source, frame?.pointer), .inputOutput, "the palette filter failed", path)
  }

  /// Returns the next frame, or nil when there is none.
  func pull() throws -> FrameBuffer? {
    let frame = try FrameBuffer(path)
    let status = av_buffersink_get_frame(sink, frame.pointer)
    if status == bb_averror_eof() || status == bb_averror_eagain() { return nil }
    try ffmpeg(status, .inputOutput, "the palette filter failed", path)
    return frame
  }
}
