import CPCRE2

/// A regular expression of PCRE2 that is searched for in the names of tensors.
///
/// A search takes a limited number of steps, so that no pattern, whoever wrote it, runs for ever.
final class NamePattern {
  /// Why a text is no pattern, or a search was given up.
  struct Fault: Error {
    let why: String

    init(_ why: String) { self.why = why }

    init(code: CInt, at offset: Int? = nil) {
      var text = [UInt8](repeating: 0, count: 256)
      let length = pcre2_get_error_message_8(code, &text, text.count)
      let message = String(decoding: text.prefix(Int(max(length, 0))), as: UTF8.self)
      why = message + (offset.map { " at byte \($0)" } ?? "")
    }
  }

  private let code: OpaquePointer
  private let limits: OpaquePointer

  /// The steps from each character of a name: what two nested repetitions take on a name of 200 characters.
  private static let maximumSteps: UInt32 = 20_000
  /// The memory that a search may take for its way back, in KiB.
  private static let maximumMemory: UInt32 = 65_536

  /// Creates a pattern from the text of an expression.
  ///
  /// - Throws: ``Fault`` when it is none.
  init(_ text: String) throws {
    var error: CInt = 0
    var offset = 0
    let bytes = Array(text.utf8)
    let options = PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C
    guard let code = pcre2_compile_8(bytes, bytes.count, options, &error, &offset, nil) else {
      throw Fault(code: error, at: offset)
    }
    guard let limits = pcre2_match_context_create_8(nil) else {
      pcre2_code_free_8(code)
      throw Fault("there is no memory for it")
    }
    pcre2_set_match_limit_8(limits, Self.maximumSteps)
    pcre2_set_heap_limit_8(limits, Self.maximumMemory)
    self.code = code
    self.limits = limits
  }

  deinit {
    pcre2_match_context_free_8(limits)
    pcre2_code_free_8(code)
  }

  /// Returns whether the expression is found in a name.
  ///
  /// - Throws: ``Fault`` when the search takes more steps or memory than it may.
  func isFound(in name: String) throws -> Bool {
    guard let match = pcre2_match_data_create_8(1, nil) else { throw Fault("there is no memory for it") }
    defer { pcre2_match_data_free_8(match) }
    let bytes = Array(name.utf8)
    let result = pcre2_match_8(code, bytes, bytes.count, 0, PCRE2_NO_UTF_CHECK, match, limits)
    guard result >= 0 || result == PCRE2_ERROR_NOMATCH else { throw Fault(code: result) }
    return result != PCRE2_ERROR_NOMATCH
  }
}
