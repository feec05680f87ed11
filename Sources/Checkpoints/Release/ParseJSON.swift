import Files
import JSON
import Tensors

/// Reads and parses a JSON file of at most `limit` bytes.
func parseJSON(_ path: String, limit: Int) throws -> JSONValue {
  try parseJSON(try InputFile.contents(of: path, limit: limit), of: path)
}

/// Parses the content of a JSON file.
func parseJSON(_ bytes: [UInt8], of path: String) throws -> JSONValue {
  do {
    return try JSONValue(parsing: bytes)
  } catch {
    try Impostor.refuse(Array(bytes.prefix(64)), at: path)
    throw malformed("not valid JSON", path, error.description)
  }
}
