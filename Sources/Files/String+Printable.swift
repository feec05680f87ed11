extension String {
  /// The text with everything that a terminal or a log could act on written as `\\u{…}`: control characters, line
  /// breaks among them, and characters that change the direction of text or are not seen.
  package var printable: String {
    unicodeScalars.reduce(into: "") { text, scalar in
      if scalar.isPrintable {
        text.unicodeScalars.append(scalar)
      } else {
        text += "\\u{\(String(scalar.value, radix: 16))}"
      }
    }
  }
}

extension Unicode.Scalar {
  /// Whether a terminal shows the scalar and does nothing else.
  var isPrintable: Bool {
    if isASCII { return 0x20...0x7E ~= value }
    switch properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned:
      return false
    default: return true
    }
  }
}
