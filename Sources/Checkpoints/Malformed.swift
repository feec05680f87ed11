import Files
import JSON
import Tensors

/// Returns a ``BenbenError`` of the kind `malformed`, the usual error of this library about weights files.
func malformed(_ what: String, _ subject: String, _ why: String, _ remedies: String...) -> BenbenError {
  BenbenError(.malformed, what, at: subject, because: why, remedies: remedies)
}

/// Returns a name from a file in quotes and safe to print; absurdly long names are cut.
func quoted(_ name: String) -> String {
  let shown = String(String.UnicodeScalarView(name.unicodeScalars.prefix(200))).printable
  return "\"\(shown)\(name.unicodeScalars.count > 200 ? "…" : "")\""
}
