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

/// Returns the error about a file that ends before what it says it holds.
func cutShort(_ file: InputFile, _ why: String) -> BenbenError {
  malformed(
    "the file is cut short", file.path, why, "Download it again and compare its size with the original.")
}

/// Returns the error about a file that ends before one of its tensors.
func cutShort(_ file: InputFile, tensor name: String, endsAt end: Int) -> BenbenError {
  cutShort(file, "tensor \(quoted(name)) ends at byte \(end), the file at \(file.size)")
}

extension String {
  /// Whether a file may give a tensor this name: it is not empty, C would read all of it, and it is compared in little time.
  var isTensorName: Bool { !isEmpty && !unicodeScalars.contains("\0") && isStreamSafe }
}
