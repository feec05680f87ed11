import Files
import JSON
import Tensors

/// A component of a model as it was found: its config and its weights, whatever files hold them.
public struct SourceComponent {
  /// The component's official name.
  public let name: String
  /// What its class is configured with.
  public let config: JSONValue
  /// The opened weights.
  public let weights: WeightFiles
  /// The folder of the checkpoint that its files lie in; nil for a file on its own.
  public let folder: String?
  /// What stands before the official names in the files.
  public var prefix = ""
  /// Fields of the config that nothing told and that were taken as in the official releases.
  public var assumed: [String] = []

  /// Gathers a component.
  public init(name: String, config: JSONValue, weights: WeightFiles, folder: String? = nil) {
    self.name = name
    self.config = config
    self.weights = weights
    self.folder = folder
  }

  /// How a file of the component is named without a path of the machine.
  func identity(of file: InputFile) -> String {
    (folder.map { $0 + "/" } ?? "") + FileSystem.lastComponent(file.path)
  }
}
