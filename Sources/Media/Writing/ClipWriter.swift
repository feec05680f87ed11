import CFFmpeg
import Clips
import Files
import Foundation

/// A writer of RGB clips in the format of the path's extension: `.mp4`, `.gif`, `.png`, or a folder of PNGs.
///
/// The output appears under its name only when it is complete.
public enum ClipWriter {
  /// An output format.
  public enum Format: Equatable, Sendable {
    /// H.264 in MP4, yuv420p, BT.601 limited range and tagged so.
    case mp4
    /// A GIF with a palette of 256 colours made for the clip.
    case gif
    /// One PNG image.
    case png
    /// A folder of PNGs: `frame_0000.png` and so on.
    case folder

    /// Creates the format that a path's extension names; without an extension it is a folder.
    public init?(path: String) {
      switch (path as NSString).pathExtension.lowercased() {
      case "mp4": self = .mp4
      case "gif": self = .gif
      case "png": self = .png
      case "": self = .folder
      default: return nil
      }
    }
  }

  /// The quality of H.264 encoding.
  public enum Quality: Sendable {
    /// Hard to tell from the original frames (CRF 17).
    case high
    /// The loss of the official `export_to_video`: libx264 at CRF 25, imageio's default.
    case official

    var rateFactor: String { self == .high ? "17" : "25" }
  }

  /// Writes a clip.
  ///
  /// - Parameters:
  ///   - clip: the clip.
  ///   - framesPerSecond: the speed.
  ///   - path: the file, or the folder of PNGs.
  ///   - quality: the quality of an MP4.
  ///   - comment: ASCII text that an MP4, a PNG, and the first PNG of a folder hold as their comment.
  ///   - mayReplace: whether a clip that is there is replaced.
  /// - Throws: `BenbenError` when the path has no known extension, names an image although the clip does not have
  ///   exactly one frame, or writing fails.
  public static func write(
    _ clip: Clip, framesPerSecond: Int, to path: String, quality: Quality = .high, comment: String? = nil,
    mayReplace: Bool = true
  ) throws {
    guard let format = Format(path: path) else {
      throw BenbenError(
        .usage, "unknown kind of clip", at: path, because: "use .mp4, .gif, .png, or a folder of PNGs")
    }
    if format == .png, clip.count != 1 {
      throw BenbenError(
        .usage, "a clip is no image", at: path, because: "it has \(clip.count) frames; use a folder")
    }
    try requireReplaceable(path)
    guard format != .folder else { return try writeFolder(clip, to: path, comment, mayReplace) }
    let staged = try StagedFile(destination: path, mayReplace: mayReplace, waits: true)
    let bytes =
      switch format {
      case .mp4: try mp4(clip, framesPerSecond, quality, comment, path)
      case .gif: try gif(clip, framesPerSecond, path)
      case .png, .folder: try PictureEncoder.png(clip, frame: 0, comment: comment)
      }
    try bytes.withUnsafeBytes { try staged.file.write($0, at: 0) }
    try staged.commit()
  }

  /// Writes a frame of a run that is not finished, marked as such: another preview may replace it.
  package static func writePreview(_ frame: Clip, to path: String) throws {
    try write(frame, framesPerSecond: 1, to: path, comment: previewComment)
  }

  /// What marks a preview.
  static let previewComment = "a preview of Benben's"

  /// Writes a clip as ``write(_:framesPerSecond:to:quality:comment:mayReplace:)`` does and, when its destination fails, keeps it under
  /// another name beside it or in the system's temporary folder: it took long to make.
  ///
  /// - Throws: `BenbenError`, which names the place where the clip was kept, if there is one.
  public static func writeOrKeep(
    _ clip: Clip, framesPerSecond: Int, to path: String, comment: String? = nil, mayReplace: Bool = true
  ) throws {
    do {
      try write(clip, framesPerSecond: framesPerSecond, to: path, comment: comment, mayReplace: mayReplace)
    } catch let error as BenbenError where [.cannotCreate, .inputOutput].contains(error.kind) {
      let name = FileSystem.lastComponent(path)
      let suffix = (name as NSString).pathExtension
      let other =
        (name as NSString).deletingPathExtension + "-kept-\(UUID().uuidString.prefix(8))"
        + (suffix.isEmpty ? "" : "." + suffix)
      for folder in [FileSystem.parent(of: path), NSTemporaryDirectory()] {
        let place = folder + (folder.hasSuffix("/") ? "" : "/") + other
        guard (try? write(clip, framesPerSecond: framesPerSecond, to: place, comment: comment)) != nil else {
          continue
        }
        throw BenbenError(
          error.kind, error.what, at: error.subject, because: error.why,
          remedies: ["The clip is kept as \(place)."] + error.remedies, code: error.code)
      }
      throw error
    }
  }

