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

  /// Where the config stands, for messages; nil for one that was deduced.
  package var configPath: String?
  /// Whether the config was deduced from the shapes of the tensors.
  var isDeduced: Bool { configPath == nil && folder == nil }
  /// The same as a subject of errors.
  package var configPlace: String {
    configPath ?? "the config that the shapes of \(weights.files.first?.path ?? name) give"
  }
  /// The files of weights in its folder that are not read, because another was taken.
  package var unread: [String] = []
  /// What is said of ``unread``; nil when there is nothing.
  package var unreadText: String? {
    guard !unread.isEmpty, let taken = weights.files.first else { return nil }
    let others = unread.count > 3 ? "\(unread.count) other files" : unread.joined(separator: " and ")
    return
      "\(FileSystem.lastComponent(taken.path)) is read; \(others) beside it \(unread.count > 1 ? "are" : "is") not"
  }

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
