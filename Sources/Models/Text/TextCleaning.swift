import Foundation

/// The clean-up of a prompt before CLIP's tokenizer: the fixes of `ftfy.fix_text` to well-encoded text, then folding of
/// white space and conversion to lower case.
///
/// Covered: HTML character references (numeric ones, and the names of ISO 8859-1 and common punctuation), terminal
/// escapes, Latin ligatures, full- and half-width forms, curly quotes, line breaks, control characters, NFC.
/// Not covered: repairing text that was decoded with a wrong encoding ("mojibake"), the other two thousand named HTML
/// references, and names written in capitals. Such text is left unchanged, so its ids differ from the official ones.
enum TextCleaning {
  static func cleaned(_ text: String) -> String {
    // ftfy works line by line. A '<' hints at markup, whose references are intentional: they are kept from its line on.
    var unescapes = true
    var fixed = ""
    for line in lines(text) {
      if line.unicodeScalars.contains("<") { unescapes = false }
      fixed += fixedLine(line, unescapes: unescapes)
    }
    return lowercased(foldedWhitespace(fixed))
  }

  /// Returns the lines of a text, each with its line feed.
  private static func lines(_ text: String) -> [String] {
    var lines = [String.UnicodeScalarView()]
    for scalar in text.unicodeScalars {
      lines[lines.count - 1].append(scalar)
      if scalar == "\n" { lines.append(String.UnicodeScalarView()) }
    }
    return lines.map { String($0) }
  }

  private static func fixedLine(_ line: String, unescapes: Bool) -> String {
    var current = line
    // Repeat until nothing changes, as ftfy does: one fix can uncover another. Each round shortens what it changes, and
    // no real text reaches the bound.
    for _ in 0..<100 {
      var next = unescapes ? unescapedHTML(current) : current
      next = substituted(next)
      next = withoutTerminalEscapes(next)
      next = String(String.UnicodeScalarView(next.unicodeScalars.filter { !isRemovedControl($0) }))
      next = next.precomposedStringWithCanonicalMapping
      if next.unicodeScalars.elementsEqual(current.unicodeScalars) { break }
      current = next
    }
    return current
  }

  /// Replaces runs of white space by one space and removes it at both ends.
  private static func foldedWhitespace(_ text: String) -> String {
    text.unicodeScalars.split { $0.properties.isWhitespace || (0x1C...0x1F).contains($0.value) }
      .map { String($0) }.joined(separator: " ")
  }

  /// Converts a text to lower case by Unicode's full mapping, a final sigma to its own letter.
  private static func lowercased(_ text: String) -> String {
    let scalars = Array(text.unicodeScalars)
    var result = String.UnicodeScalarView()
    for (index, scalar) in scalars.enumerated() {
      if scalar == "Σ", isFinalSigma(scalars, index) {
        result.append("ς")
      } else {
        result.append(contentsOf: scalar.properties.lowercaseMapping.unicodeScalars)
      }
    }
    return String(result)
  }

  /// Returns whether Unicode's Final_Sigma condition holds: a cased letter before and none after, ignoring
  /// case-ignorable characters.
  private static func isFinalSigma(_ scalars: [Unicode.Scalar], _ index: Int) -> Bool {
    let before = scalars[..<index].last { !$0.properties.isCaseIgnorable }
    let after = scalars[(index + 1)...].first { !$0.properties.isCaseIgnorable }
    return before?.properties.isCased == true && after?.properties.isCased != true
  }

  private static let ligatures: [Unicode.Scalar: String] = [
    "Ĳ": "IJ", "ĳ": "ij", "ŉ": "ʼn", "Ǳ": "DZ", "ǲ": "Dz", "ǳ": "dz", "Ǆ": "DŽ", "ǅ": "Dž", "ǆ": "dž",
    "Ǉ": "LJ", "ǈ": "Lj", "ǉ": "lj", "Ǌ": "NJ", "ǋ": "Nj", "ǌ": "nj", "ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl",
    "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "ſt", "ﬆ": "st",
  ]