  private static func writeFolder(
    _ clip: Clip, to path: String, _ comment: String?, _ mayReplace: Bool
  ) throws {
    let staged = try StagedFolder(
      destination: path, mayReplace: mayReplace, waits: true, isReplaceable: holdsOnlyFrames)
    for index in 0..<clip.count {
      try staged.write(
        try PictureEncoder.png(clip, frame: index, comment: index == 0 ? comment : nil),
        to: String(format: "frame_%04d.png", index))
    }
    try staged.commit()
  }

  private static func holdsOnlyFrames(_ folder: String) -> Bool {
    FileSystem.entries(of: folder).allSatisfy { $0.hasPrefix("frame_") && $0.hasSuffix(".png") }
  }

  /// Throws unless a path is free, a file where a file is to be, or a folder that holds nothing but frames.
  private static func requireReplaceable(_ path: String) throws {
    guard FileSystem.exists(path) else { return }
    let why: String? =
      switch (Format(path: path) == .folder, FileSystem.isFolder(path)) {
      case (true, true): holdsOnlyFrames(path) ? nil : "it holds more than frames of a clip"
      case (true, false): "it is no folder"
      case (false, true): "it is a folder"
      case (false, false): nil
      }
    if let why { throw BenbenError(.cannotCreate, "the output exists", at: path, because: why) }
  }

  /// Throws unless an output can be created at the path; called before long work.
  ///
  /// - Parameters:
  ///   - path: the file, or the folder of PNGs.
  ///   - mayReplace: whether a clip may stand there already.
  public static func requireWritable(_ path: String, mayReplace: Bool = true) throws {
    try requireReplaceable(path)
    if Format(path: path) == .folder {
      _ = try StagedFolder(
        destination: path, mayReplace: mayReplace, waits: true, isReplaceable: holdsOnlyFrames)
    } else {
      _ = try StagedFile(destination: path, mayReplace: mayReplace, waits: true)
    }
  }

  /// The instruction sets that x264 may use, where that must be said.
  ///
  /// Its functions in AVX-512 (version 164) decide by memory that nobody wrote, so that a clip becomes other bytes from run
  /// to run. Those in AVX2 do not.
  private static let instructionSets =
    bb_has_avx512() != 0 ? ":asm=MMX2,SSE2,SSSE3,SSE4.2,AVX,AVX2" : ""

  private static func mp4(
    _ clip: Clip, _ rate: Int, _ quality: Quality, _ comment: String?, _ path: String
  ) throws -> [UInt8] {
    let (width, height) = (clip.width, clip.height)
    let encoder = try VideoEncoder(
      path: path,
      .init(
        container: "mp4", encoder: "libx264", width: width, height: height, framesPerSecond: rate,
        format: AV_PIX_FMT_YUV420P,
        codecOptions: [
          ("crf", quality.rateFactor), ("preset", "medium"), ("x264-params", "log=-1" + instructionSets),
        ],
        // The index stands in front, so that a player can start before it has the whole file: some 24 bytes a frame.
        containerOptions: [("moov_size", String(8192 + 40 * clip.count + (comment?.utf8.count ?? 0)))],
        comment: comment))
    let converter = try PixelConverter(
      width: width, height: height, from: AV_PIX_FMT_RGB24, to: AV_PIX_FMT_YUV420P, path)
    let rgb = try FrameBuffer(width: width, height: height, format: AV_PIX_FMT_RGB24, path)
    for index in 0..<clip.count {
      rgb.fill(clip[frame: index])
      let yuv = try FrameBuffer(width: width, height: height, format: AV_PIX_FMT_YUV420P, path)
      try converter.convert(rgb, into: yuv, path)
      yuv.pointer.pointee.pts = Int64(index)
      try encoder.encode(yuv)
    }
    return try encoder.finish()
  }

  private static func gif(_ clip: Clip, _ rate: Int, _ path: String) throws -> [UInt8] {
    let (width, height) = (clip.width, clip.height)
    let encoder = try VideoEncoder(
      path: path,
      .init(
        container: "gif", encoder: "gif", width: width, height: height, framesPerSecond: rate,
        format: AV_PIX_FMT_PAL8))
    let palette = try PaletteFilter(width: width, height: height, framesPerSecond: rate, path)
    for index in 0..<clip.count {
      let rgb = try FrameBuffer(width: width, height: height, format: AV_PIX_FMT_RGB24, path)
      rgb.fill(clip[frame: index])
      rgb.pointer.pointee.pts = Int64(index)
      try palette.push(rgb)
    }
    try palette.push(nil)
    while let frame = try palette.pull() { try encoder.encode(frame) }
    return try encoder.finish()
  }
}
