import Files
import JSON
import Tensors

/// Reads and parses a JSON file of at most `limit` bytes.
func parseJSON(_ file: InputFile, limit: Int) throws -> JSONValue {
  try parseJSON(try file.contents(limit: limit), of: file.path)
}

/// Parses the content of a JSON file.
func parseJSON(_ bytes: [UInt8], of path: String) throws -> JSONValue {
  do {
    return try JSONValue(parsing: bytes)
  } catch {
    try Impostor.refuse(Array(bytes.prefix(64)), at: path)
    throw BenbenError(
      .malformed, "not valid JSON", at: path, because: error.description,
      remedies: error.offset >= bytes.count ? ["It is cut short: download it again."] : [])
  }
}
