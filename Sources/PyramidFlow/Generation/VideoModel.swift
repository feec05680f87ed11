import Checkpoints
import Clips
import Files
import Kernels
import Models

/// A native model that generates clips.
///
/// An actor with its own OS thread, on which its kernels run: it can be used from any task, actor or thread. Calls of
/// one model run one after the other; several models run side by side. None of them changes settings of the process.
///
/// Cancelling the task that called ``generate(_:variant:image:noise:options:onEvent:)`` ends the run after the current
/// block of a transformer or convolution of the VAE, with `CancellationError`; a call that waits for another one
/// of the same model ends when its turn comes.
public actor VideoModel {
  /// The model's files.
  package nonisolated let native: NativeModel
  /// The number of threads that the model's kernels use.
  public nonisolated let threads: Int
  private let thread: KernelThread

  /// The executor of the model's own thread.
  public nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

  /// Opens a native model; weights are mapped when they are first used.
  ///
  /// - Parameters:
  ///   - path: the folder that ``ModelConverter`` wrote.
  ///   - threads: the number of threads that kernels use; nil for one per physical core within the process's CPU quota, or
  ///     `OMP_NUM_THREADS`. More threads than processors hinder each other.
  /// - Throws: `BenbenError` when the folder is not a native model or its manifest is malformed, or there are no threads.
  public init(at path: String, threads: Int? = nil) throws {
    guard threads ?? 1 > 0 else {
      throw BenbenError(.usage, "not valid", at: "\(threads ?? 0) threads", because: "one is needed at least")
    }
    native = try NativeModel(path: path)
    thread = try KernelThread(threads: threads)
    self.threads = thread.threads
  }

  /// The path of the model's folder.
  public nonisolated var path: String { native.path }
  /// The family: `miniflux` or `sd3`.
  public nonisolated var family: String { native.family }
  /// The variants that the model holds: 384p, 768p, image.
  public nonisolated var variants: [String] { native.variants }

  /// Calls a function with the model's parts on the model's thread.
  package func withParts<Result: Sendable>(
    _ body: @Sendable (LoadedModel) throws -> Result
  ) throws -> Result {
    try body(KernelThread.resident { try LoadedModel(native, in: KernelContext()) })
  }

  /// Returns an estimate of the memory that a run needs.
  ///
  /// - Throws: `BenbenError` when the request cannot be carried out, the model has no transformer of the variant, or a
  ///   component is damaged.
  public nonisolated func memoryPlan(
    for request: GenerationRequest, variant: String? = nil
  ) throws -> MemoryPlan {
    try MemoryPlan(native, variant: native.variant(variant ?? request.variant), request)
  }

  /// Returns an estimate of what a run needs on this machine, the time from parts of it that are run.
  ///
  /// - Parameters:
  ///   - request: what would be generated.
  ///   - variant: the transformer, where the model has several; nil for the request's, else 384p, else the first one.
  ///   - image: the first frame, of the clip's size, when the request starts from an image.
  ///   - historyCaching: what the run would keep of finished latents.
  ///   - memoryLimit: the most memory that the run may need, mapped weights included, in bytes; nil for the machine's.
  ///   - onEvent: receives progress on the model's thread; an error that it throws ends the measurement and is rethrown.
  /// - Throws: `BenbenError` when the request cannot be carried out or the model is damaged; `CancellationError` when
  ///   the task was cancelled.
  public func plan(
    for request: GenerationRequest, variant: String? = nil, image: Clip? = nil,
    historyCaching: HistoryCaching = .automatic, memoryLimit: Int? = nil,
    onEvent: @Sendable (GenerationEvent) throws -> Void = { _ in }
  ) throws -> GenerationPlan {
    try withParts { parts in
      let variant = try native.variant(variant ?? request.variant)
      let memory = try memoryPlan(for: request, variant: variant)
      try memory.requireFit(limit: memoryLimit)
      let (calls, seconds) = try Pipeline(parts, variant: variant, historyCaching: historyCaching).measure(
        request, image: image, onEvent: onEvent)
      return GenerationPlan(memory: memory, threads: threads, calls: calls, seconds: seconds)
    }
  }

  /// Generates a clip.
  ///
  /// - Parameters:
  ///   - request: the prompt, size, length, steps and guidance.
  ///   - variant: the transformer, where the model has several; nil for the request's, else 384p, else the first one.
  ///   - image: the first frame, of the clip's size, when the request starts from an image; `Clip.resized` of module
  ///     Media resizes one as the official example does.
  ///   - noise: the origin of the noise.
  ///   - options: the files to keep for a later run, and the memory limit.
  ///   - onEvent: receives progress on the model's thread; an error that it throws ends the run and is rethrown.
  /// - Returns: the clip, 1 + 8·(T − 1) frames.
  /// - Throws: `BenbenError` when the request cannot be carried out or the model is damaged; `CancellationError` when
  ///   the task was cancelled.
  public func generate(
    _ request: GenerationRequest, variant: String? = nil, image: Clip? = nil, noise: Noise = .seed(0),
    options: GenerationOptions = GenerationOptions(),
    onEvent: @Sendable (GenerationEvent) throws -> Void = { _ in }
  ) throws -> Clip {
    try withParts { parts in
      let variant = try native.variant(variant ?? request.variant)
      try memoryPlan(for: request, variant: variant).requireFit(limit: options.memoryLimit)
      let resume = ResumeState(
        embeddings: options.embeddings, latents: options.latents, noise: noise.identity, model: parts.native,
        variant: variant, family: parts.family)
      return try Pipeline(
        parts, variant: variant, resume: resume, historyCaching: options.historyCaching,
        historyFolder: options.historyFolder, showsPreviews: options.previews
      ).run(
        request, image: image, noise: try noise.makeSource(),
        onValue: { try $0.requireFinite(in: parts.native) }, onEvent: onEvent)
    }
  }
}
