extension GenerationRequest {
  /// The tokens of latents in one sample of a transformer call of a unit, the given image counting as a latent frame.
  public func latentTokens(unit position: Int, stage: Int) -> Int {
    latentTokens(after: position + (startsFromImage ? 1 : 0), stage: stage)
  }

  /// The tokens of latents, without the text's, in one sample of a transformer call.
  ///
  /// - Parameters:
  ///   - finished: how many latent frames stand before the one that is generated; see ``PyramidSampler/history(_:)``.
  ///   - stage: the stage that the call belongs to, from coarse to fine.
  public func latentTokens(after finished: Int, stage: Int) -> Int {
    let patch = Patches.side * CausalVideoVAEConfig.scale
    let whole = (width / patch) * (height / patch)
    func tokens(_ size: Int) -> Int { whole >> (2 * (PyramidFlowSchedule.stageCount - 1 - size)) }
    // The newest latents stand alone, from the stage's own size down to the coarsest but one; all others at the coarsest.
    let alone = stage == 0 ? [] : (1...stage).reversed().prefix(finished)
    return tokens(stage) + alone.reduce(0) { $0 + tokens($1) } + (finished - alone.count) * tokens(0)
  }
}
