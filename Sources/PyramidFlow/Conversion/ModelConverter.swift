import Checkpoints
import Files
import JSON
import Models
import Tensors

/// A converter of released checkpoints, single files and native models to native models.
///
/// Conversion is synchronous and uses all cores: called from a task, it keeps a thread of the task's pool for as long as it
/// lasts. It checks for cancellation of the calling task after every batch of
/// tensors. A conversion that fails leaves nothing behind; one that is cancelled, or whose process is killed, leaves what
/// it wrote beside the output, and the same conversion to the same place goes on with it.
public struct ModelConverter: Sendable {
  /// The source of a conversion.
  public enum Source: Sendable {
    /// A folder: a released checkpoint as the official repositories are laid out, or a native model.
    case folder(String)
    /// Single files, as used with ComfyUI.
    case files(SingleFiles)
  }

  /// The progress of a conversion.
  public struct Progress: Sendable {
    /// The component that is being written.
    public let component: String
    /// The bytes of source tensors converted so far, and of all source tensors.
    public let bytes: Int, totalBytes: Int
    /// Those of them that an earlier run converted.
    public let resumedBytes: Int

    /// The share that is done, 0 to 1.
    public var fraction: Double { Double(bytes) / Double(max(totalBytes, 1)) }
  }

  /// The source to convert.
  public let source: Source
  /// The components to convert, by their official names; empty for all, together with the tokenizers.
  public var components: [String] = []
  /// Whether weights that were rounded before may be rounded again.
  public var mayRequantize = false
  /// Which weights are meant where a file also holds their moving average; nil for the weights themselves where there are
  /// any.
  public var trainedWeights: TrainedWeights?

  /// Creates a converter for a released checkpoint's folder, or for a native model.
  public init(release path: String) { source = .folder(path) }

  /// Creates a converter for single files.
  public init(files: SingleFiles) { source = .files(files) }

  /// Accounts for every tensor of the source and chooses its type, without writing anything.
  ///
  /// A tensor that overflows its type, or loses too much in it, is written in a wider one.
  ///
  /// - Throws: `BenbenError` that names what is missing, malformed, or cannot be converted.
  public func plan(_ options: QuantizationOptions) throws -> Conversion {
    let conversion = try planned(options)
    try requireTokenizers(conversion)
    if trainedWeights == .ema, !conversion.plans.contains(where: { $0.source.weights.isAverage }) {
      throw BenbenError(
        .missing, "there is no moving average", at: place,
        because: "no name of a tensor starts with ema. or the like",
        remedies: ["Convert the weights that are there."])
    }
    if trainedWeights == .model, let plan = conversion.plans.first(where: { $0.source.weights.isAverage }) {
      throw BenbenError(
        .missing, "there is nothing but a moving average", at: place,
        because: "all weights of \(plan.component) are one", remedies: ["Take the average."])
    }
    let configs = conversion.plans.map { ($0.component, $0.source.config) }
    if let family = ModelFamily.named(conversion.family),
      let misfit = try family.misfit(of: Dictionary(configs) { first, _ in first })
    {
      throw BenbenError(
        .malformed, "the components do not fit together", at: place, because: misfit,
        remedies: [
          conversion.plans.contains { $0.source.folder != nil }
            ? "Put every encoder into the folder that its release has it in."
            : "Name transformer and encoders of one release."
        ])
    }
    return conversion
  }

  /// Throws when a tokenizer that is taken over cannot be read, or does not fit its text encoder.
  private func requireTokenizers(_ conversion: Conversion) throws {
    guard let family = ModelFamily.named(conversion.family) else { return }
    for (folder, _) in family.tokenizers {
      let files = conversion.auxiliary.filter { $0.path.hasPrefix(folder + "/") }
      guard !files.isEmpty else { continue }
      let encoder = conversion.plans.first { ModelFamily.tokenizer(of: $0.component) == folder }
      do {
        try family.requireTokenizer(folder, config: encoder?.source.config) { name in
          files.first { $0.path == "\(folder)/\(name)" }?.contents
        }
      } catch let error as BenbenError {
        throw error.with(subject: "\(tokenizerRoot)/\(error.subject)")
      }
    }
  }

