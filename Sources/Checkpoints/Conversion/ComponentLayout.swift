import Files
import JSON
import Tensors

/// The rows of a plan and the places of their tensors in the component's file.
struct ComponentLayout: Sendable {
  let rows: [ComponentPlan.Row]
  let entries: [NativeHeader.Entry]
  let dataStart: Int
  let fileSize: Int

  init(_ rows: [ComponentPlan.Row], of plan: ComponentPlan) {
    self.rows = rows
    entries = NativeHeader.layOut(
      rows.map { ($0.name, $0.source.shape, $0.type, $0.activations, $0.isLossy || $0.source.isRounded) })
    // Hashes have a fixed length, so the header's is known before they are.
    let hashes = plan.source.weights.files.map { _ in NativeHeader.pendingHash }
    let header = NativeHeader(
      component: plan.component, config: plan.source.config, source: plan.identities(hashes: hashes),
      entries: entries)
    dataStart = NativeHeader.dataStart(headerLength: header.bytes.count)
    fileSize = dataStart + header.dataLength
  }

  /// Returns the ranges of bytes in the file of a row's values and scales.
  func ranges(of row: Int) -> [Range<Int>] {
    entries[row].parts.map { dataStart + $0.offset..<dataStart + $0.end }
  }
}

extension ComponentPlan {
  /// Returns the name, size and SHA-256 of each file that the component comes from.
  func identities(hashes: [String]) -> [JSONValue] {
    zip(source.weights.files, hashes).map { file, hash in
      [
        "file": .string(source.identity(of: file)), "bytes": .integer(file.size), "sha256": .string(hash),
      ]
    }
  }
}
