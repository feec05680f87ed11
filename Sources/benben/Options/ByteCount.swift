import ArgumentParser
import Files

/// A number of bytes as people write it: 8GB, 512 MB, 1000000.
struct ByteCount: ExpressibleByArgument {
  let count: Int

  init?(argument: String) {
    guard let count = ByteSize.count(argument) else { return nil }
    self.count = count
  }
}
