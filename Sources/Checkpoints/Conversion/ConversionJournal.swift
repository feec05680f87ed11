import Files
import Foundation
import JSON
import Tensors

/// The record of a conversion in progress, with which a later run goes on where a killed one ended.
///
/// A text file in the staging folder: a line names the fingerprint of the conversion, and every further one a tensor that
/// was written, a type that was decided, or a source file that was hashed, each after the start of its own SHA-256. A torn
/// last line is dropped. Lines are not synced: the bytes of a tensor count only if their hash still is the recorded one.
final class ConversionJournal {
  /// What is known about one tensor.
  struct Tensor: Codable, Sendable {
    let sha256: String
    let scalesSha256: String?
    let metrics: ErrorMetrics
  }

  /// A line of the journal.
  private struct Line: Codable {
    var fingerprint: String?
    var component: String?
    var row: Int?
    var tensor: Tensor?
    var type: WeightType?
    var reason: String?
    var sourceFile: Int?
    var sha256: String?
  }

  /// What is known about one component.
  struct Component: Sendable {
    /// The tensors that were written, by the index of their row.
    var tensors: [Int: Tensor] = [:]
    /// The types that were decided otherwise than asked for, each with its reason.
    var types: [Int: (type: WeightType, reason: String)] = [:]
    /// The SHA-256 of the source files that were read to their end, by their index.
    var hashes: [Int: String] = [:]
  }

  static let fileName = "journal"
  private static let checksumLength = 16
  /// That of the largest released model takes 2 MB.
  private static let maximumLength = 16_000_000

  private let file: OutputFile
  private var position: Int
  private var components: [String: Component] = [:]

  /// Opens the journal of a conversion in its staging folder, or begins one.
  init(in folder: String, fingerprint: String) throws {
    let path = folder + "/" + Self.fileName
    let lines = Self.matches(folder, fingerprint: fingerprint) ? Self.lines(path) : []
    position = lines.last?.end ?? 0
    file = try OutputFile(resuming: path, size: position)
    for (line, _) in lines { take(line) }
    if position == 0 { try append(Line(fingerprint: fingerprint)) }
  }

  /// Whether there is anything that a later run could go on with.
  var isEmpty: Bool { components.isEmpty }

  /// Returns what is known about a component.
  func component(_ name: String) -> Component { components[name] ?? Component() }

  /// Returns whether a folder holds the journal of the same conversion.
  static func matches(_ folder: String, fingerprint: String) -> Bool {
    lines(folder + "/" + fileName).first?.line.fingerprint == fingerprint
  }

  /// Records a tensor that was written.
  func record(_ tensor: Tensor, row: Int, of component: String) throws {
    try append(Line(component: component, row: row, tensor: tensor))
  }

  /// Records a type that was decided.
  func record(_ type: WeightType, reason: String, row: Int, of component: String) throws {
    try append(Line(component: component, row: row, type: type, reason: reason))
  }

  /// Records the hash of a source file.
  func record(hash: String, sourceFile: Int, of component: String) throws {
    try append(Line(component: component, sourceFile: sourceFile, sha256: hash))
  }

  private func take(_ line: Line) {
    guard let component = line.component else { return }
    if let row = line.row {
      components[component, default: Component()].tensors[row] = line.tensor
      if let type = line.type, let reason = line.reason {
        components[component, default: Component()].types[row] = (type, reason)
      }
    }
    if let index = line.sourceFile, let hash = line.sha256 {
      components[component, default: Component()].hashes[index] = hash
    }
  }

  private func append(_ line: Line) throws {
    let text = try JSONValue(encoding: line).canonicalText
    let bytes = Array("\(Self.checksum(Array(text.utf8))) \(text)\n".utf8)
    try bytes.withUnsafeBytes { try file.write($0, at: position) }
    position += bytes.count
    take(line)
  }

  private static func checksum(_ text: [UInt8]) -> String {
    String(Digest.sha256(text).prefix(checksumLength))
  }

  /// Returns the sound lines up to the first that is not, each with the offset of its end; none of a file that is not
  /// readable or too long.
  private static func lines(_ path: String) -> [(line: Line, end: Int)] {
    guard let bytes = try? InputFile.contents(of: path, limit: maximumLength) else { return [] }
    var lines: [(Line, Int)] = []
    var start = 0
    while let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) {
      let text = Array(bytes[start..<end].dropFirst(checksumLength + 1))
      guard bytes[start..<end].starts(with: checksum(text).utf8),
        let line = try? JSONValue(parsing: text).decoded(as: Line.self)
      else { break }
      start = end + 1
      lines.append((line, start))
    }
    return lines
  }
}
