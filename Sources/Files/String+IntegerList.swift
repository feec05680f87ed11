extension String {
  /// The integers of a list such as `8,8,8`; nil unless every part is one.
  public func integers(separatedBy isSeparator: (Character) -> Bool) -> [Int]? {
    let parts = split(omittingEmptySubsequences: false, whereSeparator: isSeparator)
    let numbers = parts.compactMap { Int($0) }
    return numbers.count == parts.count ? numbers : nil
  }
}
