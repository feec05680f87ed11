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
    func isAverage(_ tensor: TensorDescriptor) -> Bool {
      Self.averagePrefixes.contains { tensor.name.hasPrefix($0) }
    }
    let themselves = tensors.filter { !isAverage($0) }
    func chosen(_ taken: [TensorDescriptor], rule: (TensorDescriptor) -> String?) -> WeightFiles {
      WeightFiles(
        files: files, tensors: taken, format: format, metadata: metadata,
        absorbed: absorbed + tensors.compactMap { tensor in rule(tensor).map { (tensor.name, $0) } })
    }
    if wanted != .ema, !themselves.isEmpty {
      return chosen(themselves) {
        isAverage($0) ? "the moving average; the weights themselves are taken" : nil
      }
    }
    let average = tensors.filter { $0.name.hasPrefix(prefix) }
      .map { $0.renamed(String($0.name.dropFirst(prefix.count))) }
    var result = chosen(average.filter { !Self.bookkeeping.contains($0.name) }) {
      if $0.name.hasPrefix(prefix) { return nil }
      return isAverage($0) ? "another moving average" : "the weights themselves, beside their moving average"
    }
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
    (result.configPath, result.unread) = (configPath, unread)
    result.assumed = assumed
    return result
  }
}
