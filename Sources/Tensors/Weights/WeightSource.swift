/// A source of a model's weights, by official name.
package protocol WeightSource {
  /// Returns the weight for a declaration.
  ///
  /// - Throws: ``BenbenError`` when there is none, or its shape differs.
  func weight(_ declaration: WeightDeclaration) throws -> Weight

  /// Asks for the weights whose names start with a prefix to be brought into memory in the background.
  func readAhead(_ prefix: String)
}

extension WeightSource {
  /// Does nothing: the weights are in memory, or there are none.
  package func readAhead(_ prefix: String) {}
}
