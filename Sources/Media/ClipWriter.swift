import CFFmpeg
import CLinux
import Foundation

#if canImport(Glibc)
  import Glibc
#endif

/// Writes a clip of packed RGB frames as the output's name demands: `.mp4`, `.gif`, `.png`, or a folder of PNGs.
///
/// The file appears under its name only when it is whole.
public enum ClipWriter {
  /// A kind of output.
  public enum Format: Equatable, Sendable {
    /// H.264 in MP4, yuv420p, BT.601 limited range and tagged so.
    case mp4
    /// A palette of 256 colours made for the clip.
    case gif
    /// One image.
    case png
    /// `frame_0000.png` and so on.
    case folder

    /// The format that a path asks for; without an extension it is a folder.
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

  /// How much H.264 may lose.
  public enum Quality: Sendable {
    /// Hard to tell from the frames (CRF 17).
    case high
    /// As much as the official `export_to_video` loses: libx264 at CRF 25, imageio's default.
    case official

    var rateFactor: String { self == .high ? "17" : "25" }
  }

  /// Writes all frames.
  ///
  /// - Parameters:
  ///   - frames: [frames, height, width, 3] without gaps.
  ///   - quality: of an MP4.
  /// - Throws: ``MediaError``.
  public static func write(
    _ frames: [UInt8], width: Int, height: Int, framesPerSecond: Int, to path: String,
    quality: Quality = .high
  ) throws {
    guard let format = Format(path: path) else {
      throw MediaError(
        kind: .usage, what: "unknown kind of clip", path: path,
        why: "use .mp4, .gif, .png, or a folder of PNGs")
    }
    let size = width * height * 3
    let images = stride(from: 0, to: frames.count, by: size).map { frames[$0..<$0 + size] }
    if format == .png, images.count != 1 {
      throw MediaError(
        kind: .usage, what: "a clip is no image", path: path,
        why: "it has \(images.count) frames; use a folder")
    }
    removeStalePartials(of: path)
    let partial = partialPath(of: path, process: getpid())
    defer { try? FileManager.default.removeItem(atPath: partial) }
    switch format {
    case .mp4: try writeMP4(images, width, height, framesPerSecond, quality, to: partial)
    case .gif: try writeGIF(images, width, height, framesPerSecond, to: partial)
    case .png: try writePNG(images[0], width, height, to: partial)
    case .folder:
      do {
        try FileManager.default.createDirectory(atPath: partial, withIntermediateDirectories: false)
      } catch {
        throw MediaError(
          kind: .cannotCreate, what: "cannot create", path: path, why: error.localizedDescription)
      }
      for (index, image) in images.enumerated() {
        try writePNG(image, width, height, to: partial + String(format: "/frame_%04d.png", index))
      }
    }
    try put(partial, inPlaceOf: path, format)
  }

  /// Where this process writes before it renames; of its own, so that two runs on one output never mix.
  private static func partialPath(of path: String, process: pid_t) -> String {
    let url = URL(fileURLWithPath: path)
    return url.deletingLastPathComponent().appendingPathComponent(
      ".\(url.lastPathComponent).\(process).partial"
    ).path
  }

  /// Removes what runs that were killed have left of this output.
  private static func removeStalePartials(of path: String) {
    let url = URL(fileURLWithPath: path)
    let parent = url.deletingLastPathComponent().path
    let prefix = "." + url.lastPathComponent + "."
    for entry in (try? FileManager.default.contentsOfDirectory(atPath: parent)) ?? [] {
      guard entry.hasPrefix(prefix), entry.hasSuffix(".partial"),
        let process = pid_t(entry.dropFirst(prefix.count).dropLast(".partial".count)),
        process == getpid() || kill(process, 0) != 0
      else { continue }
      try? FileManager.default.removeItem(atPath: parent + "/" + entry)
    }
  }

  /// Throws unless an output can be created there; called before long work.
  public static func requireWritable(_ path: String) throws {
    try requireReplaceable(path)
    let partial = partialPath(of: path, process: getpid())
    guard FileManager.default.createFile(atPath: partial, contents: nil) else {
      throw MediaError(
        kind: .cannotCreate, what: "cannot create", path: path, why: String(cString: strerror(errno)))
    }
    try? FileManager.default.removeItem(atPath: partial)
  }

