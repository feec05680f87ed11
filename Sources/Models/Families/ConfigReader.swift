import Files
import JSON
import Tensors

/// A reader of the fields of a component's `config.json` that checks every number against a range before it is used.
struct ConfigReader {
  let component: String
  let json: JSONValue

  private func fault(_ key: String, _ why: String) -> BenbenError {
    BenbenError(.malformed, "malformed config", at: "\(component)/config.json", because: "\"\(key)\" \(why)")
  }

  /// Reads an integer field; `fallback` is the official class's own default.
  func integer(_ key: String, in range: ClosedRange<Int>, default fallback: Int? = nil) throws -> Int {
    guard let value = json[key], value != .null else {
      guard let fallback else { throw fault(key, "is missing") }
      return fallback
    }
    guard let integer = value.integer, range ~= integer else {
      throw fault(key, "is \(value.canonicalText), not an integer in \(range.lowerBound)…\(range.upperBound)")
    }
    return integer
  }

  /// Reads a list of integers.
  func integers(_ key: String, in range: ClosedRange<Int>, count: ClosedRange<Int>) throws -> [Int] {
    guard let values = json[key]?.integers, count ~= values.count, values.allSatisfy({ range ~= $0 }) else {
      throw fault(key, "is not a list of integers in \(range.lowerBound)…\(range.upperBound)")
    }
    return values
  }

  /// Reads a list of booleans.
  func booleans(_ key: String, count: Int) throws -> [Bool] {
    let values = json[key]?.array?.compactMap(\.bool) ?? []
    guard values.count == count, json[key]?.array?.count == count else {
      throw fault(key, "is not a list of \(count) booleans")
    }
    return values
  }

  /// Reads a number between 0 and 1, both excluded.
  func positive(_ key: String, default fallback: Double) throws -> Float {
    guard let value = json[key] else { return Float(fallback) }
    guard let number = value.double, number > 0, number < 1 else {
      throw fault(key, "is no small positive number")
    }
    return Float(number)
  }

  /// Reads a string that must be among the implemented values.
  func text(_ key: String, among known: [String], default fallback: String) throws -> String {
    let value = json[key]?.string ?? fallback
    guard known.contains(value) else {
      throw fault(key, "is \"\(value)\"; only \(known.joined(separator: ", ")) is implemented")
    }
    return value
  }

  /// Throws unless a condition between fields holds.
  func require(_ condition: Bool, _ key: String, _ why: String) throws {
    if !condition { throw fault(key, why) }
  }
}
