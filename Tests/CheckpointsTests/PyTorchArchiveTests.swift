import Files
import Foundation
import Tensors
import TestSupport
import Testing

@testable import Checkpoints

/// Archives that PyTorch wrote, and archives that nobody should open.
struct PyTorchArchiveTests {
  private static let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("Fixtures/pytorch").path
  private let folder: TestFolder

  init() throws {
    folder = try TestFolder()
  }

  private func open(_ bytes: [UInt8]) throws -> WeightFiles {
    try WeightFiles.open(InputFile(path: try folder.write(bytes, "model.bin")))
  }

  private static func bytes(_ tensor: TensorDescriptor) throws -> [UInt8] {
    var chunks = try TensorChunks(tensor)
    var bytes: [UInt8] = []
    while let chunk = try chunks.next() { bytes += chunk }
    return bytes
  }

  /// The twins were written by `safetensors.torch.save_file` from what `torch.load` gave, made contiguous.
  @Test(arguments: [
    "types", "views", "protocol2", "protocol3", "protocol4", "protocol5", "state_dict", "model", "module",
    "parameter", "nested", "float8",
  ])
  func readsWhatTorchLoadReads(name: String) throws {
    let archive = try PyTorchArchive.open(InputFile(path: "\(Self.fixtures)/\(name).bin")).choosing(nil)
    let twin = try Safetensors.open(InputFile(path: "\(Self.fixtures)/\(name).safetensors"))
    #expect(archive.tensors.map(\.name) == twin.tensors.map(\.name))
    for (tensor, expected) in zip(archive.tensors, twin.tensors) {
      #expect(tensor.type == expected.type && tensor.shape == expected.shape, "\(tensor.name)")
      #expect(try Self.bytes(tensor) == Self.bytes(expected), "\(tensor.name)")
    }
  }

