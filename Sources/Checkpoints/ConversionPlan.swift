import Foundation
import JSON
import Tensors

/// A model component as the importer needs to know it: which weights its own code declares, and which source tensors
/// it knowingly leaves out.
public struct ComponentDeclaration {
  /// Why a source tensor is not consumed.
  public struct IgnoreRule {
    /// A short name, listed beside every tensor that it covers.
    public let name: String
    /// Whether a source tensor falls under the rule.
    public let covers: (String) -> Bool

    /// Creates a rule.
    public init(name: String, covers: @escaping (String) -> Bool) {
      self.name = name
      self.covers = covers
    }
  }

  /// The weights in the model's own order.
  public let weights: [WeightDeclaration]
  /// What may be left out.
  public let ignoreRules: [IgnoreRule]

  /// Creates a declaration.
  public init(weights: [WeightDeclaration], ignoreRules: [IgnoreRule] = []) {
    self.weights = weights
    self.ignoreRules = ignoreRules
  }
}

/// Which type a tensor gets, asked for by the user.
public struct TypeRequest {
  /// The type of all tensors, or nil to keep each as it is stored.
  public let type: ElementType?
  /// Exceptions by name; the first whose expression is found in `component/tensor` wins.
  public let overrides: [(pattern: String, expression: Regex<AnyRegexOutput>, type: ElementType)]

  /// Creates a request.
  public init(
    type: ElementType?,
    overrides: [(pattern: String, expression: Regex<AnyRegexOutput>, type: ElementType)] = []
  ) {
    self.type = type
    self.overrides = overrides
  }

  func choose(component: String, tensor: String, stored: ElementType) -> (type: ElementType, reason: String) {
    for override in overrides where (component + "/" + tensor).contains(override.expression) {
      return (override.type, "--tensor-type \(override.pattern)=\(override.type.rawValue)")
    }
    if let type { return (type, type == stored ? "stored so" : "--type \(type.rawValue)") }
    return (stored, "kept as stored")
  }
}

/// What happens to every tensor of one component.
public struct ComponentPlan {
  /// One row: a source tensor and what it becomes.
  public struct Row {
    /// The official name in the native model.
    public let name: String
    let source: TensorDescriptor
    /// The type in the native model.
    public let type: ElementType
    /// The rule that chose the type.
    public let reason: String

    /// Whether values may change: the type cannot hold every value of the stored one.
    public var isLossy: Bool { !source.type.widensExactly(to: type) }
    var byteCount: Int { source.byteCount / source.type.size * type.size }
  }

  /// The component's name.
  public var component: String { source.name }
  /// What the component is made from.
  public let source: SourceComponent
  /// The tensors in the model's own order.
  public let rows: [Row]
  /// Source tensors that are left out, each with its rule.
  public let ignored: [(name: String, rule: String)]

  /// Accounts for every tensor of a component: consumed by a declaration or ignored by a named rule.
  ///
  /// - Throws: ``BenbenError`` that names what is missing, has another shape or is not accounted for.
  public init(
    _ component: SourceComponent, declaration: ComponentDeclaration, request: TypeRequest
  ) throws {
    let path = component.weights.files.first?.path ?? component.name
    var unclaimed: [String: TensorDescriptor] = [:]
    var rows: [Row] = []
    var ignored: [(name: String, rule: String)] = []
    for tensor in component.weights.tensors {
      if tensor.name.hasPrefix(component.prefix) {
        unclaimed[String(tensor.name.dropFirst(component.prefix.count))] = tensor
      } else {
        ignored.append((tensor.name, "outside of \(component.prefix)*, where the component's tensors stand"))
      }
    }
    var missing: [String] = []
    for weight in declaration.weights {
      let present = ([weight.name] + weight.aliases).compactMap { unclaimed.removeValue(forKey: $0) }
      guard let source = present.first else {
        missing.append(weight.name)
        continue
      }
      for duplicate in present {
        guard duplicate.shape == weight.shape else {
          throw malformed(
            "tensor \(quoted(duplicate.name)) has a wrong shape", duplicate.file.path,
            "\(duplicate.shape.text) is stored, the config demands \(weight.shape.text)",
            "Check that config.json and the weights are of the same release.")
        }
        if duplicate.name != source.name {
          try Self.requireEqual(source, duplicate)
          ignored.append((duplicate.name, "the same tensor as \(source.name)"))
        }
      }
      guard source.type.isComputable else {
        throw malformed(
          "tensor \(quoted(source.name)) has a type that cannot be used", source.file.path,
          "\(source.type.rawValue) is stored; f32, bf16 or f16 is needed")
      }
      var (type, reason) = request.choose(component: component.name, tensor: weight.name, stored: source.type)
      if type == .f16, source.type != .f16, try Self.exceedsHalfRange(source) {
        (type, reason) = (source.type, "kept as stored: a value exceeds the range of f16")
      }
      rows.append(Row(name: weight.name, source: source, type: type, reason: reason))
    }
    if !missing.isEmpty {
      throw malformed(
        "\(missing.count) of \(declaration.weights.count) tensors are missing", path, Self.list(missing),
        "Check that config.json and the weights are of the same release, and that the download is complete.")
    }
    var unknown: [String] = []
    for name in unclaimed.keys.sorted() {
      if let rule = declaration.ignoreRules.first(where: { $0.covers(name) }) {
        ignored.append((component.prefix + name, rule.name))
      } else {
        unknown.append(name)
      }
    }
    if !unknown.isEmpty {
      throw malformed(
        "\(unknown.count) tensors are not part of this model", path, Self.list(unknown),
        "Check that config.json and the weights are of the same release.")
    }
    self.source = component
    self.rows = rows
    self.ignored = ignored
  }

  private static func list(_ names: [String]) -> String {
    names.prefix(3).map(quoted).joined(separator: ", ") + (names.count > 3 ? ", …" : "")
  }

  private static func requireEqual(_ first: TensorDescriptor, _ second: TensorDescriptor) throws {
    var isEqual = first.type == second.type
    if isEqual {
      var chunks = try TensorChunks(first)
      var others = try TensorChunks(second)
      while isEqual, let chunk = try chunks.next(), let other = try others.next() {
        isEqual = chunk.elementsEqual(other)
      }
    }
    guard isEqual else {
      throw malformed(
        "two names of one tensor hold different values", second.file.path,
        "\(quoted(first.name)) and \(quoted(second.name))")
    }
  }

  private static func exceedsHalfRange(_ source: TensorDescriptor) throws -> Bool {
    var chunks = try TensorChunks(source)
    let scratch = FloatBuffer()
    while let chunk = try chunks.next() {
      let exceeds = scratch.with(count: chunk.count / source.type.size) { floats in
        FloatConversion.widen(chunk, source.type, into: floats)
        return floats.contains { $0.isFinite && $0.magnitude >= 65520 }
      }
      if exceeds { return true }
    }
    return false
  }
}
