import Files
import Foundation
import JSON
import Tensors
import TestSupport
import Testing

@testable import Checkpoints

/// A conversion that ended early goes on where it was, and its bytes are those of one that did not.
extension NativeFormatTests {
  private static let staging = ".model.partial"

  /// Several tensors of several chunks and rows that the audit widens, so that what stands behind them moves.
  private func largePlan() throws -> ComponentPlan {
    let shapes = (0..<6).map { (name: "t\($0)", shape: [64 + 16 * $0, 64]) }
    var bytes = safetensors(shapes)
    // An outlier in the second tensor's first row.
    let second = bytes.count - shapes.dropFirst().reduce(0) { $0 + $1.shape[0] * 256 }
    withUnsafeBytes(of: Float(1e6).bitPattern) { bytes.replaceSubrange(second..<second + 4, with: $0) }
    _ = try folder.write(bytes, "checkpoint/part/model.safetensors")
    return try plan(
      shapes.map { WeightDeclaration(name: $0.name, shape: $0.shape, use: .matrix) },
      overrides: [Self.int8(".")])
  }

  private func conversion(_ plan: ComponentPlan) throws -> Conversion {
    Conversion(
      plans: [plan], auxiliary: [], family: "miniflux", request: try QuantizationOptions(type: nil))
  }

  /// Converts until so many tensors are written, and returns whether that was all.
  private func convert(_ plan: ComponentPlan, cancelledAfter count: Int) throws -> Bool {
    var done = 0
    do {
      _ = try conversion(plan).write(to: folder.path + "/model", mayReplace: false, version: "test") { _, _ in
        done += 1
        if done > count { throw CancellationError() }
      }
      return true
    } catch is CancellationError { return false }
  }

  private func contents(of model: String) throws -> [String: [UInt8]] {
    Dictionary(
      uniqueKeysWithValues: try FileSystem.filesBelow(folder.path + "/" + model).map {
        ($0, try bytes(folder.path + "/" + model + "/" + $0))
      })
  }

  /// Tensors of odd lengths that move, because others before them are kept wider, leave nothing behind between them.
  @Test(arguments: 0..<5) func whatMovesLeavesNothingBehind(first: Int) throws {
    let shapes = (0..<15).map { (name: "t\($0)", shape: [3 + $0, 7]) }
    var bytes = safetensors(shapes)
    var start = bytes.count - shapes.reduce(0) { $0 + 28 * $1.shape[0] }
    for (index, tensor) in shapes.enumerated() {
      if (index * 7 + first).isMultiple(of: 5) {
        withUnsafeBytes(of: Float(1e6).bitPattern) { bytes.replaceSubrange(start..<start + 4, with: $0) }
      }
      start += 28 * tensor.shape[0]
    }
    _ = try folder.write(bytes, "checkpoint/part/model.safetensors")
    let plan = try plan(shapes.map { WeightDeclaration(name: $0.name, shape: $0.shape) }, type: .f16)
    try convert(plan, to: "streamed")
    try convert(plan.audited(), to: "audited")
    let model = try NativeModel(path: folder.path + "/streamed")
    #expect(Set(try model.component("part").tensors.map(\.type)).count == 2)
    #expect(try model.integrityIssues().isEmpty)
    #expect(try contents(of: "streamed") == contents(of: "audited"))
  }

  @Test func whatIsAuditedOnTheWayIsWhatAnAuditDecides() throws {
    let plan = try largePlan()
    try convert(plan, to: "streamed")
    try convert(plan.audited(), to: "audited")
    #expect(try contents(of: "streamed") == contents(of: "audited"))
    let model = try NativeModel(path: folder.path + "/streamed")
    let types = try model.component("part").tensors.map(\.type)
    #expect(types == [.int8, .bf16, .int8, .int8, .int8, .int8])
    #expect(try model.integrityIssues().isEmpty)
  }

  @Test(arguments: 0..<6)
  func aCancelledConversionGoesOn(count: Int) throws {
    let plan = try largePlan()
    try convert(plan, to: "whole")
    #expect(try !convert(plan, cancelledAfter: count))
    #expect(folder.entries.contains(Self.staging) == Conversion.isInterrupted(output: folder.path + "/model"))
    var resumed = 0
    _ = try conversion(plan).write(
      to: folder.path + "/model", mayReplace: false, version: "test", resumed: { resumed += $0 },
      progress: { _, _ in })
    #expect(resumed > 0)
    #expect(try contents(of: "model") == contents(of: "whole"))
    #expect(folder.entries == ["checkpoint", "model", "whole"])
  }

  /// Bytes that are not those of the journal are written again, and a torn line is dropped.
  @Test func whatWasDamagedMeanwhileIsWrittenAgain() throws {
    let plan = try largePlan()
    try convert(plan, to: "whole")
    #expect(try !convert(plan, cancelledAfter: 3))
    let staging = folder.path + "/" + Self.staging
    var file = try bytes(staging + "/part.benben")
    for index in stride(from: file.count / 2, to: file.count, by: 97) { file[index] ^= 1 }
    _ = try folder.write(file, Self.staging + "/part.benben")
    let journal = try bytes(staging + "/journal")
    _ = try folder.write(Array(journal.dropLast(9)), Self.staging + "/journal")
    #expect(try convert(plan, cancelledAfter: .max))
    #expect(try contents(of: "model") == contents(of: "whole"))
  }

  @Test func anotherConversionBeginsAnew() throws {
    let plan = try largePlan()
    #expect(try !convert(plan, cancelledAfter: 3))
    var resumed = 0
    func write(_ conversion: Conversion, version: String, restarts: Bool) throws {
      _ = try conversion.write(
        to: folder.path + "/model", mayReplace: true, restarts: restarts, version: version,
        resumed: { resumed += $0 }, progress: { _, _ in throw CancellationError() })
    }
    // By another version, of a source that was touched, and when it is asked for.
    #expect(throws: CancellationError.self) {
      try write(conversion(plan), version: "other", restarts: false)
    }
    _ = try folder.write(bytes(checkpoint + "/part/model.safetensors"), "checkpoint/part/model.safetensors")
    #expect(throws: CancellationError.self) {
      try write(conversion(largePlan()), version: "other", restarts: false)
    }
    #expect(resumed == 0)
    #expect(throws: CancellationError.self) {
      try write(conversion(plan), version: "other", restarts: true)
    }
    #expect(resumed == 0)
  }

  /// What failed for another reason than being asked to stop leaves nothing.
  @Test func aFailedConversionLeavesNothing() throws {
    let plan = try largePlan()
    struct Full: Error {}
    #expect(throws: Full.self) {
      try conversion(plan).write(to: folder.path + "/model", mayReplace: false, version: "test") { _, _ in
        throw Full()
      }
    }
    #expect(folder.entries == ["checkpoint"])
  }
}
