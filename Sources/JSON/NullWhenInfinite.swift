import Foundation

/// A number encoded as null when it is not finite, as JSON cannot express infinity, and decoded as infinity from null.
@propertyWrapper
public struct NullWhenInfinite: Codable, Equatable, Sendable {
  /// The number.
  public var wrappedValue: Double

  /// Wraps a number.
  public init(wrappedValue: Double) { self.wrappedValue = wrappedValue }

  /// Decodes a number or null.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    wrappedValue = container.decodeNil() ? .infinity : try container.decode(Double.self)
  }

  /// Encodes the number, or null when it is NaN or infinite.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try wrappedValue.isFinite ? container.encode(wrappedValue) : container.encodeNil()
  }
}
