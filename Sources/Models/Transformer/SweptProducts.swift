import Tensors

/// The scalar products of some vectors, of which some are swept (the sweep operator of linear regression): rows of swept
/// vectors hold the weights of their sums that come nearest to the others, and rows of the others the products of what is
/// left of them.
struct SweptProducts {
  /// The swept vectors, in order.
  private(set) var swept: [Int] = []
  private let count: Int
  private var elements: [Double]

  init(count: Int) {
    self.count = count
    elements = Array(repeating: 0, count: count * count)
  }

  /// Adds the products of a part of the vectors, [count, any number].
  mutating func add(_ part: Tensor) {
    let width = part.shape[1]
    for i in 0..<count {
      for j in 0...i {
        var sum = 0.0
        for k in 0..<width {
          sum += Double(part.elements[i * width + k]) * Double(part.elements[j * width + k])
        }
        elements[i * count + j] += sum
        if i != j { elements[j * count + i] += sum }
      }
    }
  }

  /// Adds to the products what no vector has.
  private mutating func extend() {
    let square = (0..<count).reduce(0) { $0 + elements[$1 * count + $1] } / Double(count)
    // As if all vectors had another, large number in common: sums with weights that add up to 1 keep it.
    for index in elements.indices { elements[index] += 100 * square }
    // And as if each had a little of its own, that no sum of others has: it keeps the weights small.
    for index in 0..<count { elements[index * (count + 1)] += 1e-5 * square }
  }

  subscript(row: Int, column: Int) -> Double { elements[row * count + column] }

  /// Sweeps as many vectors, so that little is left of the others.
  mutating func sweep(_ wanted: Int) {
    extend()
    while swept.count < wanted, let next = best { exchange(next) }
    var isImproving = true
    while isImproving {
      isImproving = false
      for node in swept {
        let before = residual
        exchange(node)
        guard let other = best, other != node else {
          exchange(node)
          continue
        }
        exchange(other)
        if residual < 0.999 * before {
          isImproving = true
        } else {
          exchange(other)
          exchange(node)
        }
      }
    }
  }

  private var others: [Int] { (0..<count).filter { !swept.contains($0) } }

  /// The sum of the squares of what is left.
  private var residual: Double { others.reduce(0) { $0 + self[$1, $1] } }

  /// The vector that would leave the least.
  private var best: Int? {
    let others = others
    func gain(_ vector: Int) -> Double {
      others.reduce(0) { $0 + self[$1, vector] * self[$1, vector] } / self[vector, vector]
    }
    return others.filter { self[$0, $0] > 0 }.map { ($0, gain($0)) }.max { $0.1 < $1.1 }?.0
  }

  /// Sweeps a vector, or makes it one of the others again: the same operation undoes itself.
  private mutating func exchange(_ k: Int) {
    swept = swept.contains(k) ? swept.filter { $0 != k } : (swept + [k]).sorted()
    let pivot = self[k, k]
    let row = (0..<count).map { self[k, $0] }, column = (0..<count).map { self[$0, k] }
    for i in 0..<count where i != k {
      for j in 0..<count where j != k { elements[i * count + j] -= column[i] * row[j] / pivot }
      elements[k * count + i] = row[i] / pivot
      elements[i * count + k] = -column[i] / pivot
    }
    elements[k * count + k] = 1 / pivot
  }
}
