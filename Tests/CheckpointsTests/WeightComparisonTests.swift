import JSON
import TestSupport
import Testing

@testable import Checkpoints

struct WeightComparisonTests {
  private let folder: TestFolder

  init() throws { folder = try TestFolder() }

  private func collection(_ name: String, _ tensors: [(name: String, shape: [Int])]) throws
    -> WeightCollection
  {
    try WeightCollection(path: folder.write(safetensors(tensors), name))
  }

  @Test func equalWeightsAreEqual() throws {
    let a = try collection("a.safetensors", [("x", [2, 3]), ("y", [4])])
    let comparison = try WeightComparison(a, reference: a) { _, _, _ in }
    #expect(comparison.equal && comparison.worstSqnrDb == .infinity && comparison.tensors.count == 2)
    #expect(try JSONValue(encoding: comparison)["worstSqnrDb"] == .null)
  }

  @Test func namesWhatDiffers() throws {
    let a = try collection("a.safetensors", [("x", [2]), ("y", [4]), ("z", [1])])
    let b = try collection("b.safetensors", [("w", [2]), ("x", [2]), ("y", [5])])
    var seen: [String] = []
    let comparison = try WeightComparison(a, reference: b) { row, _, _ in seen.append(row.name) }
    #expect(seen == ["x"] && !comparison.equal)
    #expect(comparison.mismatches == ["y: 4 in A, 5 in B", "z is only in A", "w is only in B"])
    #expect(comparison.worstSqnrDb.isFinite && comparison.tensors[0].maxAbsError == 1)
  }

  /// What differs from a reference of zeros has no ratio, and is not equal to it.
  @Test func aReferenceOfZerosIsNotEqual() throws {
    let zeros = try collection("zeros.safetensors", [("x", [1])])
    let others = try collection("others.safetensors", [("w", [1]), ("x", [1])])
    let comparison = try WeightComparison(others, reference: zeros) { _, _, _ in }
    let row = try #require(comparison.tensors.first)
    #expect(row.name == "x" && row.maxAbsError == 1 && !comparison.equal)
    #expect(comparison.lines(withEqual: false)[0].contains("the reference is zero"))
  }

  /// A file is compared with the component that has its tensors in its shapes, whatever its names begin with.
  @Test func aFileIsComparedWithItsComponent() throws {
    func items(_ component: String, _ tensors: [(name: String, shape: [Int])]) throws -> [WeightCollection
      .Item]
    {
      try collection(component + ".safetensors", tensors).items.map {
        WeightCollection.Item(component: component == "file" ? "" : component, $0.tensor)
      }
    }
    let model =
      try items("text_encoder", [("a.weight", [2]), ("b.weight", [3])])
      + items("text_encoder_2", [("a.weight", [4]), ("b.weight", [5])]) + items("vae", [("c.weight", [6])])
    let file = try items("file", [("clip_g.a.weight", [4]), ("clip_g.b.weight", [5])])
    for pairing in [WeightPairing(file, model), WeightPairing(model, file)] {
      #expect(pairing.pairs.count == 2 && pairing.onlyInSecond.isEmpty)
      #expect(pairing.pairs.allSatisfy { $0.shape == $1?.shape })
      #expect(pairing.remarks.count == 2 && pairing.remarks[0].contains("compared with text_encoder_2"))
      #expect(pairing.remarks[1].contains("begin with \"clip_g.\""))
    }
    let partial = try items("file", [("a.weight", [4]), ("odd", [5])])
    let pairing = WeightPairing(partial, model)
    #expect(pairing.pairs.map { $0.second?.path } == ["text_encoder_2/a.weight", nil])
    #expect(pairing.onlyInSecond.map(\.path) == ["text_encoder_2/b.weight"])
    #expect(WeightPairing(try items("file", [("odd", [1])]), model).pairs[0].second == nil)
    // A name under a prefix is no other name for the tensor without it.
    let both = try items(
      "file", [("a.weight", [4]), ("b.weight", [5]), ("ema.a.weight", [4]), ("ema.b.weight", [5])])
    let ofBoth = WeightPairing(both, model)
    #expect(ofBoth.pairs.map { $0.second?.name } == ["a.weight", "b.weight", nil, nil])
    let reversed = WeightPairing(model, both)
    #expect(
      reversed.pairs.count == 2 && reversed.onlyInSecond.map(\.name) == ["ema.a.weight", "ema.b.weight"])
    // A file of several components is compared with all of them.
    let several = try items("file", [("a.weight", [4]), ("b.weight", [5]), ("c.weight", [6])])
    let ofAll = WeightPairing(several, model)
    #expect(ofAll.pairs.map { $0.second?.component } == ["text_encoder_2", "text_encoder_2", "vae"])
    #expect(ofAll.remarks == ["A is compared with text_encoder_2, vae of B"] && ofAll.onlyInSecond.isEmpty)
  }
}
