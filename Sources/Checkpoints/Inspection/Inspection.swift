import Files
import JSON
import Tensors

/// The contents of any weights file or folder, as a table and as JSON.
package struct Inspection {
  /// One tensor.
  package struct Row {
    /// The component, or an empty string for a single file.
    package let component: String
    /// The tensor's name.
    package let name: String
    /// The shape.
    package let shape: Shape
    /// The stored type by its common name: that of plain numbers, or `int8` for quantized rows.
    package let type: String
    /// The size in bytes, scales included.
    package let byteCount: Int
    /// Whether values are the products of stored numbers with scales that are tensors of their own.
    package var isScaled = false

    /// The type for people.
    var typeText: String { type + (isScaled ? " scaled" : "") }
  }

  /// The kind of the file or folder.
  package let kind: String
  /// All tensors.
  package let rows: [Row]
  /// The configs by component.
  package let configs: [String: JSONValue]
  /// The manifest of a native model, with its source and plan; nil for anything else.
  package let provenance: JSONValue?
  /// The components of a folder that lack a file, each with the missing file.
  package let incomplete: [(component: String, why: String)]
  /// The components of a released checkpoint that could be opened.
  package let sources: [SourceComponent]

  /// The files of a packed model, with their sizes in bytes when unpacked.
  package let packedFiles: [(path: String, byteCount: Int)]

  private init(
    kind: String, rows: [Row] = [], configs: [String: JSONValue] = [:], provenance: JSONValue? = nil,
    incomplete: [(component: String, why: String)] = [], sources: [SourceComponent] = [],
    packedFiles: [(path: String, byteCount: Int)] = []
  ) {
    self.kind = kind
    self.rows = rows
    self.configs = configs
    self.provenance = provenance
    self.incomplete = incomplete
    self.sources = sources
    self.packedFiles = packedFiles
  }

  /// Inspects a weights file, a shard index, a `.benben` file, a native model, a released checkpoint, one component's
  /// folder, or a folder of single files.
  ///
  /// In a folder, what is missing or malformed is reported; a malformed file on its own is an error.
  package init(path: String) throws {
    try HubCache.requireDownloaded(path)
    if FileSystem.isFolder(path) {
      self = try NativeModel.isModel(path) ? Self.model(path) : Self.folder(path)
    } else if try Pack.isOne(path) {
      self.init(kind: "packed model", packedFiles: try Pack.contents(of: path))
    } else if path.hasSuffix(".benben") {
      let component = try NativeComponent(path: path)
      self.init(
        kind: "native component", rows: Self.rows(component), configs: [component.name: component.config])
    } else {
      let weights = try WeightFiles.openAny(path)
      self.init(
        kind: path.lowercased().hasSuffix(".json") ? "sharded weights" : weights.format,
        rows: Self.rows(weights, component: ""))
    }
  }

  private static func model(_ path: String) throws -> Inspection {
    let model = try NativeModel(path: path)
    let components = try model.componentNames.map { try model.component($0) }
    return Inspection(
      kind: "native model (\(model.family))", rows: components.flatMap(rows),
      configs: Dictionary(components.map { ($0.name, $0.config) }) { first, _ in first },
      provenance: model.manifest)
  }

  private static func folder(_ path: String) throws -> Inspection {
    let folder = try CheckpointFolder(path: path)
    let subfolders = folder.subfolders
    let isRelease = subfolders.contains {
      FileSystem.exists(path + "/" + $0 + "/config.json") || isComponentName($0)
    }
    guard isRelease else {
      // A component's own folder, or loose files in a folder.
      if FileSystem.exists(path + "/config.json") {
        let weights = try WeightFiles.openAny(path)
        return Inspection(kind: "component folder", rows: rows(weights, component: ""))
      }
      let files = FileSystem.files(in: path).filter(WeightFiles.isNamedLikeOne)
      guard !files.isEmpty else {
        throw BenbenError(
          .malformed, "not a checkpoint", at: path,
          because: "it holds neither files of weights nor folders with a config.json",
          remedies: HubCache.remedies(on: path))
      }
      var found: [Row] = []
      var unreadable: [(component: String, why: String)] = []
      for name in files {
        do {
          found += rows(try WeightFiles.open(folder.open(path + "/" + name)), component: name)
        } catch let error as BenbenError {
          unreadable.append((name, "\(error.what): \(error.why)"))
        }
      }
      return Inspection(kind: "folder of weights", rows: found, incomplete: unreadable)
    }
    var found: [SourceComponent] = []
    var incomplete: [(component: String, why: String)] = []
    for name in subfolders where !name.hasPrefix("tokenizer") {
      do {
        found.append(try folder.component(name))
      } catch let error as BenbenError where error.kind == .missing {
        // A folder that is not a component (documentation, pictures) cannot be incomplete.
        if isComponentName(name) {
          incomplete.append((name, "\(FileSystem.lastComponent(error.subject)): \(error.why)"))
        }
      } catch let error as BenbenError where error.kind == .malformed {
        incomplete.append((name, "\(FileSystem.lastComponent(error.subject)): \(error.what): \(error.why)"))
      }
    }
    return Inspection(
      kind: "released checkpoint", rows: found.flatMap { rows($0.weights, component: $0.name) },
      configs: Dictionary(found.map { ($0.name, $0.config) }) { first, _ in first },
      incomplete: incomplete, sources: found)
  }

  private static func isComponentName(_ name: String) -> Bool {
    ["text_encoder", "causal_video_vae", "diffusion_transformer"].contains(where: name.hasPrefix)
  }

  private static func rows(_ weights: WeightFiles, component: String) -> [Row] {
    weights.tensors.map {
      Row(
        component: component, name: $0.name, shape: $0.shape, type: $0.typeName, byteCount: $0.byteCount,
        isScaled: $0.scaleOffset != nil || $0.uniformScale != nil)
    }
  }

  private static func rows(_ component: NativeComponent) -> [Row] {
    component.tensors.map {
      Row(
        component: component.name, name: $0.name, shape: $0.shape, type: $0.type.rawValue,
        byteCount: $0.type.byteCount(of: $0.shape))
    }
  }

  /// The components in order of first appearance, each with its totals.
  package var summary: [(component: String, tensors: Int, parameters: Int, bytes: Int, types: [String])] {
    var order: [String] = []
    var groups: [String: [Row]] = [:]
    for row in rows {
      if groups[row.component] == nil { order.append(row.component) }
      groups[row.component, default: []].append(row)
    }
    return order.map { name in
      let group = groups[name] ?? []
      return (
        name, group.count, group.reduce(0) { $0 + ($1.shape.checkedElementCount ?? 0) },
        group.reduce(0) { $0 + $1.byteCount },
        Set(group.map(\.type)).sorted()
      )
    }
  }

  /// Returns the shapes of a component's tensors, by name.
  package func shapes(of component: String) -> [String: Shape] {
    Dictionary(rows.filter { $0.component == component }.map { ($0.name, $0.shape) }) { first, _ in first }
  }

  /// The inspection as JSON: ``rows`` and totals, incomplete components, and the provenance of a native model.
  package var json: JSONValue {
    var members: [String: JSONValue] = [
      "kind": .string(kind),
      "incomplete": .array(
        incomplete.map { ["component": .string($0.component), "why": .string($0.why)] }),
      "components": .array(
        summary.map { item in
          [
            "name": .string(item.component), "tensorCount": .integer(item.tensors),
            "parameters": .integer(item.parameters), "bytes": .integer(item.bytes),
            "types": .array(item.types.map(JSONValue.string)),
            "config": configs[item.component] ?? .null,
            "unread": .array(
              (sources.first { $0.name == item.component }?.unread ?? []).map(JSONValue.string)),
          ]
        }),
      "tensors": .array(
        rows.map { row in
          [
            "component": .string(row.component), "name": .string(row.name),
            "type": .string(row.type),
            "shape": .array(row.shape.map(JSONValue.integer)), "bytes": .integer(row.byteCount),
            "isScaled": .bool(row.isScaled),
          ]
        }),
    ]
    if !packedFiles.isEmpty {
      members["packedFiles"] = .array(
        packedFiles.map { ["path": .string($0.path), "bytes": .integer($0.byteCount)] })
    }
    for key in ["source", "plan", "benbenVersion"] {
      if let value = provenance?[key] { members[key] = value }
    }
    return .object(members)
  }
}