  /// The folder that holds those of the tokenizers.
  private var tokenizerRoot: String {
    switch source {
    case .folder(let path): path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
    case .files(let files): files.tokenizers ?? ""
    }
  }

  /// The folder or file that errors about the whole source name.
  private var place: String {
    switch source {
    case .folder(let path): path
    case .files(let files):
      [files.transformer, files.t5, files.vae].compactMap { $0 }.first ?? files.clips.first ?? "the files"
    }
  }

  private func planned(_ options: QuantizationOptions) throws -> Conversion {
    switch source {
    case .folder(let path) where NativeModel.isModel(path):
      try NativeModelImporter.plan(
        path, components: components, request: options, mayRequantize: mayRequantize)
    case .folder(let path) where FileSystem.exists(path) && !FileSystem.isFolder(path):
      let place = ForeignPlace(path)
      throw BenbenError(
        .malformed, "not a checkpoint", at: path, because: place?.why ?? "it is not a folder",
        remedies: [
          place?.remedy
            ?? "Give the folder that holds causal_video_vae, text_encoder, … and a diffusion_transformer_*."
        ],
        code: .notARelease)
    case .folder(let path):
      try ReleaseImporter.plan(path, components: components, trained: trainedWeights, request: options)
    case .files(let files):
      try SingleFileImporter(files: files, trained: trainedWeights).plan(request: options)
    }
  }

  /// Converts the source to a native model, which is written completely or not at all.
  ///
  /// - Parameters:
  ///   - output: the folder to write.
  ///   - weights: the type of all weights, int8 by its built-in recipe; nil keeps them as they are stored.
  ///   - mayReplace: whether an existing model is replaced.
  ///   - restarts: whether what an interrupted run left beside the output is thrown away.
  ///   - onProgress: receives progress; an error that it throws ends the conversion and is rethrown.
  /// - Throws: `BenbenError`; `CancellationError` when the calling task was cancelled.
  public func convert(
    to output: String, weights: WeightType? = nil, mayReplace: Bool = false, restarts: Bool = false,
    onProgress: (Progress) throws -> Void = { _ in }
  ) throws {
    try Conversion.requirePossible(output: output, mayReplace: mayReplace)
    try plan(QuantizationOptions(type: weights))
      .write(to: output, mayReplace: mayReplace, restarts: restarts, onProgress: onProgress)
  }
}

extension Conversion {
  /// Writes the planned model, completely or not at all.
  ///
  /// - Parameters:
  ///   - output: the folder to write.
  ///   - mayReplace: whether an existing model is replaced.
  ///   - restarts: whether what an interrupted run left beside the output is thrown away.
  ///   - onProgress: receives progress; an error that it throws ends the conversion and is rethrown.
  /// - Throws: `BenbenError`; `CancellationError` when the calling task was cancelled.
  public func write(
    to output: String, mayReplace: Bool = false, restarts: Bool = false,
    onProgress: (ModelConverter.Progress) throws -> Void = { _ in }
  ) throws {
    _ = try writeReporting(to: output, mayReplace: mayReplace, restarts: restarts, onProgress: onProgress)
  }

  /// Writes the planned model, and returns the report (`schemas/convert-report.schema.json`).
  package func writeReporting(
    to output: String, mayReplace: Bool, restarts: Bool = false,
    onProgress: (ModelConverter.Progress) throws -> Void
  ) throws -> JSONValue {
    var (done, resumed) = (0, 0)
    let total = sourceByteCount
    return try write(
      to: output, mayReplace: mayReplace, restarts: restarts, version: Benben.version,
      resumed: { resumed += $0 },
      progress: { component, bytes in
        try Task.checkCancellation()
        done += bytes
        try onProgress(
          ModelConverter.Progress(
            component: component, bytes: resumed + done, totalBytes: total, resumedBytes: resumed))
      })
  }
}
