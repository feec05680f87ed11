import Checkpoints
import Files
import JSON
import Models
import Tensors

/// Converts released checkpoints, single files and native models to native models.
///
/// Conversion is synchronous and uses all cores. It checks for cancellation of the calling task after every batch of
/// tensors; a conversion that ends early leaves nothing behind.
public struct ModelConverter: Sendable {
  /// What to convert.
  public enum Source: Sendable {
    /// A folder: a released checkpoint as the official repositories are laid out, or a native model.
    case folder(String)
    /// Single files, as ComfyUI users hold them.
    case files(SingleFiles)
  }

  /// How far a conversion is.
  public struct Progress: Sendable {
    /// The component that is being written.
    public let component: String
    /// Bytes of source tensors that are converted, and of all.
    public let bytes: Int, totalBytes: Int

    /// The share that is done, 0 to 1.
    public var fraction: Double { Double(bytes) / Double(max(totalBytes, 1)) }
  }

  /// What was converted.
  public let source: Source
  /// The components to convert, by their official names; empty for all, together with the tokenizers.
  public var components: [String] = []
  /// Whether weights that were rounded before may be rounded again.
  public var mayRequantize = false

  /// A converter for a released checkpoint's folder, or for a native model.
  public init(release path: String) { source = .folder(path) }

  /// A converter for single files.
  public init(files: SingleFiles) { source = .files(files) }

  /// Accounts for every tensor of the source and chooses its type, without writing anything.
  ///
  /// - Throws: `BenbenError` that names what is missing, malformed, or cannot be converted.
  public func plan(_ options: QuantizationOptions) throws -> Conversion {
    switch source {
    case .folder(let path) where NativeModel.isModel(path):
      try NativeModelImporter.plan(
        path, components: components, request: options, mayRequantize: mayRequantize)
    case .folder(let path): try ReleaseImporter.plan(path, components: components, request: options)
    case .files(let files): try SingleFileImporter(files: files).plan(request: options)
    }
  }

  /// Converts to a native model that appears whole or not at all.
  ///
  /// - Parameters:
  ///   - output: the folder to write.
  ///   - weights: the type of all weights, int8 by its built-in recipe; nil keeps them as they are stored.
  ///   - mayReplace: whether an existing model is replaced.
  ///   - onProgress: receives progress; what it throws ends the conversion and is thrown on.
  /// - Throws: `BenbenError`; `CancellationError` when the calling task was cancelled.
  public func convert(
    to output: String, weights: WeightType? = nil, mayReplace: Bool = false,
    onProgress: (Progress) throws -> Void = { _ in }
  ) throws {
    _ = try plan(QuantizationOptions(type: weights))
      .write(to: output, mayReplace: mayReplace, onProgress: onProgress)
  }
}

extension Conversion {
  /// Writes the planned model.
  ///
  /// - Returns: the report (`schemas/convert-report.schema.json`).
  @discardableResult
  package func write(
    to output: String, mayReplace: Bool, onProgress: (ModelConverter.Progress) throws -> Void
  ) throws -> JSONValue {
    var done = 0
    let total = sourceByteCount
    return try write(to: output, mayReplace: mayReplace, version: Benben.version) { component, bytes in
      try Task.checkCancellation()
      done += bytes
      try onProgress(ModelConverter.Progress(component: component, bytes: done, totalBytes: total))
    }
  }
}
