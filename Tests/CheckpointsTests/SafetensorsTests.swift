import Files
import Foundation
import Tensors
import TestSupport
import Testing

@testable import Checkpoints

/// Named after the numbered attacks on readers of untrusted files.
struct SafetensorsTests {
  private static func tensor(
    _ shape: String, _ begin: Int, _ end: Int, dtype: String = "F32", name: String = "a"
  ) -> String {
    "\"\(name)\":{\"dtype\":\"\(dtype)\",\"shape\":\(shape),\"data_offsets\":[\(begin),\(end)]}"
  }

  static let malformed: [(attack: String, bytes: [UInt8])] = [
    ("1 empty", []),
    ("2 seven bytes", [1, 0, 0, 0, 0, 0, 0]),
    ("3 header length 0", safetensors("", length: 0)),
    ("4 length beyond the file", safetensors("{}", length: 100)),
    ("6 length 2^64-1", safetensors("{}", length: .max)),
    ("7 length 2^63", safetensors("{}", length: 1 << 63)),
    ("8 array", safetensors("[]")),
    ("8 scalar", safetensors("17")),
    ("9 invalid UTF-8", [4, 0, 0, 0, 0, 0, 0, 0, 0x7B, 0x22, 0xFF, 0x7D]),
    ("10 byte-order mark", safetensors("\u{FEFF}{}")),
    ("11 truncated", safetensors("{\"a\":{\"dtype\":")),
    ("12 garbage behind", safetensors("{}x")),
    ("13 leading space", safetensors(" {}")),
    ("14 depth", safetensors("{\"a\":" + String(repeating: "[", count: 100_000))),
    (
      "15 duplicate",
      safetensors("{\(tensor("[1]", 0, 4)),\(tensor("[1]", 4, 8))}", data: .init(repeating: 0, count: 8))
    ),
    (
      "16 duplicate by escape",
      safetensors(
        "{\(tensor("[1]", 0, 4)),\(tensor("[1]", 4, 8, name: "\\u0061"))}",
        data: .init(repeating: 0, count: 8))
    ),
    (
      "17 duplicate dtype",
      safetensors(
        "{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
        data: [0, 0, 0, 0])
    ),
    ("18 duplicate metadata", safetensors("{\"__metadata__\":{},\"__metadata__\":{}}")),
    ("19 metadata of numbers", safetensors("{\"__metadata__\":{\"a\":1}}")),
    ("20 lone surrogate", safetensors("{\(tensor("[1]", 0, 4, name: "\\ud800"))}", data: [0, 0, 0, 0])),
    ("20 NUL", safetensors("{\(tensor("[1]", 0, 4, name: "\\u0000"))}", data: [0, 0, 0, 0])),
    ("a dtype in lower case", safetensors("{\(tensor("[1]", 0, 4, dtype: "f32"))}", data: [0, 0, 0, 0])),
    ("21 unknown dtype", safetensors("{\(tensor("[1]", 0, 4, dtype: "F33"))}", data: [0, 0, 0, 0])),
    ("22 missing field", safetensors("{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", data: [0, 0, 0, 0])),
    ("23 negative dimension", safetensors("{\(tensor("[-1]", 0, 4))}", data: [0, 0, 0, 0])),
    ("24 1.0", safetensors("{\(tensor("[1.0]", 0, 4))}", data: [0, 0, 0, 0])),
    ("24 1e3", safetensors("{\(tensor("[1e0]", 0, 4))}", data: [0, 0, 0, 0])),
    ("24 2^64", safetensors("{\(tensor("[18446744073709551616]", 0, 4))}", data: [0, 0, 0, 0])),
    (
      "25 product overflows", safetensors("{\(tensor("[4294967296,4294967296]", 0, 4))}", data: [0, 0, 0, 0])
    ),
    ("26 bytes overflow", safetensors("{\(tensor("[4611686018427387904]", 0, 0))}")),
    ("27 overflow beside zero", safetensors("{\(tensor("[0,9223372036854775807,2]", 0, 0))}")),
    ("28 end before begin", safetensors("{\(tensor("[1]", 4, 0))}", data: [0, 0, 0, 0])),
    ("29 first begin", safetensors("{\(tensor("[1]", 4, 8))}", data: .init(repeating: 0, count: 8))),
    (
      "30 hole",
      safetensors(
        "{\(tensor("[1]", 0, 4)),\(tensor("[1]", 8, 12, name: "b"))}", data: .init(repeating: 0, count: 12))
    ),
    (
      "31 overlap",
      safetensors(
        "{\(tensor("[2]", 0, 8)),\(tensor("[2]", 4, 12, name: "b"))}", data: .init(repeating: 0, count: 12))
    ),
    ("32 end past the file", safetensors("{\(tensor("[2]", 0, 8))}", data: [0, 0, 0, 0])),
    ("33 trailing bytes", safetensors("{\(tensor("[1]", 0, 4))}", data: .init(repeating: 0, count: 5))),
    ("35 shape and range differ", safetensors("{\(tensor("[2]", 0, 4))}", data: [0, 0, 0, 0])),
    ("37 end overflows", safetensors("{\(tensor("[1]", 0, .max))}", data: [0, 0, 0, 0])),
    (
      "39 rank 10000",
      safetensors(
        "{\(tensor("[" + Array(repeating: "1", count: 10_000).joined(separator: ",") + "]", 0, 4))}",
        data: [0, 0, 0, 0])
    ),
    ("41 Git-LFS", Array("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n".utf8)),
    ("41 HTML", Array("<!DOCTYPE html><html></html>".utf8)),
  ]

