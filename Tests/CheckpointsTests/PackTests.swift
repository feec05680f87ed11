import Files
import Foundation
import JSON
import Tensors
import TestSupport
import Testing

@testable import Checkpoints

/// Models packed into one file, and out again.
struct PackTests {
  private let folder: TestFolder
  private let model: NativeModel

  init() throws {
    folder = try TestFolder()
    let shapes: [(name: String, shape: [Int])] = [("b.weight", [3, 5]), ("a", [7]), ("large", [130, 130])]
    _ = try folder.write(safetensors(shapes), "checkpoint/part/model.safetensors")
    _ = try folder.write(Array("{}".utf8), "checkpoint/part/config.json")
    let rule = try Recipe.Rule("large", type: .int8, reason: "asked for")
    let half = try Recipe.Rule("b.weight", type: .bf16, reason: "asked for")
    let request = try QuantizationOptions(type: nil, overrides: [rule, half])
    let plan = try ComponentPlan(
      try CheckpointFolder(path: folder.path + "/checkpoint").component("part"),
      declaration: ComponentDeclaration(
        weights: shapes.map { WeightDeclaration(name: $0.name, shape: $0.shape, use: .matrix) }),
      request: request)
    let auxiliary = CheckpointFolder.AuxiliaryFile(
      path: "tokenizer/vocab.json", contents: Array("{\"a\":1}".utf8))
    let conversion = Conversion(plans: [plan], auxiliary: [auxiliary], family: "miniflux", request: request)
    _ = try conversion.write(to: folder.path + "/model", mayReplace: false, version: "test") { _, _ in }
    model = try NativeModel(path: folder.path + "/model")
  }

  private func pack(_ name: String = "model.zst") throws -> [UInt8] {
    _ = try Pack.pack(model, to: folder.path + "/" + name, mayReplace: true) { _ in }
    return Array(try #require(FileManager.default.contents(atPath: folder.path + "/" + name)))
  }

  private func unpack(_ bytes: [UInt8]) throws {
    try Pack.unpack(try folder.write(bytes, "packed.zst"), to: folder.path + "/out", mayReplace: true) { _ in
    }
  }

  @Test func givesBackTheVeryFiles() throws {
    let packed = try pack()
    #expect(try pack("again.zst") == packed)
    try unpack(packed)
    expectSameFiles()
    #expect(throws: BenbenError.self) {
      try Pack.pack(model, to: folder.path + "/model.zst", mayReplace: false) { _ in }
    }
    for place in ["/dev/null", folder.path] {
      #expect(throws: BenbenError.self) { try Pack.pack(model, to: place, mayReplace: true) { _ in } }
    }
    #expect(!folder.entries.contains { $0.hasSuffix(".partial") })
  }

  private func expectSameFiles() {
    for path in ["manifest.json", "part.benben", "tokenizer/vocab.json"] {
      let (first, second) = (folder.path + "/model/" + path, folder.path + "/out/" + path)
      #expect(FileManager.default.contents(atPath: first) == FileManager.default.contents(atPath: second))
    }
  }

  @Test func everyTruncationAndEveryFlippedByteIsFound() throws {
    let packed = try pack()
    for length in stride(from: 0, to: packed.count, by: 11) {
      #expect(throws: BenbenError.self, "\(length)") { try unpack(Array(packed[..<length])) }
    }
    var harmless = 0
    for index in stride(from: 0, to: packed.count, by: 7) {
      var changed = packed
      changed[index] ^= 0x10
      do {
        try unpack(changed)
        // zstd's frame header has a bit without a meaning: then nothing is lost.
        expectSameFiles()
        harmless += 1
      } catch is BenbenError {}
    }
    #expect(harmless < 10)
  }

  private static func pack(index: String, data: [UInt8]) -> [UInt8] {
    let index = Array(index.utf8)
    let trailer =
      ZipBuilder.little(data.count, 8) + ZipBuilder.little(index.count, 8) + Digest.sha256Bytes(index)
      + Pack.magic
    let magic = ZipBuilder.little(Int(Pack.skippableMagic), 4)
    return data + magic + ZipBuilder.little(index.count, 4) + index + magic
      + ZipBuilder.little(trailer.count, 4)
      + trailer
  }

  private static func index(path: String = "manifest.json", bytes: Int, blocks: String) -> String {
    """
    {"files":[{"blocks":\(blocks),"bytes":\(bytes),"path":"\(path)","sha256":"00"}],"schema":"benben.pack/1"}
    """
  }

