import Foundation
import Tensors
import TestSupport
import Testing

@testable import Models

/// Which steps the others are approximated from, and how.
struct InterpolationNodesTests {
  /// Vectors that move along a curve.
  private static let curve: [[Float]] = (0..<9).map { step in
    let t = Float(step) / 8
    return [t, t * t, 1 / (0.1 + t), 5, sin(5 * t)]
  }

  private static func nodes(_ vectors: [[Float]], count: Int) -> InterpolationNodes {
    InterpolationNodes(of: vectors.count, count: count) { body in
      // In two parts, as the modulation of a transformer is.
      for columns in [0..<1, 1..<vectors[0].count] {
        body(Tensor([vectors.count, columns.count], vectors.flatMap { $0[columns] }))
      }
    }
  }

  /// The sum of the squared distances between the vectors and their approximations.
  private static func distance(_ vectors: [[Float]], _ nodes: [Int], _ weights: [[Double]]) -> Double {
    zip(vectors, weights).reduce(0) { sum, step in
      step.0.indices.reduce(sum) { sum, index in
        let value = zip(nodes, step.1).reduce(0) { $0 + $1.1 * Double(vectors[$1.0][index]) }
        return sum + (value - Double(step.0[index])) * (value - Double(step.0[index]))
      }
    }
  }

  @Test(arguments: 1...5) func weightsAddUpToOne(count: Int) {
    let nodes = Self.nodes(Self.curve, count: count)
    #expect(nodes.steps.count == count && nodes.steps == nodes.steps.sorted())
    for (step, weights) in nodes.weights.enumerated() {
      #expect(abs(weights.reduce(0, +) - 1) < 1e-9)
      if let node = nodes.steps.firstIndex(of: step) {
        #expect(weights.indices.allSatisfy { weights[$0] == ($0 == node ? 1 : 0) })
      }
    }
  }

  /// The choice of the least distance, as NumPy found it among all choices, with its distance by least squares.
  @Test(arguments: [
    ([0, 5], 5.7084633), ([0, 2, 7], 0.0893561), ([0, 3, 7, 8], 0.0113973),
  ]) func nodesAreTheNearest(expected: [Int], distance: Double) {
    let nodes = Self.nodes(Self.curve, count: expected.count)
    #expect(nodes.steps == expected)
    let ours = Self.distance(Self.curve, nodes.steps, nodes.weights)
    // The sum of the weights is kept to 1 % of the distance, and then made 1.
    #expect(abs(ours / distance - 1) < 0.02)
  }

  /// Of steps whose vectors are 0 or no numbers, one is enough.
  @Test(arguments: [0, Float.nan, .infinity]) func vectorsWithoutValuesNeedOneNode(value: Float) {
    let nodes = Self.nodes(Array(repeating: [value, value], count: 5), count: 3)
    #expect(nodes.steps.count == 1 && nodes.weights == Array(repeating: [1], count: 5))
  }

  /// Steps that are alike share the weights of others.
  @Test func equalStepsHaveSmallWeights() {
    let nodes = Self.nodes(Array(repeating: [2, 2], count: 5), count: 3)
    #expect(nodes.steps.count == 3)
    #expect(nodes.weights.joined().allSatisfy { 0...1 ~= $0 })
  }

  @Test func asManyNodesAsStepsAreTheSteps() {
    let nodes = Self.nodes(Array(Self.curve[..<3]), count: 7)
    #expect(nodes.steps == [0, 1, 2])
  }
}
