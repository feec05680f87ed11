import Foundation

extension JSONValue: Codable {
  /// Decodes any JSON value.
  package init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if let value = try? container.decode(Bool.self) {
      self = .bool(value)
    } else if let value = try? container.decode(Int.self) {
      self = .integer(value)
    } else if let value = try? container.decode(Double.self) {
      self = .number(value)
    } else if let value = try? container.decode(String.self) {
      self = .string(value)
    } else if let value = try? container.decode([JSONValue].self) {
      self = .array(value)
    } else {
      self = .object(try container.decode([String: JSONValue].self))
    }
  }

  /// Encodes the value; a number that is not finite is encoded as null, as in ``canonicalText``.
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .null: try container.encodeNil()
    case .bool(let value): try container.encode(value)
    case .integer(let value): try container.encode(value)
    case .number(let value): try value.isFinite ? container.encode(value) : container.encodeNil()
    case .string(let value): try container.encode(value)
    case .array(let value): try container.encode(value)
    case .object(let value): try container.encode(value)
    }
  }
}

extension JSONValue {
  /// Creates the JSON of an encodable value.
  ///
  /// - Throws: any error of the encoding; for values without NaN or infinity, that is a programming error.
  package init(encoding value: some Encodable) throws {
    self = try JSONValue(parsing: Array(try JSONEncoder().encode(value)))
  }

  /// Returns the value of a decodable type that this JSON describes.
  ///
  /// - Throws: `DecodingError` when a member is missing or of another type.
  package func decoded<Value: Decodable>(as type: Value.Type) throws -> Value {
    try JSONDecoder().decode(type, from: Data(canonicalText.utf8))
  }
}

extension DecodingError {
  /// What is wrong with a document, for its reader.
  package var reason: String {
    func place(_ path: [any CodingKey]) -> String {
      path.map { $0.intValue.map { "[\($0)]" } ?? $0.stringValue }.joined(separator: ".")
    }
    return switch self {
    case .keyNotFound(let key, let context): "it lacks \(place(context.codingPath + [key]))"
    case .typeMismatch(_, let context), .valueNotFound(_, let context):
      "\(place(context.codingPath)) is not of the type that it should have"
    case .dataCorrupted(let context): context.debugDescription
    @unknown default: "it is not of its schema"
    }
  }
}
