import Checkpoints
import Files
import Foundation
import JSON
import Models
import Parity
import Tensors

/// A reader of untrusted bytes, to be called with any.
///
/// It may refuse them with an error; it must not trap, hang, or take memory out of proportion.
public enum FuzzTarget: String, CaseIterable, Sendable {
  case safetensors, index, pickle, gguf, native, pack, json, sentencepiece, clip, trace, report

  /// The most bytes of an input, for which readers are fast enough.
  public static let maximumLength = 1 << 16

  /// Reads bytes; an error is an answer.
  public func read(_ bytes: UnsafeRawBufferPointer) {
    do {
      try read(Array(bytes))
    } catch let error as BenbenError {
      precondition(error.kind != .internalDefect, "\(error)")
    } catch {}
  }

  private func read(_ bytes: [UInt8]) throws {
    switch self {
    case .safetensors: try Self.check(try Safetensors.open(InputFile(path: Scratch.file(bytes))))
    case .index:
      try Self.check(try ShardedIndex.open(InputFile(path: Scratch.index(bytes)), in: Scratch.checkpoint()))
    // Only what starts as such a file is read as one.
    case .gguf:
      try Self.check(
        try WeightFiles.open(InputFile(path: Scratch.file(Array("GGUF".utf8) + bytes.dropFirst(4)))))
    case .pickle: try Self.check(try PyTorchArchive.open(InputFile(path: Scratch.file(bytes))))
    case .native: _ = try NativeComponent(path: Scratch.file(bytes)).integrityIssues()
    case .pack: try Pack.unpack(Scratch.file(bytes), to: Scratch.output(), mayReplace: true) { _ in }
    case .json:
      let value = try JSONValue(parsing: bytes)
      // What was read is written so that it reads the same.
      for text in [value.canonicalText, value.prettyText] {
        guard let again = try? JSONValue(parsing: Array(text.utf8)), again == value else {
          preconditionFailure("written as \(text)")
        }
      }
    case .sentencepiece:
      let tokenizer = try T5Tokenizer(folder: "tokenizer") { $0 == "spiece.model" ? bytes : nil }
      _ = try tokenizer("a red ball \u{2581}<0x41> ﬁ ＡＢ aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")
    case .clip:
      // Vocabulary, merges and settings stand one after the other, with a NUL between.
      let parts = bytes.split(separator: 0, maxSplits: 2, omittingEmptySubsequences: false).map(Array.init)
      let names = ["vocab.json", "merges.txt", "tokenizer_config.json"]
      let tokenizer = try CLIPTokenizer(folder: "tokenizer") { name in
        names.firstIndex(of: name).flatMap { $0 < parts.count ? parts[$0] : nil }
      }
      _ = tokenizer("a red ball's ünïcode 12 <|endoftext|>")
    case .trace:
      let trace = try GoldenTrace(at: Scratch.file(bytes))
      for text in TracePath.Text.allCases {
        _ = try trace.text(text)
        _ = try trace.embedding(text)
      }
      _ = try trace.decoding()
      _ = try trace.clip()
      _ = try trace.image()
    case .report:
      let report = try SuiteReport(json: try JSONValue(parsing: bytes), path: "report.json")
      let merged = try SuiteReport(merging: [("report.json", report)])
      _ = try (merged.table, merged.json.canonicalText, JUnitReport.xml(merged))
      let parts = report.entries.compactMap { try? $0.outcome.get() }
      if !parts.isEmpty { _ = try ParityReport(merging: parts.map { ("report.json", $0) }).table }
    }
  }

  /// Throws what reading the values throws; every range must lie in its file.
  private static func check(_ weights: WeightFiles) throws {
    for tensor in weights.tensors {
      precondition(
        tensor.strides != nil
          || tensor.offset >= 0 && tensor.byteCount <= tensor.file.size - tensor.offset)
      precondition(tensor.shape.allSatisfy { $0 >= 0 })
    }
    precondition(Set(weights.tensors.map(\.name)).count == weights.tensors.count)
  }
}

/// Files in memory, which every input overwrites.
private enum Scratch {
  private static let folder: String = {
    let path = "/dev/shm/benben-fuzz-\(getpid())"
    try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    atexit { try? FileManager.default.removeItem(atPath: "/dev/shm/benben-fuzz-\(getpid())") }
    for shard in ["a", "b"] {
      let header = "{\"\(shard)\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}"
      let length = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Array($0) }
      let bytes = length + Array(header.utf8) + [0, 0, 0, 0]
      try? Data(bytes).write(to: URL(fileURLWithPath: path + "/\(shard).safetensors"))
    }
    return path
  }()

  private static let input = open(folder + "/input", O_RDWR | O_CREAT, 0o600)

  static func file(_ bytes: [UInt8]) -> String {
    write(bytes, to: input)
    return folder + "/input"
  }

  private static let indexInput = open(folder + "/model.safetensors.index.json", O_RDWR | O_CREAT, 0o600)

  static func index(_ bytes: [UInt8]) -> String {
    write(bytes, to: indexInput)
    return folder + "/model.safetensors.index.json"
  }

  static func checkpoint() throws -> CheckpointFolder { try CheckpointFolder(path: folder) }

  static func output() -> String { folder + "/model" }

  private static func write(_ bytes: [UInt8], to file: Int32) {
    let written = bytes.withUnsafeBytes { pwrite(file, $0.baseAddress, $0.count, 0) }
    precondition(written == bytes.count && ftruncate(file, off_t(bytes.count)) == 0)
  }
}
