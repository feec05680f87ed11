/// A source of a model's weights, by official name.
package protocol WeightSource {
  /// Returns the weight for a declaration.
  ///
  /// - Throws: ``BenbenError`` when there is none, or its shape differs.
  func weight(_ declaration: WeightDeclaration) throws -> Weight
}
