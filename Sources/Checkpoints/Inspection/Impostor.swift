import Files

/// What stands under a file's name by mistake: the text of a pointer, a page, a file of another kind.
enum Impostor {
  /// What files start with, and what that makes of them.
  private static let kinds: [(start: [UInt8], what: String, why: String, remedy: String)] = [
    (
      Array("version https://git-lfs".utf8), "a Git-LFS pointer stands in place of the file",
      "only the small text file was cloned",
      "Run `git lfs pull` in the checkpoint, or download the file itself."
    ),
    (
      Array("<".utf8), "a web page was saved in place of the file", "it starts with '<'",
      "Download the file itself (the page's download link), not the page."
    ),
    (
      [0x89, 0x48, 0x44, 0x46], "not a file of weights", "it is HDF5, as golden traces are",
      "Name the weights."
    ),
    (
      NativePreamble.magic, "not a file of weights", "it is a component of a native model",
      "Give the folder of the model."
    ),
    ([0x1F, 0x8B], "not a file of weights", "it is compressed with gzip", "Unpack it first."),
    ([0x89, 0x50, 0x4E, 0x47], "not a file of weights", "it is a PNG picture", "Name the weights."),
    ([0xFF, 0xD8, 0xFF], "not a file of weights", "it is a JPEG picture", "Name the weights."),
    (
      Zstd.magic, "not a file of weights", "it is compressed with zstd, as packed models are",
      "Unpack it first. A pack that cannot be unpacked is to be downloaded again."
    ),
    (
      Array("RIFF".utf8), "not a file of weights", "it is a picture or a video (RIFF: WebP or AVI)",
      "Name the weights."
    ),
  ]

  /// Throws when a file's first bytes are those of something else than weights or their descriptions.
  static func refuse(_ file: InputFile) throws {
    try refuse(try file.bytes(at: 0, count: min(file.size, 64)), at: file.path)
  }

  /// Throws when a file that should hold weights is a text, such as what a server answers in place of it.
  static func refuseText(_ file: InputFile) throws {
    let head = try file.bytes(at: 0, count: min(file.size, 64))
    // A pickle of the oldest protocol is a text as well.
    guard head.first != UInt8(ascii: "("), head.allSatisfy({ 0x20..<0x7F ~= $0 || 9...13 ~= $0 }) else {
      return
    }
    throw malformed(
      "not a file of weights", file.path, "it is a text: \(quoted(String(decoding: head, as: UTF8.self)))",
      "Download the file itself: a server may have answered with this in its place.")
  }

  /// Throws when these are the first bytes of something else.
  static func refuse(_ head: [UInt8], at path: String) throws {
    if let kind = kinds.first(where: { head.starts(with: $0.start) }) {
      throw malformed(kind.what, path, kind.why, kind.remedy)
    }
    if head.count >= 8, head[4..<8].elementsEqual("ftyp".utf8) {
      throw malformed("not a file of weights", path, "it is a video", "Name the weights.")
    }
  }
}
