import Files
import Foundation
import FuzzTargets
import TestSupport
import Testing

/// The readers of untrusted bytes on what the fuzzer starts from, on what it found, and on changes of both.
///
/// `tools/fuzz` goes on from there for as long as it is let.
@Suite(.serialized) struct FuzzTests {
  private static let corpora = Fixtures.repository + "/Tests/FuzzTests/Corpora"

  static func corpus(_ target: FuzzTarget) throws -> [[UInt8]] {
    let folder = corpora + "/" + target.rawValue
    return try FileSystem.files(in: folder).map {
      try InputFile.contents(of: folder + "/" + $0, limit: FuzzTarget.maximumLength)
    }
  }

  @Test func everyTargetHasACorpus() {
    #expect(FileSystem.folders(in: Self.corpora) == FuzzTarget.allCases.map(\.rawValue).sorted())
  }

  /// A trace is left to the fuzzer: the library that reads it does not bear everything, and has a process of its own.
  @Test(arguments: FuzzTarget.allCases.filter { $0 != .trace })
  func answersEverything(target: FuzzTarget) throws {
    let corpus = try Self.corpus(target)
    try #require(!corpus.isEmpty)
    var generator = Generator(state: 1)
    for input in corpus {
      input.withUnsafeBytes { target.read($0) }
      for _ in 0..<500 {
        let changed = target.repaired(
          Self.changed(input, corpus.randomElement(using: &generator) ?? [], &generator))
        changed.withUnsafeBytes { target.read($0) }
      }
    }
  }

  /// Changes an input in one of the ways that files are damaged or made to do harm.
  private static func changed(_ input: [UInt8], _ other: [UInt8], _ generator: inout Generator) -> [UInt8] {
    var bytes = input
    for _ in 0..<Int.random(in: 1...4, using: &generator) where !bytes.isEmpty {
      let place = Int.random(in: bytes.indices, using: &generator)
      switch Int.random(in: 0..<6, using: &generator) {
      case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
      case 1: bytes[place] = [0, 1, 0x7F, 0x80, 0xFF].randomElement(using: &generator) ?? 0
      case 2: bytes.removeSubrange(place..<min(place + 8, bytes.count))
      case 3: bytes.insert(contentsOf: bytes[place..<min(place + 16, bytes.count)], at: place)
      case 4: bytes.removeSubrange(place...)
      default: bytes.replaceSubrange(place..., with: other.dropFirst(place))
      }
    }
    return bytes
  }

  /// The same numbers in every run (Steele, Lea and Flood, "Fast splittable pseudorandom number generators").
  private struct Generator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
      state &+= 0x9E37_79B9_7F4A_7C15
      var mixed = state
      mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
      mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
      return mixed ^ (mixed >> 31)
    }
  }
}
