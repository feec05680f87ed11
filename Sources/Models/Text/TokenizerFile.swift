import Files
import JSON

/// A file of a released tokenizer, which its content identifies even when it was renamed.
package enum TokenizerFile: String, CaseIterable, Sendable {
  /// CLIP's pieces and their ids.
  case vocabulary = "vocab.json"
  /// CLIP's merges, best first.
  case merges = "merges.txt"
  /// SentencePiece's model.
  case sentencePiece = "spiece.model"
  /// The settings of the tokenizer's class.
  case settings = "tokenizer_config.json"
  /// The list of special tokens.
  case specialTokens = "special_tokens_map.json"
  /// The tokenizer in the format of the `tokenizers` library.
  case fast = "tokenizer.json"

  /// Returns whether content is that of this kind of file, whatever its name.
  package func matches(_ content: [UInt8]) -> Bool {
    switch self {
    case .merges: return content.starts(with: Array("#version".utf8))
    // A protocol buffer whose first field is a piece, whose own first field is its text.
    case .sentencePiece: return content.count > 3 && content[0] == 0x0A && content[2] == 0x0A
    case .vocabulary, .settings, .specialTokens, .fast: break
    }
    guard content.first(where: { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }) == UInt8(ascii: "{"),
      let json = try? JSONValue(parsing: content), let members = json.object
    else { return false }
    let isSettings = json["tokenizer_class"] != nil || json["added_tokens_decoder"] != nil
    return switch self {
    case .vocabulary: members.count > 1 && members.values.allSatisfy { $0.integer != nil }
    case .fast: json["model"]?.object != nil
    case .settings: isSettings
    default: !isSettings && (json["eos_token"] != nil || json["unk_token"] != nil)
    }
  }
}

/// Returns an error about a tokenizer's file.
func tokenizerFault(_ file: String, _ why: String) -> BenbenError {
  BenbenError(
    .malformed, "malformed tokenizer", at: file, because: why, remedies: ["Download the file again."])
}

/// Returns the error about a file of a tokenizer that is not there.
func missingTokenizerFile(_ path: String) -> BenbenError {
  BenbenError(
    .missing, "the tokenizer is not complete", at: path, because: "it is not there",
    remedies: ["Take the whole folder from the release; a model gets it by another conversion."])
}