  /// Throws unless a path is free, a file where a file is to be, or a folder that holds nothing but frames.
  private static func requireReplaceable(_ path: String) throws {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else { return }
    let why: String? =
      switch (Format(path: path) == .folder, isFolder.boolValue) {
      case (true, true):
        ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? [""]).allSatisfy {
          $0.hasPrefix("frame_") && $0.hasSuffix(".png")
        } ? nil : "it holds more than frames of a clip"
      case (true, false): "it is no folder"
      case (false, true): "it is a folder"
      case (false, false): nil
      }
    if let why { throw MediaError(kind: .cannotCreate, what: "the output exists", path: path, why: why) }
  }

  private static func sync(_ path: String) throws {
    let descriptor = open(path, O_RDONLY)
    defer { close(descriptor) }
    guard descriptor >= 0, fsync(descriptor) == 0 else {
      throw MediaError(
        kind: .inputOutput, what: "cannot sync", path: path, why: String(cString: strerror(errno)))
    }
  }

  /// Syncs and renames; a folder that is there changes places with the new one, and is removed then.
  private static func put(_ partial: String, inPlaceOf path: String, _ format: Format) throws {
    if format == .folder {
      for entry in try FileManager.default.contentsOfDirectory(atPath: partial) {
        try sync(partial + "/" + entry)
      }
    }
    try sync(partial)
    try requireReplaceable(path)
    let isReplaced = format == .folder && FileManager.default.fileExists(atPath: path)
    guard (isReplaced ? benben_exchange(partial, path) : rename(partial, path)) == 0 else {
      throw MediaError(
        kind: .cannotCreate, what: "cannot put the output in place", path: path,
        why: String(cString: strerror(errno)))
    }
    try sync(URL(fileURLWithPath: path).deletingLastPathComponent().path)
  }

  private static func writeMP4(
    _ images: [ArraySlice<UInt8>], _ width: Int, _ height: Int, _ rate: Int, _ quality: Quality,
    to path: String
  ) throws {
    let encoder = try Encoder(
      path: path,
      .init(
        container: "mp4", encoder: "libx264", width: width, height: height, framesPerSecond: rate,
        format: AV_PIX_FMT_YUV420P, codecOptions: [("crf", quality.rateFactor), ("preset", "medium")],
        containerOptions: [("movflags", "+faststart")]))
    let converter = try PixelConverter(
      width: width, height: height, from: AV_PIX_FMT_RGB24, to: AV_PIX_FMT_YUV420P, path)
    let rgb = try FrameBuffer(width: width, height: height, format: AV_PIX_FMT_RGB24, path)
    for (index, image) in images.enumerated() {
      rgb.fill(image)
      let yuv = try FrameBuffer(width: width, height: height, format: AV_PIX_FMT_YUV420P, path)
      try converter.convert(rgb, into: yuv, path)
      yuv.pointer.pointee.pts = Int64(index)
      try encoder.encode(yuv)
    }
    try encoder.finish()
  }

  private static func writePNG(
    _ image: ArraySlice<UInt8>, _ width: Int, _ height: Int, to path: String
  ) throws {
    let encoder = try Encoder(
      path: path,
      .init(
        container: "image2", encoder: "png", width: width, height: height, framesPerSecond: 1,
        format: AV_PIX_FMT_RGB24, containerOptions: [("update", "1")]))
    let rgb = try FrameBuffer(width: width, height: height, format: AV_PIX_FMT_RGB24, path)
    rgb.fill(image)
    rgb.pointer.pointee.pts = 0
    try encoder.encode(rgb)
    try encoder.finish()
  }

  private static func writeGIF(
    _ images: [ArraySlice<UInt8>], _ width: Int, _ height: Int, _ rate: Int, to path: String
  ) throws {
    let encoder = try Encoder(
      path: path,
      .init(
        container: "gif", encoder: "gif", width: width, height: height, framesPerSecond: rate,
        format: AV_PIX_FMT_PAL8))
    let palette = try PaletteFilter(width: width, height: height, framesPerSecond: rate, path)
    for (index, image) in images.enumerated() {
      let rgb = try FrameBuffer(width: width, height: height, format: AV_PIX_FMT_RGB24, path)
      rgb.fill(image)
      rgb.pointer.pointee.pts = Int64(index)
      try palette.push(rgb)
    }
    try palette.push(nil)
    while let frame = try palette.pull() { try encoder.encode(frame) }
    try encoder.finish()
  }
}
