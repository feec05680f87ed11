import Files

/// What the head of a picture's file says that its decoder does not, or not well.
enum PictureHead {
  /// The tag of a TIFF's compression, and the kinds of it that FFmpeg decodes to black.
  private static let compression = 259, jpegCompressions = [6, 7]

  /// Throws for a picture that would be decoded to something else, or only be refused in words that help nobody.
  static func requireDecodable(_ path: String) throws {
    func fault(_ why: String, _ remedy: String) -> BenbenError {
      BenbenError(.malformed, "this picture is not read", at: path, because: why, remedies: [remedy])
    }
    guard let file = try? InputFile(path: path) else { return }
    if let tiff = TIFFDirectory(file), let kind = tiff[compression], jpegCompressions.contains(kind) {
      throw fault("it is a TIFF whose picture is compressed as JPEG", "Save it as PNG or JPEG.")
    }
    guard let chunks = PictureChunks(file) else { return }
    if UnusedParts(path).isAnimated, chunks["VP8X"] != nil {
      throw fault(
        "it is an animated WebP", "Save one picture of it as PNG or JPEG, or all of them as MP4.")
    }
    if let head = chunks["IHDR"], head.count >= 8 {
      let (width, height) = (number(head[..<4]), number(head[4..<8]))
      guard width <= ClipReader.maximumPixels, height <= ClipReader.maximumPixels / max(width, 1) else {
        throw tooLarge(path, width, height)
      }
    }
  }

  /// Returns the error about a picture that has too many pixels.
  static func tooLarge(_ path: String, _ width: Int, _ height: Int) -> BenbenError {
    BenbenError(
      .malformed, "this picture is too large", at: path,
      because: "it has \(width)×\(height) pixels, of which \(ClipReader.maximumPixels) are the most",
      remedies: ["Save it smaller: it is brought to the clip's size in any case."])
  }

  private static func number(_ bytes: ArraySlice<UInt8>) -> Int { bytes.reduce(0) { $0 << 8 | Int($1) } }
}
