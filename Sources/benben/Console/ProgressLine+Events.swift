import Models
import PyramidFlow
import PyramidFlowVerification

extension ProgressLine {
  /// Shows a generation.
  func show(_ event: GenerationEvent, of request: GenerationRequest, quiet: Bool) throws {
    switch event {
    case .began(.image) where request.startsFromImage: begin("encoding the image")
    case .began(.latents):
      begin("generating \(request.frameCount) frames of \(request.width)×\(request.height)")
    case .began(.decoding): begin("decoding")
    case .began(.texts): begin("encoding the texts")
    case .encoded(let block, let count):
      try update("encoding the texts, block \(block)/\(count)", done: block, of: count)
    case .cut(let text, let encoder, let count):
      // The official text is known to be cut, in the official code as well.
      if text == GenerationRequest.defaultNegativePrompt { break }
      let which = text == request.negativePrompt ? "the negative prompt" : "the prompt"
      if !quiet { Console.note("note: \(which) is cut: \(encoder) reads its first \(count) tokens only") }
    // A part of the work is over, and the next has other sizes.
    case .ended(.texts), .ended(.latents): AllocatorTuning.releaseFreedMemory()
    case .began(.image), .ended(.image), .ended(.decoding), .previewed: break
    case .resumed(let units, let count, let calls, let share):
      if !quiet { Console.note("going on after \(units) of \(count) latents") }
      skip(done: calls, share: share)
    case .approximated(let call, let all, let units, let part):
      try update(
        "latent \(call.unit + 1)/\(units), stage \(call.stage + 1)/3, history", done: call.index, of: all,
        share: part)
    case .called(let call, let all, let units, let part):
      try update(
        "latent \(call.unit + 1)/\(units), stage \(call.stage + 1)/3, step \(call.index + 1)/\(all)",
        done: call.index + 1, of: all, share: part)
    case .decoded(let latents, let count):
      try update("decoding \(latents)/\(count)", done: latents, of: count)
    }
    try Interruption.check()
  }

  /// Shows a verification.
  func show(_ event: VerificationEvent, _ options: CommonOptions) throws {
    switch event {
    case .began(let trace): begin("verifying \(trace)")
    case .compared(let call, let count): try update("call \(call)/\(count)", done: call, of: count)
    case .generation(let event, let request): try show(event, of: request, quiet: options.quiet)
    case .verified(let golden, let index, let count, let passed):
      options.say("golden \(index + 1)/\(count), \(golden): \(passed ? "ok" : "FAILED")")
    case .remark(let text): options.say(text)
    }
  }

  /// Shows a calibration.
  func show(_ event: CalibrationEvent, on trace: String, _ options: CommonOptions) throws {
    switch event {
    case .measuringRanges(let component): options.say("measuring ranges of \(component) on \(trace)")
    case .measured(let done, let total):
      if done == 1 { begin("measuring on \(trace)") }
      try update("measured \(done)/\(total)", done: done, of: total)
    case .chose(let summary): options.say(summary)
    }
  }
}
