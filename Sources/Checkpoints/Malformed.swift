import Files
import JSON
import Tensors

/// Returns a ``BenbenError`` of the kind `malformed`, the usual error of this library about weights files.
func malformed(_ what: String, _ subject: String, _ why: String, _ remedies: String...) -> BenbenError {
  BenbenError(.malformed, what, at: subject, because: why, remedies: remedies)
}

/// Returns a name from a file in quotes and safe to print: control characters are escaped, absurdly long names are cut.
func quoted(_ name: String) -> String {
  let shown = name.unicodeScalars.prefix(200).map {
    $0.value < 0x20 ? "\\u{\(String($0.value, radix: 16))}" : "\($0)"
  }
  return "\"\(shown.joined())\(name.unicodeScalars.count > 200 ? "…" : "")\""
}
