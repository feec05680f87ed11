/// Where a model takes its weights from, by official name.
public protocol WeightSource {
  /// The weight declared so.
  ///
  /// - Throws: ``BenbenError`` when there is none, or its shape is another one.
  func weight(_ declaration: WeightDeclaration) throws -> Weight
}
