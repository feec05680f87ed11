import Files
import Foundation
import JSON
import Tensors

/// The plan for one component: the type of every tensor in the native model, or the rule by which it is left out.
package struct ComponentPlan {
  /// A source tensor and its type in the native model.
  package struct Row: Sendable {
    /// The official name in the native model.
    package let name: String
    let source: TensorDescriptor
    /// The type in the native model.
    package let type: WeightType
    /// The precision to which products with the tensor round their input.
    package let activations: InputPrecision
    /// The rule that chose the type.
    package let reason: String
    /// Whether the type is final, whatever the conversion to it loses.
    let isAudited: Bool

    /// Whether values may change: the type cannot hold every value of the stored one.
    package var isLossy: Bool { TensorConversion.isLossy(source, to: type) }
    /// The replacement for f16 when products with the tensor overflow it: the stored type, or f32 instead of f16.
    package var typeBeyondHalf: WeightType { source.weightType.flatMap { $0 == .f16 ? nil : $0 } ?? .f32 }
    var byteCount: Int { type.byteCount(of: source.shape) }

    init(
      name: String, source: TensorDescriptor, choice: QuantizationOptions.Choice, isAudited: Bool = false
    ) {
      self.name = name
      self.source = source
      type = choice.type
      activations = choice.activations
      reason = choice.reason
      self.isAudited = isAudited
    }
  }

  /// The component's name.
  package var component: String { source.name }
  /// What the source had lost before; nil when nothing.
  package var sourceRounding: SourceRounding? { SourceRounding(component: component, rows.map(\.source)) }
  /// The source of the component.
  package let source: SourceComponent
  /// The size of its tensors in the native model, in bytes.
  package var byteCount: Int { rows.reduce(0) { $0 + $1.byteCount } }
  /// Whether most of its weights will be multiplied as integers, with inputs that are rounded.
  package var multipliesIntegers: Bool {
    2 * rows.filter(\.activations.isInteger).reduce(0) { $0 + $1.byteCount } > byteCount
  }
  /// The tensors in the model's own order.
  package let rows: [Row]
  /// Source tensors that are left out, each with its rule.
  package let ignored: [(name: String, rule: String)]
  /// The patterns of the recipe's rules that decided the type of a tensor.
  let decidingPatterns: Set<String>

  /// Creates a plan in which every tensor of a component is consumed by a declaration or ignored by a named rule.
  ///
  /// - Throws: ``BenbenError`` that names what is missing, has another shape or is not accounted for.
  package init(
    _ component: SourceComponent, declaration: ComponentDeclaration, request: QuantizationOptions
  ) throws {
    let path = component.weights.files.first?.path ?? component.name
    try component.weights.requireKnownFormats()
    var unclaimed: [String: TensorDescriptor] = [:]
    var wanted: [Row] = []
    var searching = Duration.zero
    var decidingPatterns: Set<String> = []
    var ignored = component.weights.absorbed
    for tensor in component.weights.tensors {
      if tensor.name.hasPrefix(component.prefix) {
        unclaimed[String(tensor.name.dropFirst(component.prefix.count))] = tensor
      } else {
        ignored.append((tensor.name, "outside of \(component.prefix)*, where the component's tensors stand"))
      }
    }
    var missing: [String] = []
    for weight in declaration.weights {
      try Task.checkCancellation()
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
      guard let stored = source.weightType else {
        throw malformed(
          "tensor \(quoted(source.name)) has a type that cannot be used", source.file.path,
          "\(source.typeName) is stored; f32, bf16, f16, fp8, scaled int8 or blocks of GGUF are needed")
      }
      let start = ContinuousClock.now
      var choice = try request.choose(
        component: component.name, tensor: weight, stored: stored, activations: source.activations)
      searching += ContinuousClock.now - start
      if let pattern = choice.pattern { decidingPatterns.insert(pattern) }
      guard searching < Self.longestSearch else {
        throw malformed(
          "patterns that take too long", component.name,
          "the rules are searched for in \(weight.name) and before",
          "Say what is repeated more closely, as in [^.]* for .*")
      }
      if choice.type == stored, !source.isStored(as: stored) {
        choice = .init(
          type: stored, activations: choice.activations,
          reason: "widened exactly from \(source.typeName)")
      }
      wanted.append(Row(name: weight.name, source: source, choice: choice))
    }
    if !missing.isEmpty {
      throw malformed(
        "\(missing.count) of \(declaration.weights.count) tensors are missing", path, Self.list(missing),
        "Check that \(component.isDeduced ? "" : "config.json and ")the weights are of the same release, and that the download is complete."
      )
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
        component.isDeduced
          ? "Take the weights of a release, without what another program added."
          : "Check that config.json and the weights are of the same release.")
    }
    self.source = component
    rows = wanted
    self.decidingPatterns = decidingPatterns
    self.ignored = ignored
  }

  /// The time that rules may be searched for in the names of a component; sound ones take a hundredth of it.
  private static let longestSearch = Duration.seconds(5)

  private init(_ plan: ComponentPlan, rows: [Row]) {
    source = plan.source
    self.rows = rows
    ignored = plan.ignored
    decidingPatterns = plan.decidingPatterns
  }

  /// Returns the plan with other types for some of its tensors, each with the reason.
  package func retyped(
    _ choose: (Row) -> (choice: SensitivitySearch.Choice, reason: String)?
  ) -> ComponentPlan {
    let changed = rows.map { row in
      guard let (choice, reason) = choose(row) else { return row }
      return Row(
        name: row.name, source: row.source,
        choice: .init(type: choice.type, activations: choice.activations, reason: reason), isAudited: true)
    }
    return ComponentPlan(self, rows: changed)
  }

  /// Returns the plan with the rows that an audit of all values leaves; it reads every tensor that is to be rounded.
  package func audited() throws -> ComponentPlan {
    ComponentPlan(self, rows: try concurrentMap(rows) { try $0.audited() })
  }

  /// Returns the plan with other rows in place of its own, one for each.
  func replacing(_ rows: [Row]) -> ComponentPlan {
    ComponentPlan(self, rows: rows)
  }

  /// Writes the component to a file of its own, for measurements.
  package func written(to path: String) throws -> NativeComponent {
    var writer = try ComponentWriter(self, to: path)
    _ = try writer.write { _ in }
    return try NativeComponent(path: path)
  }

  private static func list(_ names: [String]) -> String {
    names.prefix(3).map(quoted).joined(separator: ", ") + (names.count > 3 ? ", …" : "")
  }

  private static func requireEqual(_ first: TensorDescriptor, _ second: TensorDescriptor) throws {
    var isEqual =
      try first.type == second.type && first.blocks == second.blocks
      && first.uniformScale == second.uniformScale && first.scales() == second.scales()
    // Tied weights of a PyTorch archive are one storage.
    let isSame = first.file === second.file && first.offset == second.offset
    if isEqual, !(isSame && first.strides == second.strides) {
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
}
