extension String {
  /// Whether no run of combining marks is longer than 30, as in Unicode's Stream-Safe Text Format (UAX #15).
  ///
  /// Strings are compared and hashed by their normal form, which takes the square of a run's length: a name of 32 KB of marks
  /// takes seconds at every look into a dictionary.
  package var isStreamSafe: Bool {
    var run = 0
    for scalar in unicodeScalars {
      run = scalar.value >= 0x300 && scalar.properties.canonicalCombiningClass != .notReordered ? run + 1 : 0
      if run > 30 { return false }
    }
    return true
  }
}
