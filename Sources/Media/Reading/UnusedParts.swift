import Files

/// What a picture's file holds beside the colours that are read, as its head says.
struct UnusedParts {
  /// Whether it has an alpha channel, or a colour that stands for transparency.
  private(set) var hasAlpha = false
  /// Whether it holds further pictures.
  private(set) var hasMore = false
  /// Whether the further pictures are those of an animation that is no video.
  private(set) var isAnimated = false

  /// The tag of a TIFF's samples beside its colours.
  private static let extraSamples = 338

  /// Looks at a PNG, WebP, TIFF or AVIF; nothing is found in any other file.
  init(_ path: String) {
    guard let file = try? InputFile(path: path) else { return }
    if let tiff = TIFFDirectory(file) {
      // 0 is of an unknown meaning.
      hasAlpha = tiff[Self.extraSamples] ?? 0 > 0
      hasMore = tiff.hasNext
    } else if let chunks = PictureChunks(file) {
      // The colour type of a PNG, the flags of a WebP, those of its lossless coding.
      let colours = chunks["IHDR"]?.dropFirst(9).first ?? 0
      let flags = chunks["VP8X"]?.first ?? 0
      let lossless = chunks["VP8L"]?.dropFirst(4).first ?? 0
      hasAlpha = [4, 6].contains(colours) || chunks["tRNS"] != nil || (flags | lossless) & 0x10 != 0
      let frames = chunks["acTL"]?.prefix(4).reduce(0) { $0 << 8 | Int($1) } ?? 1
      isAnimated = flags & 2 != 0 || frames > 1
      hasMore = isAnimated
    } else if let head = try? file.bytes(at: 0, count: min(file.size, PictureChunks.maximumLength)),
      head.dropFirst(4).starts(with: "ftypavi".utf8)
    {
      hasAlpha = head.withUnsafeBufferPointer { $0.firstRange(ofBytes: "auxiliary:alpha", from: 0) } != nil
    }
  }
}
