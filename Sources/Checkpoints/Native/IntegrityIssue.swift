/// A part of a model that is not as it was written.
public struct IntegrityIssue: Codable, Equatable, Sendable {
  /// The path of the file, inside the model.
  public let file: String
  /// The tensor, or nil when the damage is outside of tensors.
  public let tensor: String?
  /// The fault that was found.
  public let why: String

  /// Creates an issue.
  package init(file: String, tensor: String?, why: String) {
    self.file = file
    self.tensor = tensor
    self.why = why
  }

  private enum CodingKeys: CodingKey {
    case file, tensor, why
  }

  /// Writes the issue; a tensor that is nil is written as null.
  public func encode(to encoder: any Encoder) throws {
    var members = encoder.container(keyedBy: CodingKeys.self)
    try members.encode(file, forKey: .file)
    try members.encode(tensor, forKey: .tensor)
    try members.encode(why, forKey: .why)
  }
}
