import Files
import JSON
import Tensors

/// Reads and parses a JSON file of at most `limit` bytes.
func parseJSON(_ path: String, limit: Int) throws -> JSONValue {
  let bytes = try InputFile.contents(of: path, limit: limit)
  do {
    return try JSONValue(parsing: bytes)
  } catch {
    throw malformed("not valid JSON", path, error.description)
  }
}
