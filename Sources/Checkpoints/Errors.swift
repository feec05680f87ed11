import Files
import JSON
import Tensors

/// Errors about weights files in the words of this library.
func malformed(_ what: String, _ subject: String, _ why: String, _ remedies: String...) -> BenbenError {
  BenbenError(.malformed, what, at: subject, because: why, remedies: remedies)
}

/// A name from a file, safe to print: control characters escaped, cut when absurdly long.
func quoted(_ name: String) -> String {
  let shown = name.unicodeScalars.prefix(200).map {
    $0.value < 0x20 ? "\\u{\(String($0.value, radix: 16))}" : "\($0)"
  }
  return "\"\(shown.joined())\(name.unicodeScalars.count > 200 ? "…" : "")\""
}
