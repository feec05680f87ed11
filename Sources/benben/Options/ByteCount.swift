import ArgumentParser

/// A number of bytes as people write it: 8GB, 512 MB, 1000000.
struct ByteCount: ExpressibleByArgument {
  let count: Int

  init?(argument: String) {
    let digits = argument.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
    let unit = argument.dropFirst(digits.count).uppercased().filter { $0 != " " }
    let exponents = ["": 0, "B": 0, "K": 3, "KB": 3, "M": 6, "MB": 6, "G": 9, "GB": 9, "T": 12, "TB": 12]
    guard let value = Double(digits), let exponent = exponents[unit] else { return nil }
    let bytes = (0..<exponent).reduce(value) { result, _ in result * 10 }
    guard bytes >= 1, bytes < 0x1p62 else { return nil }
    count = Int(bytes)
  }
}
