extension Int {
  /// Returns the least multiple of a positive number that is not less.
  package func roundedUp(to multiple: Int) -> Int { (self + multiple - 1) / multiple * multiple }
}