  /// Replaces single characters: ligatures, full- and half-width forms, curly quotes, line breaks.
  private static func substituted(_ text: String) -> String {
    var result = String.UnicodeScalarView()
    var previous: Unicode.Scalar?
    for scalar in text.unicodeScalars {
      switch scalar.value {
      case 0x2018...0x201B, 0x02BC: result.append("'")
      case 0x201C...0x201F: result.append("\"")
      case 0x3000: result.append(" ")
      case 0xFF01...0xFFEF:
        result.append(contentsOf: String(scalar).precomposedStringWithCompatibilityMapping.unicodeScalars)
      case 0x0A where previous == "\r": break
      case 0x0D, 0x85, 0x2028, 0x2029: result.append("\n")
      default:
        if let letters = ligatures[scalar] {
          result.append(contentsOf: letters.unicodeScalars)
        } else {
          result.append(scalar)
        }
      }
      previous = scalar
    }
    return String(result)
  }

  private static func isRemovedControl(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0...8, 0x0B, 0x0E...0x1F, 0x7F, 0x206A...0x206F, 0xFEFF, 0xFFF9...0xFFFC: true
    default: false
    }
  }

  /// Removes `ESC [ digits and semicolons letter`.
  private static func withoutTerminalEscapes(_ text: String) -> String {
    guard text.unicodeScalars.contains("\u{1B}") else { return text }
    let scalars = Array(text.unicodeScalars)
    var result = String.UnicodeScalarView()
    var index = 0
    while index < scalars.count {
      if scalars[index] == "\u{1B}", index + 1 < scalars.count, scalars[index + 1] == "[" {
        var end = index + 2
        while end < scalars.count, scalars[end] == ";" || ("0"..."9") ~= scalars[end] { end += 1 }
        if end < scalars.count, ("a"..."z") ~= scalars[end] || ("A"..."Z") ~= scalars[end] {
          index = end + 1
          continue
        }
      }
      result.append(scalars[index])
      index += 1
    }
    return String(result)
  }

  private static func unescapedHTML(_ text: String) -> String {
    guard text.unicodeScalars.contains("&") else { return text }
    let scalars = Array(text.unicodeScalars)
    var result = String.UnicodeScalarView()
    var index = 0
    while index < scalars.count {
      if scalars[index] == "&",
        let end = scalars[index...].prefix(27).firstIndex(of: ";"),
        let replacement = htmlCharacter(String(String.UnicodeScalarView(scalars[(index + 1)..<end])))
      {
        result.append(replacement)
        index = end + 1
      } else {
        result.append(scalars[index])
        index += 1
      }
    }
    return String(result)
  }

  private static func htmlCharacter(_ reference: String) -> Unicode.Scalar? {
    if reference.hasPrefix("#x") || reference.hasPrefix("#X") {
      return UInt32(reference.dropFirst(2), radix: 16).flatMap(Unicode.Scalar.init)
    }
    if reference.hasPrefix("#") { return UInt32(reference.dropFirst()).flatMap(Unicode.Scalar.init) }
    if let index = latin1Names.firstIndex(of: reference[...]) { return Unicode.Scalar(UInt8(0xA0 + index)) }
    return punctuationNames[reference]
  }

  /// The names of U+00A0 … U+00FF in HTML, in order.
  private static let latin1Names = """
    nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 acute \
    micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml Aring AElig \
    Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash \
    Ugrave Uacute Ucirc Uuml Yacute THORN szlig agrave aacute acirc atilde auml aring aelig ccedil egrave eacute \
    ecirc euml igrave iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc \
    uuml yacute thorn yuml
    """.split(separator: " ")

  private static let punctuationNames: [String: Unicode.Scalar] = [
    "amp": "&", "lt": "<", "gt": ">", "quot": "\"", "apos": "'", "ndash": "–", "mdash": "—", "lsquo": "‘",
    "rsquo": "’", "sbquo": "‚", "ldquo": "“", "rdquo": "”", "bdquo": "„", "hellip": "…", "bull": "•",
    "trade": "™",
    "euro": "€", "dagger": "†", "Dagger": "‡", "permil": "‰", "prime": "′", "Prime": "″", "lsaquo": "‹",
    "rsaquo": "›", "larr": "←", "rarr": "→", "uarr": "↑", "darr": "↓", "minus": "−", "infin": "∞", "ne": "≠",
    "le": "≤", "ge": "≥", "OElig": "Œ", "oelig": "œ", "Scaron": "Š", "scaron": "š", "Yuml": "Ÿ",
  ]
}
