import Files
import JSON
import Tensors

/// T5's SentencePiece tokenizer (`transformers`, `T5TokenizerFast`).
///
/// Ids are those of SentencePiece, which `transformers` reproduces with code of its own. One difference is known: where
/// two or more combining marks follow a letter (as in decomposed Vietnamese), or a mark or joiner follows a
/// compatibility character such as `ﬁ` or `２`, SentencePiece normalises the parts and `transformers` the whole cluster.
/// Composed (NFC) text, as keyboards produce it, is not affected.
package struct T5Tokenizer {
  /// The files in a release's tokenizer folder, from the first two of which the tokenizer is built.
  package static let files: [TokenizerFile] = [.sentencePiece, .settings, .specialTokens, .fast]
  /// The number of ids that the pipeline requests, padding included.
  package static let length = 128
  private static let endOfText = 1, padding = 0

  private let processor: SentencePieceProcessor
  private let added: AddedTokens

  /// Reads the tokenizer's files; see ``CLIPTokenizer/init(folder:file:)`` for the parameters.
  package init(folder: String, file: (String) throws -> [UInt8]?) throws {
    let modelPath = folder + "/spiece.model"
    guard let model = try file("spiece.model") else { throw missingTokenizerFile(modelPath) }
    let checked: SentencePieceModel
    do { checked = try SentencePieceModel(model) } catch { throw tokenizerFault(modelPath, error.reason) }
    guard let processor = SentencePieceProcessor(checked) else {
      throw tokenizerFault(modelPath, "SentencePiece cannot read it")
    }
    self.processor = processor
    let size = processor.vocabularySize
    let configPath = folder + "/tokenizer_config.json"
    var tokens: [(text: String, id: Int)] = []
    if let bytes = try file("tokenizer_config.json") {
      let config: JSONValue
      do { config = try JSONValue(parsing: bytes) } catch {
        throw tokenizerFault(configPath, error.description)
      }
      for (key, value) in config["added_tokens_decoder"]?.object ?? [:] {
        guard let id = Int(key), String(id) == key, 0..<10_000_000 ~= id, let text = value["content"]?.string,
          text.unicodeScalars.count <= AddedTokens.maximumLength
        else {
          throw tokenizerFault(
            configPath, "added token \"\(key.prefix(40))\" has no id or no sensible content")
        }
        tokens.append((text, id))
      }
    }
    if tokens.isEmpty {
      // Old releases do not list their added tokens, among them a hundred sentinels, the last of which comes right
      // after the vocabulary.
      tokens = [("<pad>", Self.padding), ("</s>", Self.endOfText), ("<unk>", 2)]
      tokens += (0..<100).map { ("<extra_id_\($0)>", size + 99 - $0) }
    }
    added = AddedTokens(tokens)
  }

  /// Throws when a model has other pieces than the vocabulary of the `tokenizers` library's file beside it begins with: one of
  /// them is damaged, or of another release.
  static func requirePieces(of model: [UInt8], in fast: [UInt8], folder: String) throws {
    let texts: [[UInt8]]
    do { texts = try SentencePieceModel(model).texts } catch {
      throw tokenizerFault(folder + "/spiece.model", error.reason)
    }
    let vocabulary = (try? JSONValue(parsing: fast))?["model"]?["vocab"]?.array ?? []
    guard vocabulary.count >= texts.count else {
      throw tokenizerFault(
        folder + "/tokenizer.json",
        "its vocabulary has \(vocabulary.count) pieces, that of spiece.model \(texts.count)")
    }
    for (id, text) in texts.enumerated() {
      let other = vocabulary[id].array?.first?.string ?? ""
      guard other.utf8.elementsEqual(text) else {
        throw tokenizerFault(
          folder + "/spiece.model",
          "its piece \(id) is \"\(String(decoding: text, as: UTF8.self).prefix(40))\", in tokenizer.json it is \"\(other.prefix(40))\": one of both is of another model"
        )
      }
    }
  }

  /// The number of pieces, added tokens aside, for which a small encoder need not have embeddings.
  var vocabularySize: Int { processor.vocabularySize }

  /// Tokenizes a text: its ids truncated to fit, end of text, and padding to 128.
  package func callAsFunction(_ text: String) throws -> TokenizedText {
    var ids: [Int] = []
    for piece in added.split(text) {
      switch piece {
      case .token(let id): ids.append(id)
      case .text(let text): ids += try encode(text)
      }
    }
    let isCut = ids.count > Self.length - 1
    ids = ids.prefix(Self.length - 1) + [Self.endOfText]
    return TokenizedText(
      ids: ids + Array(repeating: Self.padding, count: Self.length - ids.count), count: ids.count,
      isCut: isCut)
  }

  private func encode(_ text: String) throws -> [Int] {
    guard let ids = processor.encode(text, limit: Self.length) else {
      throw tokenizerFault("spiece.model", "SentencePiece failed on the text")
    }
    return ids
  }
}
