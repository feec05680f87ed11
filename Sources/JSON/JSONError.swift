/// An error that explains why a text is not accepted as JSON.
package struct JSONError: Error, Equatable, CustomStringConvertible {
  /// The byte at which parsing stopped, counted from the start of the text.
  package let offset: Int
  /// The fault at that byte.
  package let reason: String

  /// The reason and the byte offset.
  package var description: String { "\(reason) at byte \(offset)" }
}
