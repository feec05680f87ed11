import JSON
import Tensors

/// What any weights file or folder holds, as a table and as JSON.
public struct Inspection {
  /// One tensor.
  public struct Row {
    /// The component, or an empty string for a single file.
    public let component: String
    /// The tensor's name.
    public let name: String
    /// The shape.
    public let shape: Shape
    /// The stored type.
    public let type: ElementType

    /// Bytes; zero should the shape be uncountable, which readers refuse.
    public var byteCount: Int { shape.checkedByteCount(of: type) ?? 0 }
  }

  /// What was recognised.
  public let kind: String
  /// All tensors.
  public let rows: [Row]
  /// The configs by component.
  public let configs: [String: JSONValue]
  /// For a native model: what it was made from and how.
  public let provenance: JSONValue?

  /// Looks at a safetensors file, a shard index, a `.benben` file, a native model or a released checkpoint.
  public init(path: String) throws {
    if CheckpointFolder.isFolder(path) {
      if NativeModel.isModel(path) {
        let model = try NativeModel(path: path)
        let components = try model.componentNames.map { try model.component($0) }
        kind = "native model (\(model.family))"
        rows = components.flatMap(Self.rows)
        configs = Dictionary(components.map { ($0.name, $0.config) }) { first, _ in first }
        provenance = model.manifest
        return
      }
      let folder = try CheckpointFolder(path: path)
      // Tokenizer folders hold no config.json; every other sub-folder is a component.
      let names = folder.subfolders.filter { CheckpointFolder.exists(path + "/" + $0 + "/config.json") }
      guard !names.isEmpty else {
        throw malformed("not a checkpoint", path, "no sub-folder holds a config.json")
      }
      let components = try names.map { try folder.component($0) }
      kind = "released checkpoint"
      rows = components.flatMap { component in Self.rows(component.weights, component: component.name) }
      configs = Dictionary(components.map { ($0.name, $0.config) }) { first, _ in first }
      provenance = nil
      return
    }
    provenance = nil
    if path.hasSuffix(".benben") {
      let component = try NativeComponent(path: path)
      kind = "native component"
      rows = Self.rows(component)
      configs = [component.name: component.config]
    } else if path.hasSuffix(".json") {
      let parent = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
      kind = "sharded safetensors"
      rows = Self.rows(try ShardedIndex.open(path, in: CheckpointFolder(path: parent)), component: "")
      configs = [:]
    } else {
      kind = "safetensors"
      rows = Self.rows(try Safetensors.open(path), component: "")
      configs = [:]
    }
  }

  private static func rows(_ weights: WeightFiles, component: String) -> [Row] {
    weights.tensors.map { Row(component: component, name: $0.name, shape: $0.shape, type: $0.type) }
  }

  private static func rows(_ component: NativeComponent) -> [Row] {
    component.tensors.map { Row(component: component.name, name: $0.name, shape: $0.shape, type: $0.type) }
  }

  /// Components in order of first appearance, each with its sums.
  public var summary: [(component: String, tensors: Int, parameters: Int, bytes: Int, types: [ElementType])] {
    var order: [String] = []
    var groups: [String: [Row]] = [:]
    for row in rows {
      if groups[row.component] == nil { order.append(row.component) }
      groups[row.component, default: []].append(row)
    }
    return order.map { name in
      let group = groups[name] ?? []
      return (
        name, group.count, group.reduce(0) { $0 + $1.byteCount / $1.type.size },
        group.reduce(0) { $0 + $1.byteCount },
        ElementType.allCases.filter { type in group.contains { $0.type == type } }
      )
    }
  }

  /// The whole inspection as JSON.
  public var json: JSONValue {
    var members: [String: JSONValue] = [
      "kind": .string(kind),
      "components": .array(
        summary.map { item in
          [
            "name": .string(item.component), "tensorCount": .integer(item.tensors),
            "parameters": .integer(item.parameters), "bytes": .integer(item.bytes),
            "types": .array(item.types.map { .string($0.rawValue) }),
            "config": configs[item.component] ?? .null,
          ]
        }),
      "tensors": .array(
        rows.map { row in
          [
            "component": .string(row.component), "name": .string(row.name),
            "type": .string(row.type.rawValue),
            "shape": .array(row.shape.map(JSONValue.integer)), "bytes": .integer(row.byteCount),
          ]
        }),
    ]
    if let source = provenance?["source"] { members["source"] = source }
    if let plan = provenance?["plan"] { members["plan"] = plan }
    return .object(members)
  }
}
