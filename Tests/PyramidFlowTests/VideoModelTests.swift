import Clips
import Files
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import PyramidFlow

struct VideoModelTests {
  private let path: String

  init() throws { path = try #require(ConvertedModels.miniFLUX) }

  @Test func knowsItself() throws {
    let model = try VideoModel(at: path, threads: 2)
    #expect(model.family == "miniflux" && model.variants == ["384p"] && model.threads == 2)
    #expect { try VideoModel(at: Fixtures.path) } throws: { ($0 as? BenbenError)?.code == .notANativeModel }
  }

  @Test func reportsWhatItDoes() async throws {
    let model = try VideoModel(at: path)
    let seen = Mutex<[GenerationEvent]>([])
    let clip = try await model.generate(.small) { event in seen.withLock { $0.append(event) } }
    #expect((clip.width, clip.height, clip.count) == (128, 64, 9))
    let events = seen.withLock { $0 }
    let began = events.compactMap { if case .began(let phase) = $0 { phase } else { nil } }
    #expect(began == GenerationEvent.Phase.allCases)
    let calls = events.compactMap { if case .called(let call, _, _, _) = $0 { call } else { nil } }
    #expect(calls.map(\.index) == Array(0..<8) && calls.map(\.unit) == [0, 0, 0, 0, 1, 1, 1, 1])
    let fractions = events.filter { $0.phase == .latents }.map(\.fraction)
    #expect(fractions == fractions.sorted() && fractions.last == 1)
  }

  /// The same request gives the same clip, whoever asks, and however many at once.
  @Test func oneModelServesManyTasks() async throws {
    let model = try VideoModel(at: path)
    let alone = try await model.generate(.small, noise: .seed(3))
    let clips = try await withThrowingTaskGroup(of: Clip.self, returning: [Clip].self) { group in
      for _ in 0..<3 { group.addTask { try await model.generate(.small, noise: .seed(3)) } }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(clips.count == 3 && clips.allSatisfy { $0 == alone })
    #expect(try await model.generate(.small, noise: .seed(4)) != alone)
  }

  /// Two models of two families side by side compute what each computes alone.
  @Test func twoModelsWorkAtOnce() async throws {
    let first = try VideoModel(at: path, threads: 2)
    let second = try VideoModel(at: try #require(ConvertedModels.sd3), threads: 1)
    let alone = (try await first.generate(.small), try await second.generate(.small))
    async let a = first.generate(.small)
    async let b = second.generate(.small)
    #expect(try await (a, b) == alone)
  }

  private actor App {
    func clip(of model: VideoModel) async throws -> Clip { try await model.generate(.small) }
  }

  @Test func isUsedFromAnActor() async throws {
    let model = try VideoModel(at: path)
    #expect(try await App().clip(of: model).count == 9)
  }

  /// Cancelling the task ends the run, and the model can be used again.
  @Test func aTaskIsCancelled() async throws {
    let model = try VideoModel(at: path)
    let task = Task {
      try await model.generate(.small) { event in
        if case .called = event { withUnsafeCurrentTask { $0?.cancel() } }
      }
    }
    await #expect(throws: CancellationError.self) { try await task.value }
    #expect(try await model.generate(.small).count == 9)
  }

  /// Between two layers: no later block of T5, and no call of the transformer, is computed.
  @Test func aTaskIsCancelledWithinItsPhase() async throws {
    let model = try VideoModel(at: path)
    let seen = Mutex<[GenerationEvent]>([])
    let task = Task {
      try await model.generate(.small) { event in
        seen.withLock { $0.append(event) }
        if case .encoded(1, _) = event { withUnsafeCurrentTask { $0?.cancel() } }
      }
    }
    await #expect(throws: CancellationError.self) { try await task.value }
    let blocks = seen.withLock { $0 }.compactMap {
      if case .encoded(let block, let count) = $0 { (block, count) } else { nil }
    }
    #expect(blocks.map(\.0) == [1] && blocks[0].1 > 1)
    #expect(seen.withLock { $0.allSatisfy { $0.phase == .texts } })
  }

  @Test func aListenerEndsARun() async throws {
    struct Stop: Error {}
    let model = try VideoModel(at: path)
    await #expect(throws: Stop.self) { try await model.generate(.small) { _ in throw Stop() } }
  }

  /// What an interrupted run kept gives the very clip of an uninterrupted one.
  @Test func aRunIsResumed() async throws {
    struct Stop: Error {}
    let folder = try TestFolder()
    let model = try VideoModel(at: path)
    let options = GenerationOptions(latents: folder.path + "/latents")
    let whole = try await model.generate(.small)
    await #expect(throws: Stop.self) {
      try await model.generate(.small, options: options) { event in
        if case .called(let call, _, _, _) = event, call.unit == 1 { throw Stop() }
      }
    }
    let resumed = Mutex(0)
    let clip = try await model.generate(.small, options: options) { event in
      if case .resumed(let units, _, _, _) = event { resumed.withLock { $0 = units } }
    }
    #expect(resumed.withLock { $0 } == 1 && clip == whole)
    // Another request, or other noise, is not taken for it.
    await #expect(throws: BenbenError.self) {
      try await model.generate(.small, noise: .seed(9), options: options)
    }
  }

  /// Estimates come first, and must not be made of sizes that cannot be.
  @Test func refusesImpossibleRequests() async throws {
    let model = try VideoModel(at: path)
    let changes: [(inout GenerationRequest) -> Void] = [
      { $0.latentFrames = 0 }, { $0.latentFrames = -1 }, { $0.latentFrames = .max }, { $0.width = .max },
      { $0.height = 0 }, { $0.steps = [] }, { $0.guidanceScale = .nan },
    ]
    let plan = try ModelConverter(release: path).plan(QuantizationOptions(type: nil))
    for change in changes {
      var request = GenerationRequest.small
      change(&request)
      await #expect(throws: BenbenError.self) { try await model.generate(request) }
      await #expect(throws: BenbenError.self) { try await model.plan(for: request) }
      #expect(throws: BenbenError.self) { try model.memoryPlan(for: request) }
      #expect(throws: BenbenError.self) { try MemoryPlan(plan, request: request) }
    }
    #expect(throws: BenbenError.self) { try VideoModel(at: path, threads: 0) }
  }

  /// Settings of one variant are not those of another.
  @Test func aRequestKeepsItsVariant() throws {
    let model = try VideoModel(at: path)
    #expect(try model.memoryPlan(for: GenerationRequest(prompt: "", variant: .p384)).variant == "384p")
    #expect {
      try model.memoryPlan(for: GenerationRequest(prompt: "", variant: .p768))
    } throws: { ($0 as? BenbenError)?.kind == .missing }
    let asked = GenerationRequest(prompt: "", variant: .p768)
    #expect(try model.memoryPlan(for: asked, variant: "384p").variant == "384p")
  }