  @Test func refusesIndexesThatLie() throws {
    let frame = try Zstd.compress([UInt8](repeating: 0, count: 1 << 20), "test")
    let size = frame.count
    for (name, index, reason) in [
      ("a path that climbs", Self.index(path: "../x", bytes: 1, blocks: "[[1,1,\(size)]]"), "outside"),
      ("an absolute path", Self.index(path: "/x", bytes: 1, blocks: "[[1,1,\(size)]]"), "outside"),
      ("more than the frame holds", Self.index(bytes: 9, blocks: "[[9,1,\(size)]]"), "another number"),
      ("a block of 2^40 bytes", Self.index(bytes: 1 << 40, blocks: "[[1099511627776,1,\(size)]]"), "range"),
      ("a width of 3", Self.index(bytes: 9, blocks: "[[9,3,\(size)]]"), "range"),
      ("a frame past the end", Self.index(bytes: 9, blocks: "[[9,1,\(size + 1)]]"), "past"),
      ("bytes that belong to nothing", Self.index(bytes: 9, blocks: "[[9,1,1]]"), "no frame"),
      ("a wrong sum", Self.index(bytes: 10, blocks: "[[9,1,\(size)]]"), "not its 10 bytes"),
      ("a bomb", Self.index(bytes: 1 << 20, blocks: "[[1048576,1,\(size)]]"), "times its size"),
      ("another schema", "{\"schema\":\"x\",\"files\":[]}", "schema"),
    ] {
      let error = try #require(throws: BenbenError.self, "\(name)") {
        try unpack(Self.pack(index: index, data: frame))
      }
      #expect(error.description.contains(reason), "\(name): \(error)")
    }
    #expect(!folder.entries.contains("out"))
  }

  @Test(arguments: [1, 2, 4])
  func planesComeTogetherAgain(width: Int) {
    let bytes = (0..<1003).map { UInt8(truncatingIfNeeded: $0 * 37) }
    #expect(BytePlanes.join(BytePlanes.split(bytes, width: width), width: width) == bytes)
    if width == 2 { #expect(BytePlanes.split([1, 2, 3, 4, 5], width: 2) == [1, 3, 2, 4, 5]) }
  }

  @Test func exportsWhatOthersCanRead() throws {
    let collection = try WeightCollection(path: model.path)
    let plain = folder.path + "/plain.safetensors", wide = folder.path + "/wide.safetensors"
    try SafetensorsExport(collection, quantized: .scaled).write(to: plain, mayReplace: false) { _ in }
    try SafetensorsExport(collection, quantized: .dequantized).write(to: wide, mayReplace: false) { _ in }
    let exported = try WeightCollection(path: plain)
    #expect(exported.items.map(\.name) == ["a", "b.weight", "large", "large_scale"])
    #expect(exported.items.map(\.type) == ["f32", "bf16", "i8", "f32"])
    let expanded = try WeightCollection(path: wide)
    #expect(expanded.items.map(\.type) == ["f32", "bf16", "f32"])
    for (item, reference) in zip(expanded.items, collection.items) {
      #expect(item.name == reference.name)
      #expect(try WeightCollection.compare(item, reference: reference).maxAbs == 0)
    }
    let checkpoint = try WeightCollection(path: folder.path + "/checkpoint/part")
    let metrics = try WeightCollection.compare(collection.items[2], reference: checkpoint.items[2])
    #expect(metrics.sqnrDb > 40 && metrics.sqnrDb < 80 && metrics.meanAbs > 0, "\(metrics.sqnrDb)")
  }

  /// Keys as OpenSSL writes them: PKCS #8 and SubjectPublicKeyInfo of RFC 8410, whose own example the first pair is.
  private static let signing = """
    -----BEGIN PRIVATE KEY-----
    MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
    -----END PRIVATE KEY-----
    """
  private static let verifying = """
    -----BEGIN PUBLIC KEY-----
    MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
    -----END PUBLIC KEY-----
    """
  private static let another = """
    -----BEGIN PUBLIC KEY-----
    MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=
    -----END PUBLIC KEY-----
    """

  @Test func aSignatureTellsWhoPacked() throws {
    let key = try folder.write(Array(Self.signing.utf8), "key.pem")
    let known = try folder.write(Array(Self.verifying.utf8), "public.pem")
    let other = try folder.write(Array(Self.another.utf8), "other.pem")
    let plain = try pack()
    _ = try Pack.pack(model, to: folder.path + "/signed.zst", mayReplace: true, signingWith: key) { _ in }
    let signed = try #require(FileManager.default.contents(atPath: folder.path + "/signed.zst")).map { $0 }
    // The signature comes after everything else; ed25519 signs the same bytes in the same way.
    #expect(signed.starts(with: plain) && signed.count == plain.count + 80)
    func unpack(_ bytes: [UInt8], _ key: String?) throws -> Bool {
      try Pack.unpack(
        try folder.write(bytes, "packed.zst"), to: folder.path + "/out", mayReplace: true,
        verifyingWith: key
      ) { _ in }
    }
    #expect(try unpack(signed, known) && unpack(signed, nil))
    #expect(try !unpack(plain, nil))
    for (bytes, key) in [(signed, other), (plain, known), (signed, nil as String?)] {
      guard let key else { continue }
      #expect(throws: BenbenError.self) { _ = try unpack(bytes, key) }
    }
    // What is signed cannot be exchanged: neither the signature, nor what it stands for.
    for place in [signed.count - 9, signed.count - 60, plain.count - 20, 100] {
      var changed = signed
      changed[place] ^= 1
      #expect(throws: BenbenError.self, "\(place)") { _ = try unpack(changed, known) }
    }
    for (half, path) in [
      (SignatureKey.Half.signing, known), (.verifying, key), (.signing, model.path + "/manifest.json"),
    ] {
      #expect { _ = try SignatureKey(half, path: path) } throws: { "\($0)".contains("not a key") }
    }
  }

  /// A pack carries what the manifest lists, sound: no link leads out of the model, and nothing damaged is passed on.
  @Test func packsNothingDamaged() throws {
    let files = FileManager.default
    let outside = try folder.write(Array("{\"a\":2}".utf8), "outside.json")
    for path in ["tokenizer/vocab.json", "part.benben"] {
      let file = model.path + "/" + path
      let sound = Array(try #require(files.contents(atPath: file)))
      var damaged = sound
      damaged[damaged.count - 1] ^= 1
      _ = try folder.write(damaged, "model/" + path)
      #expect(throws: BenbenError.self, "\(path)") { try pack() }
      try files.removeItem(atPath: file)
      try files.createSymbolicLink(atPath: file, withDestinationPath: outside)
      #expect(throws: BenbenError.self, "\(path)") { try pack() }
      try files.removeItem(atPath: file)
      _ = try folder.write(sound, "model/" + path)
    }
    #expect(!folder.entries.contains("model.zst"))
    #expect(try pack().count > 0)
  }

  /// `smuggled` holds a file that its manifest does not list, `traversal` one whose path leaves the folder where a combining
  /// mark follows a slash.
  @Test(arguments: ["smuggled", "traversal"]) func unpacksNothingElse(name: String) throws {
    let packed = "\(Fixtures.path)/hostile-packs/\(name).zst"
    #expect(throws: BenbenError.self) {
      try Pack.unpack(packed, to: folder.path + "/deep/out", mayReplace: true) { _ in }
    }
    #expect(
      FileSystem.filesBelow(folder.path).allSatisfy { $0.hasPrefix("checkpoint/") || $0.hasPrefix("model/") })
  }

  /// Two tensors of a model that would have one name in the file.
  @Test func namesInAnExportAreDistinct() throws {
    let tensors: [(name: String, shape: [Int])] = [("a", [4, 4]), ("a_scale", [4])]
    _ = try folder.write(safetensors(tensors), "checkpoint/part/model.safetensors")
    let plan = try ComponentPlan(
      try CheckpointFolder(path: folder.path + "/checkpoint").component("part"),
      declaration: ComponentDeclaration(
        weights: tensors.map {
          WeightDeclaration(name: $0.name, shape: $0.shape, use: $0.shape.count == 2 ? .matrix : .vector)
        }),
      request: try QuantizationOptions(
        type: nil, overrides: [try Recipe.Rule("a", type: .int8, reason: "asked for")]))
    let conversion = Conversion(
      plans: [plan], auxiliary: [], family: "miniflux", request: try QuantizationOptions(type: nil))
    _ = try conversion.write(to: folder.path + "/clash", mayReplace: false, version: "test") { _, _ in }
    let collection = try WeightCollection(path: folder.path + "/clash")
    let error = try #require(throws: BenbenError.self) {
      try SafetensorsExport(collection, quantized: .scaled).write(
        to: folder.path + "/clash.safetensors", mayReplace: false
      ) { _ in }
    }
    #expect(error.description.contains("one name"), "\(error)")
  }
}
