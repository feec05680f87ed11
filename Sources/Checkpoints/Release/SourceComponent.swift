import Files
import JSON
import Tensors

/// A component of a model as found on disk: its config and its weights, whatever files hold them.
package struct SourceComponent {
  /// The component's official name.
  package let name: String
  /// The configuration of the component's class.
  package let config: JSONValue
  /// The opened weights.
  package let weights: WeightFiles
  /// The folder of the checkpoint that holds its files; nil for a file on its own.
  package let folder: String?
  /// The prefix of the official tensor names in the files.
  package var prefix = ""
  /// The config fields that could not be deduced and were assumed to be as in the official releases.
  package var assumed: [String] = []

  /// Creates a component from its parts.
  package init(name: String, config: JSONValue, weights: WeightFiles, folder: String? = nil) {
    self.name = name
    self.config = config
    self.weights = weights
    self.folder = folder
  }

  /// Returns the name of a file of the component, without any path of the local machine.
  func identity(of file: InputFile) -> String {
    (folder.map { $0 + "/" } ?? "") + FileSystem.lastComponent(file.path)
  }
}
