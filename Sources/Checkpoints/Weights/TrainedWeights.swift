import Tensors

/// Which weights are meant where a file holds what training left and its moving average beside it.
public enum TrainedWeights: String, CaseIterable, Sendable {
  /// The weights themselves.
  case model
  /// Their exponential moving average.
  case ema
}

extension WeightFiles {
  /// The prefixes under which training code keeps the moving average; archives that nest it are read so, too.
  static let averagePrefixes = ["ema.", "model_ema.", "ema_model.", "module_ema."]
  /// The numbers that stand beside an average and are no weights.
  private static let bookkeeping: Set = ["decay", "num_updates", "initted", "step", "n_averaged"]

  /// Returns the weights that are meant; those of a file without a moving average are unchanged.
  ///
  /// What is left out is absorbed, with a rule that says what was taken.
  ///
  /// - Parameter wanted: the choice; nil takes the weights themselves where there are any.
  package func choosing(_ wanted: TrainedWeights?) -> WeightFiles {
    guard
      let prefix = Self.averagePrefixes.first(where: { prefix in
        tensors.contains { $0.name.hasPrefix(prefix) }
      })
    else { return self }
    let average = tensors.filter { $0.name.hasPrefix(prefix) }
    let others = tensors.filter { !$0.name.hasPrefix(prefix) }
    func chosen(_ taken: [TensorDescriptor], without left: [TensorDescriptor], _ rule: String) -> WeightFiles
    {
      WeightFiles(
        files: files, tensors: taken, format: format, metadata: metadata,
        absorbed: absorbed + left.map { ($0.name, rule) })
    }
    if wanted != .ema, !others.isEmpty {
      return chosen(others, without: average, "the moving average; the weights themselves are taken")
    }
    let weights = average.map { $0.renamed(String($0.name.dropFirst(prefix.count))) }
    var result = chosen(
      weights.filter { !Self.bookkeeping.contains($0.name) }, without: others,
      "the weights themselves, beside their moving average")
    result.isAverage = true
    return result
  }
}

extension SourceComponent {
  /// Returns the component with the weights that are meant (``WeightFiles/choosing(_:)``).
  package func choosing(_ wanted: TrainedWeights?) -> SourceComponent {
    var result = SourceComponent(
      name: name, config: config, weights: weights.choosing(wanted), folder: folder)
    result.prefix = prefix
    result.assumed = assumed
    return result
  }
}