  @Test func writesWhatWasPlanned() throws {
    let folder = try TestFolder()
    let options = try QuantizationOptions(type: .bf16)
    try ModelConverter(release: Fixtures.checkpoint("miniflux")).plan(options).write(to: folder.path + "/a")
    try ModelConverter(release: Fixtures.checkpoint("miniflux"))
      .convert(to: folder.path + "/b", weights: .bf16)
    for name in ["manifest.json", "diffusion_transformer_384p.benben"] {
      let (a, b) = (folder.path + "/a/" + name, folder.path + "/b/" + name)
      #expect(FileManager.default.contentsEqual(atPath: a, andPath: b), "\(name)")
    }
  }

  @Test func refusesWhatDoesNotFit() async throws {
    let model = try VideoModel(at: path)
    await #expect(throws: BenbenError.self) {
      try await model.generate(.small, options: GenerationOptions(memoryLimit: 1000))
    }
    await #expect(throws: BenbenError.self) { try await model.generate(.small, variant: "768p") }
    var request = GenerationRequest.small
    request.startsFromImage = true
    await #expect(throws: BenbenError.self) { try await model.generate(request) }
    let small = Clip(black: 1, width: 64, height: 64)
    await #expect(throws: BenbenError.self) { try await model.generate(request, image: small) }
  }

  /// A weight that is no number ends the run at the first stage, and not in a black clip.
  @Test func noNumbersEndTheRun() async throws {
    let folder = try TestFolder()
    for component in ["diffusion_transformer_384p", "causal_video_vae"] {
      let copy = folder.path + "/" + component
      try FileManager.default.copyItem(atPath: path, toPath: copy)
      let handle = try FileHandle(forUpdating: URL(fileURLWithPath: "\(copy)/\(component).benben"))
      try handle.seek(toOffset: try handle.seekToEnd() - 4)
      try handle.write(contentsOf: [0xFF, 0xFF, 0xFF, 0xFF])
      try handle.close()
      let error = try await #require(throws: BenbenError.self) {
        try await VideoModel(at: copy).generate(.small)
      }
      let place = component == "causal_video_vae" ? "decoded clip" : "latent 1, stage 1"
      #expect(error.what == "the clip would be black" && error.why.contains(place), "\(error)")
    }
  }

  /// One flipped byte of a weight is found, and its tensor named.
  @Test func damageIsNamed() throws {
    let folder = try TestFolder()
    let copy = folder.path + "/model"
    try FileManager.default.copyItem(atPath: path, toPath: copy)
    #expect(try VideoModel(at: copy).checkIntegrity() == IntegrityReport([]))
    let file = copy + "/text_encoder.benben"
    let handle = try FileHandle(forUpdating: URL(fileURLWithPath: file))
    let end = try handle.seekToEnd()
    try handle.seek(toOffset: end - 1)
    let last = try #require(try handle.readToEnd()?.first)
    try handle.seek(toOffset: end - 1)
    try handle.write(contentsOf: [last ^ 1])
    try handle.close()
    let report = try VideoModel(at: copy).checkIntegrity()
    #expect(!report.passed && report.damage.count == 1 && report.damage.first?.tensor != nil)
    #expect(report.damage.first?.file.hasSuffix("/text_encoder.benben") == true)
  }
}
