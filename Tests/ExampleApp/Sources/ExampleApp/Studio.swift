import PyramidFlow

/// An actor of the app that uses models.
actor Studio {
  private let models: [VideoModel]

  init(_ folders: [String]) throws { models = try folders.map { try VideoModel(at: $0, threads: 1) } }

  /// The same request to all models at once.
  func clips(of request: GenerationRequest) async throws -> [Clip] {
    let tasks = models.map { model in Task { try await model.generate(request) } }
    var clips: [Clip] = []
    for task in tasks { clips.append(try await task.value) }
    return clips
  }

  /// Starts a clip and changes its mind.
  func cancelled(_ request: GenerationRequest) async -> Bool {
    let task = Task { [model = models[0]] in try await model.generate(request) }
    task.cancel()
    do {
      _ = try await task.value
      return false
    } catch is CancellationError {
      return true
    } catch {
      return false
    }
  }
}
