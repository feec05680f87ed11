import ArgumentParser
import Checkpoints
import Clips
import Files
import Foundation
import JSON
import Media
import Models
import PyramidFlow

struct Generate: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Generate a clip or an image from a prompt.",
    discussion: """
      The defaults are those of the official demos for the variant: 640×384 for 384p, 1280×768 for 768p, 1024×1024 \
      and one frame for image; 16 latent frames (5 seconds). From an image, every generated frame has --steps \
      (10,10,10) and --video-guidance-scale (4). An image of other proportions is stretched to the clip's size, as in \
      the official example, unless --fit says otherwise.
      """)

  @Argument(help: "The model folder.", completion: .directory)
  var model: String

  @Option(help: "What to show.")
  var prompt: String?

  @Option(help: "The clip: .mp4, .gif, .png (one image), or a folder of PNGs.", completion: .file())
  var output: String

  @Option(
    help: "Start from this image (PNG, JPEG, WebP, BMP, TIFF, GIF, AVIF): the first frame of the clip.",
    completion: .file())
  var image: String?

  @Option(help: "How an image of other proportions becomes a frame: crop, pad or stretch. (default: stretch)")
  var fit: Clip.Fit?

  @Option(
    help: "Repeat this clip of benben's: whatever is not given here is as it was there.", completion: .file())
  var like: String?

  @Option(help: "What to keep away from (default: the official text).")
  var negativePrompt: String?

  @Option(help: "Which transformer: 384p, 768p or image.", completion: .variant)
  var variant: String?

  @Option(help: "Pixels, a multiple of 64.")
  var width: Int?

  @Option(help: "Pixels, a multiple of 64.")
  var height: Int?

  @Option(help: "Latent frames, 1 to 31: 1 is an image, 16 are 5 seconds.")
  var temp: Int?

  @Option(help: "Steps of the three stages for the first latent frame, as A,B,C.")
  var steps: StepList?

  @Option(help: "Steps of the three stages for later latent frames, as A,B,C.")
  var videoSteps: StepList?

  @Option(help: "Guidance of the first latent frame: a number, such as 7.")
  var guidanceScale: Float?

  @Option(help: "Guidance of later latent frames: a number, such as 5.")
  var videoGuidanceScale: Float?

  @Option(
    help: """
      How the VAE divides frames: official (tiles of 256 pixels, as the demos do) or none (less work and no seams, more \
      memory).
      """)
  var vaeTiling: GenerationRequest.VAETiling?

  @Option(help: "Be faster at a measured cost: history[=NODES], or off. (default: off)")
  var approximate: Approximation?

  @Flag(help: "Replace an existing output.")
  var force = false

  @OptionGroup var noise: NoiseOptions

  @Option(help: "Frames a second. (default: 24)")
  var fps: Int?

  @Flag(help: "Keep how the clip was made (prompt, seed, settings, the model's hashes) out of it.")
  var noMetadata = false

  @Option(
    help: "Keep the texts' embeddings in this file, or take them from it when it exists (safetensors).",
    completion: .file())
  var embeddings: String?

  @Flag(
    help: """
      Keep every finished latent frame beside the output (NAME.latents), and go on from there when a run of the same \
      request was interrupted.
      """)
  var resume = false

  @Option(
    help: """
      Keep the keys and values of finished latents, which saves time and loses nothing: auto, off, at most so many bytes \
      (such as 4GB), or in this folder (default: auto, beside the output).
      """)
  var historyCache: HistoryCacheOption?

  @Option(help: "Refuse to start a run that needs more memory, mapped weights included (such as 8GB).")
  var memoryLimit: ByteCount?

  @Option(help: "Show the newest frame, small, in this PNG after each latent.", completion: .file())
  var preview: String?

  @Flag(help: "Only tell the memory and the time that the run would take, by a minute of measuring.")
  var dryRun = false

  @Option(
    help: "Write what took how long, or the plan, to this file as JSON (- for standard output).",
    completion: .file())
  var json: String?

  @OptionGroup var common: CommonOptions

  /// Three numbers of steps.
  struct StepList: ExpressibleByArgument {
    let counts: [Int]

    init?(argument: String) {
      guard let counts = argument.integers(separatedBy: { $0 == "," }), counts.count == 3 else { return nil }
      self.counts = counts
    }
  }

  func validate() throws {
    if output == "-" {
      throw ValidationError("--output -: a clip is written to a file or a folder, not to standard output")
    }
    if ClipWriter.Format(path: output) == nil {
      throw ValidationError("--output \(output): use .mp4, .gif, .png, or a folder of PNGs")
    }
    if let preview, ClipWriter.Format(path: preview) != .png {
      throw ValidationError("--preview \(preview): a preview is a .png")
    }
    if prompt == nil, like == nil { throw ValidationError("--prompt is missing; say what to show") }
    // Characters that show nothing say nothing either.
    if let prompt,
      prompt.unicodeScalars.allSatisfy({
        $0.properties.isWhitespace || $0.properties.isDefaultIgnorableCodePoint
      })
    {
      throw ValidationError("--prompt is empty; say what to show")
    }
    if let fps, !(GenerationRequest.framesPerSecondRange ~= fps) {
      throw ValidationError("--fps must be 1 to 240, not \(fps)")
    }
    if max(prompt?.utf8.count ?? 0, negativePrompt?.utf8.count ?? 0) > GenerationRequest.maximumPromptLength {
      throw ValidationError("a prompt is longer than \(GenerationRequest.maximumPromptLength) bytes")
    }
  }

  mutating func run() async throws {
    let loaded = try VideoModel(at: model, threads: common.threads)
    let repeated = try like.map { try ClipProvenance(text: ClipReader.comment(of: $0), of: $0) }
    let variant = try loaded.native.variant(variant ?? repeated?.variant)
    if let repeated, repeated.image != nil, image == nil {
      throw ValidationError("--image: \(like ?? "the clip") was made from an image; name it")
    }
    let request = try settings.request(
      variant: variant, like: repeated?.request, startsFromImage: image != nil,
      isPicture: ClipWriter.Format(path: output) == .png)
    // Hours of work must not end at an output that cannot be written.
    if ClipWriter.Format(path: output) == .png, request.latentFrames > 1 {
      throw ValidationError("--output \(output): an image has one frame; use --temp 1, or a folder or video")
    }
    try OutputPlaces.requireApart(
      [output, preview, json], from: [model, image, embeddings, like, noise.noise],
      keeping: [preview, embeddings])
    try ClipWriter.requireWritable(output, mayReplace: force)
    if let preview {
      // What a run that goes on showed before may be shown anew.
      let isOwn = resume && FileSystem.exists(latentsPath) && ClipReader.isPreview(preview)
      try ClipWriter.requireWritable(preview, mayReplace: force || isOwn)
    }
    try Console.requireWritable(json)
    if let embeddings, !FileSystem.exists(embeddings) { try Console.requireWritable(embeddings) }
    for line in try loaded.memoryPlan(for: request, variant: variant).lines { common.say(line) }
    if let remark = noise.remark { common.say(remark) }
    for remark in idleOptions(request)
      + request.remarks(variant: ReleasedVariant.named(variant), startsFromImage: image != nil)
    {
      common.say("note: \(remark)")
    }
    let noise = try noise.chosen(like: repeated)
    let fit = fit ?? repeated?.image?.fit ?? .stretch
    let first = try firstFrame(request, fit)
    if let repeated {
      common.say("repeating: \(request.prompt) (\(noise.identity))")
      for remark in repeated.remarks(on: loaded, image: first, noise: noise) { common.say("note: \(remark)") }
    }
    let cache = historyCache?.caching ?? .automatic
    if dryRun {
      let progress = ProgressLine(isQuiet: common.quiet)
      let plan = try await loaded.plan(
        for: request, variant: variant, image: first, historyCaching: cache, memoryLimit: memoryLimit?.count
      ) {
        if case .began(let phase) = $0 { progress.begin("measuring: \(phase.rawValue)") }
        try Interruption.check()
      }
      for line in plan.timeLines { common.say(line) }
      if let json { try Console.write(plan.json, to: json) }
      return
    }
    let fps = fps ?? repeated?.framesPerSecond ?? 24
    let provenance = try ClipProvenance(
      of: request, model: loaded, variant: variant, noise: noise, image: first, fit: fit, framesPerSecond: fps
    )
    let timer = GenerationTimer()
    let progress = ProgressLine(isQuiet: common.quiet)
    let clip = try await loaded.generate(
      request, variant: variant, image: first, noise: noise,
      options: GenerationOptions(
        embeddings: embeddings, latents: resume ? latentsPath : nil, memoryLimit: memoryLimit?.count,
        historyCaching: cache,
        historyFolder: historyCache?.folder ?? FileSystem.parent(of: output), previews: preview != nil)
    ) { [quiet = common.quiet, preview] event in
      timer.observe(event)
      if case .previewed(let frame, _, _) = event, let preview {
        // A look at it is not worth the run.
        do { try ClipWriter.writePreview(frame, to: preview) } catch {
          Console.note("note: \(error)")
        }
      }
      try progress.show(event, of: request, quiet: quiet)
    }
    try ClipWriter.writeOrKeep(
      clip, framesPerSecond: fps, to: output, comment: noMetadata ? nil : try provenance.text,
      mayReplace: force)
    timer.end("writing")
    if resume, FileSystem.exists(latentsPath) { try FileManager.default.removeItem(atPath: latentsPath) }
    if let json { try Console.write(try JSONValue(encoding: timer.report(request, model: loaded)), to: json) }
    common.say("\(output): \(clip.count) frame\(clip.count == 1 ? "" : "s") of \(clip.width)×\(clip.height)")
  }

  /// What was asked for in vain.
  private func idleOptions(_ request: GenerationRequest) -> [String] {
    let later = videoSteps != nil || videoGuidanceScale != nil
    return [
      fit != nil && image == nil ? "--fit does nothing without --image" : nil,
      noise.noise != nil && noise.seeded.seed != nil ? "--seed does nothing beside --noise" : nil,
      image != nil && videoSteps != nil
        ? "--video-steps does nothing: from an image, all frames have --steps" : nil,
      image != nil && guidanceScale != nil
        ? "--guidance-scale does nothing: from an image, all frames have --video-guidance-scale" : nil,
      image == nil && request.latentFrames == 1 && later ? "--video-… does nothing: there is one frame" : nil,
      image == nil && request.latentFrames == 1 && request.approximation != .off
        ? "--approximate does nothing: the first frame has no history" : nil,
    ].compactMap(\.self)
  }

  /// Where finished latent frames stand until the clip is written.
  private var latentsPath: String {
    (output.hasSuffix("/") ? String(output.dropLast()) : output) + ".latents"
  }

  /// The image at the clip's size.
  private func firstFrame(_ request: GenerationRequest, _ fit: Clip.Fit) throws -> Clip? {
    try image.map { path in
      let picture = try ClipReader.read(path, maximumFrames: 1)
      let fitting = picture.fitRemark(width: request.width, height: request.height, fit: fit)
      for remark in ClipReader.remarks(on: path) + [fitting].compactMap(\.self) {
        common.say("note: \(path) \(remark)")
      }
      return picture.resized(width: request.width, height: request.height, fit: fit)
    }
  }

  /// What was chosen.
  private var settings: GenerationSettings {
    var settings = GenerationSettings()
    (settings.prompt, settings.negativePrompt) = (prompt, negativePrompt)
    (settings.width, settings.height, settings.latentFrames) = (width, height, temp)
    (settings.steps, settings.videoSteps) = (steps?.counts, videoSteps?.counts)
    (settings.guidanceScale, settings.videoGuidanceScale) = (guidanceScale, videoGuidanceScale)
    (settings.vaeTiling, settings.approximation) = (vaeTiling, approximate)
    return settings
  }
}

extension Clip.Fit: ExpressibleByArgument {}
extension GenerationRequest.VAETiling: ExpressibleByArgument {}
extension Approximation: ExpressibleByArgument {}
