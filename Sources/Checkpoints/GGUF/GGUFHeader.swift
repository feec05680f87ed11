import Files

/// A reader of a GGUF file's header, which keeps a window of the file in memory and checks every length before use.
struct GGUFHeader {
  /// The greatest length of a header in bytes; that of a T5 encoder with its vocabulary takes one million.
  static let maximumLength = 100_000_000
  /// The greatest length of a string that is kept, in bytes.
  private static let maximumStringLength = 1 << 16
  private static let windowLength = 1 << 20

  private let file: InputFile
  private var window: [UInt8] = []
  private var windowStart = 0
  /// The offset of the next byte in the file.
  private(set) var position = 0

  init(_ file: InputFile) { self.file = file }

  /// A value's type by its number in a file (`gguf_metadata_value_type`).
  private enum ValueType: UInt32 {
    case u8, i8, u16, i16, u32, i32, f32, bool, string, array, u64, i64, f64

    /// The size in bytes of a number, nil for other values.
    var size: Int? {
      switch self {
      case .u8, .i8, .bool: 1
      case .u16, .i16: 2
      case .u32, .i32, .f32: 4
      case .u64, .i64, .f64: 8
      case .string, .array: nil
      }
    }
  }

  /// A value of the metadata that is of use here.
  enum Value: Equatable {
    case text(String)
    case number(UInt64)
    case float(Float)
    /// A value that was passed over.
    case other
  }

  func fault(_ why: String) -> BenbenError {
    malformed("malformed GGUF file", file.path, "\(why), at byte \(position)")
  }

  private func endsTooEarly() -> BenbenError {
    cutShort(file, "its header goes on at byte \(position), the file ends at \(file.size)")
  }

  /// Returns the next bytes; `count` is at most the greatest length of a string.
  private mutating func bytes(_ count: Int) throws -> ArraySlice<UInt8> {
    guard position + count <= Self.maximumLength else { throw fault("the header is too long") }
    guard count <= file.size - position else { throw endsTooEarly() }
    if position < windowStart || position + count > windowStart + window.count {
      windowStart = position
      window = try file.bytes(at: position, count: min(Self.windowLength, file.size - position))
    }
    defer { position += count }
    return window[position - windowStart..<position - windowStart + count]
  }

  private mutating func skip(_ count: Int) throws {
    guard count <= Self.maximumLength - position else { throw fault("the header is too long") }
    guard count <= file.size - position else { throw endsTooEarly() }
    position += count
  }

  mutating func number(_ count: Int) throws -> UInt64 {
    try bytes(count).reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  /// Returns a count or a dimension.
  mutating func integer() throws -> Int {
    guard let value = Int(exactly: try number(8)) else { throw fault("a count does not fit 63 bits") }
    return value
  }

  mutating func string() throws -> String {
    let length = try integer()
    guard length <= Self.maximumStringLength else { throw fault("a string of \(length) bytes") }
    guard let text = String(validating: try bytes(length), as: UTF8.self) else {
      throw fault("a string that is not UTF-8")
    }
    return text
  }

  mutating func value() throws -> Value {
    switch try valueType() {
    case .string:
      // A license may be long; it is passed over.
      let start = position
      let length = try integer()
      if length > Self.maximumStringLength {
        try skip(length)
        return .other
      }
      position = start
      return .text(try string())
    case .array:
      let element = try valueType()
      let count = try integer()
      if let size = element.size {
        let (length, overflow) = count.multipliedReportingOverflow(by: size)
        guard !overflow else { throw endsTooEarly() }
        try skip(length)
      } else {
        guard element == .string else { throw fault("an array of arrays") }
        for _ in 0..<count { try skip(try integer()) }
      }
      return .other
    case .f32: return .float(Float(bitPattern: UInt32(try number(4))))
    case let type:
      return .number(try number(type.size ?? 0))
    }
  }

  private mutating func valueType() throws -> ValueType {
    let code = UInt32(try number(4))
    guard let type = ValueType(rawValue: code) else { throw fault("a value of the unknown type \(code)") }
    return type
  }
}
