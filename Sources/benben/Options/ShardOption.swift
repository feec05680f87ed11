import ArgumentParser
import Files
import PyramidFlowVerification

/// A part of a suite, counted from 1: I/N.
struct ShardOption: ExpressibleByArgument {
  let shard: SuiteShard

  init?(argument: String) {
    guard let numbers = argument.integers(separatedBy: { $0 == "/" }), numbers.count == 2,
      let shard = SuiteShard(numbers[0], of: numbers[1])
    else { return nil }
    self.shard = shard
  }
}
