import Tensors

/// Steps, the nodes, from whose vectors those of all steps are approximated, as sums with weights that add up to 1.
///
/// The weights make the distance of each vector from its approximation the least. The nodes are chosen so that the squared
/// distances have a small sum: one after the other, and then exchanged as long as that makes the sum smaller.
struct InterpolationNodes {
  /// The indices of the nodes, in order.
  let steps: [Int]
  /// The weights of the nodes for every step; those of a node are 1 for itself and 0 for the others.
  let weights: [[Double]]

  /// Chooses the nodes.
  ///
  /// - Parameters:
  ///   - stepCount: the number of steps, at least 1.
  ///   - count: the number of nodes.
  ///   - forEachPart: hands out the steps' vectors part by part, [steps, any number] each.
  init(of stepCount: Int, count: Int, forEachPart: (_ body: (Tensor) -> Void) throws -> Void) rethrows {
    let all = Array(0..<stepCount)
    guard count < stepCount else {
      steps = all
      weights = all.map { step in all.map { $0 == step ? 1 : 0 } }
      return
    }
    var products = SweptProducts(count: stepCount)
    try forEachPart { products.add($0) }
    products.sweep(count)
    // Where the vectors are 0 or no numbers, one step is like another.
    let steps = products.swept.isEmpty ? [0] : products.swept
    self.steps = steps
    weights = all.map { step in
      if steps.count == 1 { return [1] }
      if let node = steps.firstIndex(of: step) { return steps.indices.map { $0 == node ? 1 : 0 } }
      let weights = steps.map { products[$0, step] }
      let sum = weights.reduce(0, +)
      return weights.map { $0 / sum }
    }
  }
}