  @Test(arguments: [
    ("legacy", "bare pickle"), ("complex", "ComplexFloatStorage"),
    ("float8-storage", "another"), ("uint16", "torch.uint16"), ("whole-module", "Sequential"),
    ("script", "compressed"),
    ("number", "no tensor"), ("list", "no dictionary"), ("bomb", "expanded"), ("sparse", "_sparse_"),
    ("big-endian", "little"),
  ])
  func saysWhyItRefuses(name: String, reason: String) throws {
    let error = try #require(throws: BenbenError.self) {
      try WeightFiles.open(InputFile(path: "\(Self.fixtures)/\(name).bin"))
    }
    #expect(error.description.contains(reason) && error.kind == .malformed, "\(error)")
  }

  /// EMA beside the weights, as training code saves both: which is taken is said.
  @Test func saysWhatStandsBesideTheWeights() throws {
    let weights = try WeightFiles.open(InputFile(path: "\(Self.fixtures)/nested.bin"))
    #expect(weights.absorbed.map(\.name) == ["step"])
    #expect(weights.absorbed[0].rule == "stands beside \"module\", whose tensors are taken")
    let model = weights.choosing(.model)
    #expect(model.absorbed.map(\.name) == ["step", "ema.a.bias", "ema.a.weight"] && !model.isAverage)
    #expect(model.absorbed[1].rule == "the moving average; the weights themselves are taken")
    let average = weights.choosing(.ema)
    #expect(average.tensors.map(\.name) == ["a.bias", "a.weight"] && average.isAverage)
    #expect(average.absorbed.map(\.name) == ["step", "a.bias", "a.weight"])
    for (one, other) in zip(model.tensors, average.tensors) {
      #expect(try one.shape == other.shape && Self.bytes(one) != Self.bytes(other))
    }
  }

  @Test func readsNestedDictionaries() throws {
    func nested(_ keys: [String], _ name: String) -> [UInt8] {
      let inner = [0x7D] + Pickle.text(name) + Pickle.tensor() + [0x73]
      return keys.reversed().reduce(inner) { [0x7D] + Pickle.text($1) + $0 + [0x73] }
    }
    for (keys, expected) in [
      (["state_dict", "module"], "w"), (["model", "state_dict", "module"], "w"),
      (["ema", "module"], "ema.w"),
    ] {
      let bytes = ZipBuilder(pickle: Pickle.file(nested(keys, "w"))).bytes
      #expect(try open(bytes).tensors.map(\.name) == [expected], "\(keys)")
    }
    // A count of steps that is a tensor stands beside the weights as one that is a number does.
    func entry(_ name: String, _ value: [UInt8]) -> [UInt8] { Pickle.text(name) + value + [0x73] }
    let weights: [UInt8] = [0x7D] + ["w", "x", "y"].flatMap { entry($0, Pickle.tensor()) }
    for (key, names) in [("model", ["w", "x", "y"]), ("ema", ["ema.w", "ema.x", "ema.y"])] {
      let pickle = Pickle.file([0x7D] + entry(key, weights) + entry("step", Pickle.tensor()))
      let opened = try open(ZipBuilder(pickle: pickle).bytes)
      #expect(opened.tensors.map(\.name) == names && opened.absorbed.map(\.name) == ["step"], "\(key)")
    }
    // Weights of the top are not given up for an average, or for a count, that is nested beside them.
    let own: [UInt8] = [0x7D] + ["s", "t", "u"].flatMap { entry($0, Pickle.tensor()) }
    let both = try open(ZipBuilder(pickle: Pickle.file(own + entry("ema", weights))).bytes)
    #expect(both.tensors.map(\.name) == ["ema.w", "ema.x", "ema.y", "s", "t", "u"] && both.absorbed.isEmpty)
    let counted: [UInt8] = own + entry("model", [0x7D] + entry("step", Pickle.tensor()))
    let alone = try open(ZipBuilder(pickle: Pickle.file(counted)).bytes)
    #expect(alone.tensors.map(\.name) == ["s", "t", "u"] && alone.absorbed.map(\.name) == ["model"])
    let extra: [UInt8] = [0x7D] + entry("module", weights) + entry("extra", Pickle.tensor())
    let opened = try open(ZipBuilder(pickle: Pickle.file([0x7D] + entry("model", extra))).bytes)
    #expect(opened.tensors.map(\.name) == ["w", "x", "y"] && opened.absorbed.map(\.name) == ["extra"])
    let deep = ZipBuilder(pickle: Pickle.file(nested(.init(repeating: "model", count: 6), "w"))).bytes
    #expect(throws: BenbenError.self) { try open(deep) }
  }

  @Test func readsWhatTheBuilderWrites() throws {
    let tensors = try open(ZipBuilder(pickle: Pickle.stateDictionary()).bytes).tensors
    #expect(tensors.map(\.name) == ["w"] && tensors[0].shape == [4] && tensors[0].strides == nil)
    var zip64 = ZipBuilder(pickle: Pickle.stateDictionary())
    zip64.isZip64 = true
    #expect(try open(zip64.bytes).tensors.count == 1)
    let view = Pickle.tensor(offset: 1, shape: [1, 3], strides: [.max, 1])
    #expect(
      try Self.bytes(open(ZipBuilder(pickle: Pickle.stateDictionary(view)).bytes).tensors[0]).count == 12)
  }

  // MARK: Zip

  private static func changed(_ change: (inout ZipBuilder) -> Void) -> [UInt8] {
    var builder = ZipBuilder(pickle: Pickle.stateDictionary())
    change(&builder)
    return builder.bytes
  }

  private static let hostileZips: [(attack: String, bytes: [UInt8], reason: String)] = [
    ("no end record", Array(changed { _ in }.dropLast(22)), "end record"),
    ("an end record inside a comment", changed { $0.comment = changed { _ in }.suffix(22) }, "end record"),
    ("a comment", changed { $0.comment = [1, 2, 3] }, "end record"),
    ("two end records", changed { $0.tail = changed { _ in }.suffix(22) }, "directory does not end"),
    ("bytes behind the end", changed { $0.tail = [0] }, "end record"),
    ("a ZIP64 locator that points elsewhere", changed { ($0.isZip64, $0.locator) = (true, 5) }, "locator"),
    ("another local name", changed { $0.entries[0].localName = "archive/evil.pkl" }, "another name"),
    ("another local size", changed { $0.entries[0].localSize = 3 }, "another size"),
    ("another local method", changed { $0.entries[0].localMethod = 8 }, "method"),
    (
      "a local extra past the end",
      {
        var bytes = changed { _ in }
        // The extra length of the last entry's local header.
        let header = bytes.lastRange(of: [0x50, 0x4B, 3, 4])
        bytes.replaceSubrange(header + 28..<header + 30, with: [0xFF, 0xFF])
        return bytes
      }(), "overlaps"
    ),
    (
      "overlapping entries",
      changed {
        $0.entries[2].centralOffset = 0
        $0.entries[2].name = "archive/data.pkl2"
      }, "overlaps"
    ),
    ("two data.pkl", changed { $0.entries[1].name = "archive/data.pkl" }, "twice"),
    ("another CRC", changed { $0.entries[2].crc = 7 }, "CRC"),
    ("an encryption flag", changed { $0.entries[0].flags = 1 }, "encrypted"),
    ("a deflated storage", changed { $0.entries[2].method = 8 }, "compressed"),
    ("2.2 GB in a small file", changed { $0.entries[2].centralSize = 2_200_000_000 }, "overlaps"),
    ("a name that climbs", changed { $0.entries[2].name = "archive/../0" }, "path"),
    ("an absolute name", changed { $0.entries[2].name = "/archive/data/0" }, "path"),
    ("a name with NUL", changed { $0.entries[2].name = "archive/data/0\0" }, "path"),
    ("a name with a backslash", changed { $0.entries[2].name = "archive\\data\\0" }, "path"),
    ("bytes before the first entry", changed { $0.head = [1, 2, 3, 4] }, "no zip"),
    ("two top folders", changed { $0.entries[1].name = "other/byteorder" }, "top folders"),
    ("big-endian", changed { $0.entries[1].data = Array("big".utf8) }, "little"),
    ("more entries counted than listed", changed { $0.count = 4 }, "cut short"),
    ("fewer entries counted than listed", changed { $0.count = 2 }, "more than"),
    ("no pickle", ZipBuilder([("archive/data/0", [1])]).bytes, "data.pkl"),
    ("no entries", ZipBuilder([(String, [UInt8])]()).bytes, "zip"),
    ("a tar archive", .init(repeating: 0x61, count: 257) + Array("ustar".utf8) + [0, 0], "tar"),
    ("a 7z archive", [0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C, 0, 4, 0, 0], "7z"),
    ("a legacy pickle", [0x80, 2, 0x8A, 10] + Array("l\u{FC}".utf8), "bare pickle"),
    ("a gzip file", [0x1F, 0x8B, 8, 0], "gzip"),
    ("an empty file", [], "empty"),
    ("a web page", Array("<!DOCTYPE html><html></html>".utf8), "web page"),
  ]

  @Test(arguments: hostileZips.map(\.attack))
  func refusesZip(attack: String) throws {
    let item = try #require(Self.hostileZips.first { $0.attack == attack })
    let error = try #require(throws: BenbenError.self) { try open(item.bytes) }
    #expect(error.description.contains(item.reason), "\(error)")
  }

  // MARK: Pickle

  private static let evil =
    Pickle.global("os", "system") + Pickle.tuple([Pickle.text("touch pwned")]) + [0x52]

  private static let hostilePickles: [(attack: String, pickle: [UInt8], reason: String)] = [
    ("os.system by GLOBAL", Pickle.file(evil), "os.system"),
    (
      "STACK_GLOBAL with a name of its own",
      Pickle.file(Pickle.text("builtins") + Pickle.text("eval") + [0x93], protocol: 4), "builtins.eval"
    ),
    ("a name below an allowed module", Pickle.file(Pickle.global("torch", "hub.load")), "torch.hub.load"),
    ("INST", Pickle.file([0x28] + Array("ios\nsystem\n".utf8)), "opcode"),
    ("OBJ", Pickle.file([0x28] + Pickle.orderedDictionary + [0x6F]), "opcode"),
    ("EXT1", Pickle.file([0x82, 1]), "opcode"),
    (
      "REDUCE of a storage type", Pickle.file(Pickle.global("torch", "FloatStorage") + [0x29, 0x52]),
      "storage"
    ),
    ("REDUCE of a text", Pickle.file(Pickle.text("x") + [0x29, 0x52]), "calls"),
    (
      "bytearray(2^40)",
      Pickle.file(
        Pickle.global("builtins", "bytearray") + Pickle.tuple([Pickle.integer(1 << 40)]) + [0x52]),
      "bytearray"
    ),
    ("BUILD on a text", Pickle.file(Pickle.text("x") + [0x7D, 0x62]), "state"),
    ("BUILD on a tensor", Pickle.stateDictionary(Pickle.tensor() + [0x7D, 0x62]), "state"),
    (
      "SETITEM on a list", Pickle.file([0x5D] + Pickle.text("a") + Pickle.text("b") + [0x73]), "no dictionary"
    ),
    ("NEWOBJ", Pickle.file(Pickle.global("collections", "OrderedDict") + [0x29, 0x81]), "opcode"),
    (
      "another persistent id", Pickle.stateDictionary(Pickle.tensor(Pickle.storage(mark: "module"))),
      "persistent"
    ),
    ("a text as persistent id", Pickle.file(Pickle.text("/etc/passwd") + [0x51]), "persistent"),
    (
      "more elements than the record", Pickle.stateDictionary(Pickle.tensor(Pickle.storage(count: 5))),
      "record"
    ),
    (
      "an overflowing number of elements",
      Pickle.stateDictionary(Pickle.tensor(Pickle.storage(count: .max))), "record"
    ),
    (
      "offset and stride outside", Pickle.stateDictionary(Pickle.tensor(offset: 1, shape: [2], strides: [3])),
      "outside"
    ),
    ("a negative stride", Pickle.stateDictionary(Pickle.tensor(strides: [-1])), "negative"),
    ("a negative offset", Pickle.stateDictionary(Pickle.tensor(offset: -1)), "negative"),
    ("an overflowing stride", Pickle.stateDictionary(Pickle.tensor(strides: [.max])), "outside"),
    (
      "an overflowing shape",
      Pickle.stateDictionary(Pickle.tensor(shape: [1 << 40, 1 << 40], strides: [0, 0])),
      "too large"
    ),
    ("a negative shape", Pickle.stateDictionary(Pickle.tensor(shape: [-4])), "negative"),
    (
      "2^40 elements by stride 0", Pickle.stateDictionary(Pickle.tensor(shape: [1 << 40], strides: [0])),
      "expanded"
    ),
    (
      "more strides than dimensions", Pickle.stateDictionary(Pickle.tensor(shape: [4], strides: [1, 1])),
      "strides"
    ),
    (
      "rank 10,000",
      Pickle.stateDictionary(
        Pickle.tensor(
          shape: .init(repeating: 1, count: 10000), strides: .init(repeating: 1, count: 10000))), "10000"
    ),
    ("a memo miss", Pickle.file([0x68, 9]), "remembered"),
    ("an empty stack", Pickle.file([0x30]), "stack"),
    ("no mark", Pickle.file([0x74]), "mark"),
    ("a pop through a mark", Pickle.file([0x7D, 0x28, 0x30]), "stack"),
    ("no STOP", Array(Pickle.stateDictionary().dropLast()), "no end"),
    ("bytes after STOP", Pickle.stateDictionary() + [0], "follow"),
    ("a huge LONG", Pickle.file([0x8B, 0xFF, 0xFF, 0xFF, 0x7F]), "integer of"),
    ("a negative LONG", Pickle.file([0x8B, 0xFF, 0xFF, 0xFF, 0xFF]), "integer of"),
    ("a text longer than the file", Pickle.file([0x58, 0xFF, 0xFF, 0xFF, 0x7F]), "cut short"),
    (
      "a text of 2^63 bytes", Pickle.file([0x8D] + .init(repeating: 0xFF, count: 8), protocol: 4), "cut short"
    ),
    ("an invalid text", Pickle.file([0x8C, 1, 0xFF], protocol: 4), "UTF-8"),
    (
      "an opcode across its frame",
      [0x80, 4, 0x95] + ZipBuilder.little(2, 8) + [0x8C, 3, 0x61, 0x62, 0x63, 0x2E], "frame"
    ),
    ("a frame past the end", [0x80, 4, 0x95] + ZipBuilder.little(100, 8) + [0x7D, 0x2E], "frame"),
    (
      "billion laughs",
      Pickle.file(
        Pickle.text("lol")
          + (0..<60).flatMap { _ in [0x71, 0, 0x28, 0x68, 0, 0x68, 0, 0x74] }
      ), "values"
    ),
    ("a cycle", Pickle.file([0x5D, 0x71, 0, 0x68, 0, 0x61]), "no dictionary"),
    (
      "a dictionary that holds itself", Pickle.file([0x7D, 0x71, 0] + Pickle.text("w") + [0x68, 0, 0x73]),
      "tensor"
    ),
    (
      "100,000 tuples in each other",
      Pickle.file([0x29] + .init(repeating: 0x85, count: 100_000)), "no dictionary"
    ),
    ("a key that climbs", Pickle.stateDictionary(Pickle.tensor(Pickle.storage("../0"))), "no storage"),
    (
      "a key of the pickle itself", Pickle.stateDictionary(Pickle.tensor(Pickle.storage("/data.pkl"))),
      "no storage"
    ),
    ("protocol 0", Array("(lp0\n.".utf8), "protocol"),
    ("protocol 6", Pickle.file([0x7D], protocol: 6), "protocol"),
    ("nothing", [], "protocol"),
    (
      "one name twice",
      Pickle.file(
        [0x7D, 0x28] + Pickle.text("w") + Pickle.tensor() + Pickle.text("w") + Pickle.tensor() + [0x75]),
      "twice"
    ),
    ("a number as name", Pickle.file([0x7D] + Pickle.integer(3) + Pickle.tensor() + [0x73]), "name"),
  ]

  /// Tensors that share a storage, or expand a number, may take more than the file, and no more than a multiple of it.
  @Test func sharedTensorsHaveABudget() throws {
    func pickle(_ count: Int) -> [UInt8] {
      let tensor = Pickle.tensor(shape: [1 << 22], strides: [0])
      return Pickle.file(
        [0x7D, 0x28] + (0..<count).flatMap { Pickle.text("w\($0)") + tensor } + [0x75])
    }
    // 16 MB each, and 1 GB together.
    #expect(try open(ZipBuilder(pickle: pickle(64)).bytes).tensors.count == 64)
    let error = try #require(throws: BenbenError.self) { try open(ZipBuilder(pickle: pickle(65)).bytes) }
    #expect(error.description.contains("share"), "\(error)")
  }

  @Test(arguments: hostilePickles.map(\.attack))
  func refusesPickle(attack: String) throws {
    let item = try #require(Self.hostilePickles.first { $0.attack == attack })
    let error = try #require(throws: BenbenError.self) { try open(ZipBuilder(pickle: item.pickle).bytes) }
    #expect(error.description.contains(item.reason), "\(error)")
    #expect(folder.entries == ["model.bin"])
  }

  /// The sums over a large file end when the task does.
  @Test func readingEndsWithItsTask() async throws {
    var builder = ZipBuilder(pickle: Pickle.stateDictionary())
    builder.entries[2].data += [UInt8](repeating: 1, count: 1 << 22)
    let path = try folder.write(builder.bytes, "large.bin")
    let task = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      _ = try WeightFiles.open(InputFile(path: path))
    }
    await #expect(throws: CancellationError.self) { try await task.value }
  }

  /// One shape of 50,000 dimensions, remembered and used for ten thousand tensors: it is refused at the first.
  @Test func aRememberedShapeIsNotCopied() throws {
    let remembered: [UInt8] = [0x71, 0]
    let long = Pickle.tuple(.init(repeating: [0x4B, 1], count: 50_000)) + remembered + [0x30]
    let shape: [UInt8] = [0x68, 0]
    let tensor =
      Pickle.global("torch._utils", "_rebuild_tensor_v2")
      + Pickle.tuple([Pickle.storage(), Pickle.integer(0), shape, shape, [0x89], Pickle.orderedDictionary])
      + [0x52]
    let entries = (0..<10_000).flatMap { Pickle.text("t\($0)") + tensor }
    let bytes = ZipBuilder(pickle: Pickle.file(long + [0x7D, 0x28] + entries + [0x75])).bytes
    var error: (any Error)?
    let elapsed = ContinuousClock().measure {
      do { _ = try open(bytes) } catch let caught { error = caught }
    }
    #expect((error as? BenbenError)?.description.contains("50000") == true, "\(String(describing: error))")
    #expect(elapsed < .seconds(5))
  }

  /// Whatever a byte is changed to, the archive is read or refused.
  @Test func survivesEveryChangedByteOfAPickle() throws {
    let pickle = Pickle.stateDictionary(Pickle.tensor(offset: 1, shape: [1, 3], strides: [3, 1]))
    var refused = 0
    for index in pickle.indices {
      for value in stride(from: 0, through: 255, by: 5) {
        var changed = pickle
        changed[index] = UInt8(value)
        do {
          for tensor in try open(ZipBuilder(pickle: changed).bytes).tensors { _ = try Self.bytes(tensor) }
        } catch is BenbenError { refused += 1 }
      }
    }
    #expect(refused > 0)
  }

  @Test func survivesEveryChangedByteOfAnArchive() throws {
    let sound = ZipBuilder(pickle: Pickle.stateDictionary()).bytes
    for index in sound.indices {
      for flip in [UInt8(1), 0x80, 0xFF] {
        var changed = sound
        changed[index] ^= flip
        // Dates and versions may change; nothing else may.
        if let weights = try? open(changed) { #expect(weights.tensors.map(\.shape) == [[4]]) }
      }
      #expect(throws: BenbenError.self, "\(index)") { try open(Array(sound[..<index])) }
    }
  }
}

extension [UInt8] {
  /// Where a run of bytes starts for the last time.
  func lastRange(of run: [UInt8]) -> Int {
    indices.last { self[$0...].starts(with: run) } ?? 0
  }
}