  @Test(arguments: malformed.map(\.attack))
  func refuses(attack: String) throws {
    let folder = try TestFolder()
    let bytes = try #require(Self.malformed.first { $0.attack == attack }?.bytes)
    let path = try folder.write(bytes, "x.safetensors")
    #expect {
      try Safetensors.open(InputFile(path: path))
    } throws: { error in
      let error = error as? BenbenError
      return error?.kind == .malformed && error?.subject.contains(path) == true
    }
  }

  @Test func refusesAHugeHeaderWithoutReadingIt() throws {
    let folder = try TestFolder()
    let path = try folder.write(safetensors("", length: 200_000_000), "x.safetensors")
    truncate(path, 300_000_000)
    #expect(throws: BenbenError.self) { try Safetensors.open(InputFile(path: path)) }
  }

  @Test func readsWhatIsWellFormed() throws {
    let folder = try TestFolder()
    let path = try folder.write(
      safetensors([("b", [2, 3]), ("a", [1]), ("empty", [0, 4])]), "x.safetensors")
    let tensors = try Safetensors.open(InputFile(path: path)).tensors
    #expect(tensors.map(\.name) == ["a", "b", "empty"])
    #expect(tensors[1].shape == [2, 3] && tensors[1].type == .f32 && tensors[1].byteCount == 24)
    #expect(tensors[2].byteCount == 0)
  }

  @Test func readsEveryTruncationAsAnError() throws {
    let folder = try TestFolder()
    let whole = safetensors([("b", [2, 3]), ("a", [1])])
    for length in 0..<whole.count {
      let path = try folder.write(Array(whole.prefix(length)), "x.safetensors")
      #expect(throws: BenbenError.self, "\(length)") { try Safetensors.open(InputFile(path: path)) }
    }
  }

  /// 31: thousands of tensors on one range are refused as fast as two are.
  @Test func refusesManyTensorsOnOneRange() throws {
    let rows = (0..<20_000).map { Self.tensor("[1]", 0, 4, name: "t\($0)") }
    let path = try TestFolder.scratch(safetensors("{\(rows.joined(separator: ","))}", data: [0, 0, 0, 0]))
    let elapsed = ContinuousClock().measure {
      #expect(throws: BenbenError.self) { try Safetensors.open(InputFile(path: path.file)) }
    }
    #expect(elapsed < .seconds(5))
  }

  /// 36: numbers of less than a byte, whose total need not be whole bytes, are no types of ours.
  @Test(arguments: ["F4", "F6_E2M3", "F6_E3M2", "I4"]) func refusesTypesOfLessThanAByte(dtype: String) throws
  {
    let path = try TestFolder.scratch(
      safetensors("{\(Self.tensor("[3]", 0, 2, dtype: dtype))}", data: [0, 0]))
    #expect(throws: BenbenError.self) { try Safetensors.open(InputFile(path: path.file)) }
  }

  /// 38: values that are misaligned for their type are read.
  @Test func readsMisalignedValues() throws {
    var value = Float(1.25).bitPattern.littleEndian
    let data = [7] + withUnsafeBytes(of: &value) { Array($0) }
    let header = "{\(Self.tensor("[1]", 0, 1, dtype: "U8", name: "b")),\(Self.tensor("[1]", 1, 5))}"
    let padded = header + String(repeating: " ", count: (8 - header.utf8.count % 8) % 8)
    let path = try TestFolder.scratch(safetensors(padded, data: data))
    let tensor = try #require(
      try Safetensors.open(InputFile(path: path.file)).tensors.first { $0.name == "a" })
    #expect(!tensor.offset.isMultiple(of: 4))
    var conversion = try TensorConversion(tensor, to: .f32)
    var read: [Float] = []
    while try conversion.next({ read += $0.bindMemory(to: Float.self) }) {}
    #expect(read == [1.25])
  }

  /// 40: a tensor without values is one like any other, and many take time in proportion.
  @Test func readsManyTensorsWithoutValues() throws {
    let rows = (0..<50_000).map { Self.tensor("[0]", 0, 0, name: "t\($0)") }
    let path = try TestFolder.scratch(safetensors("{\(rows.joined(separator: ","))}"))
    let clock = ContinuousClock()
    let start = clock.now
    #expect(try Safetensors.open(InputFile(path: path.file)).tensors.count == rows.count)
    #expect(clock.now - start < .seconds(10))
  }
}

/// Indexes of sharded checkpoints.
