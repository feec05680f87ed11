import JSON

extension ModelFamily {
  /// Returns why components cannot work together, judged by their configs: encoders that are swapped, doubled, or of another
  /// release than the transformers; nil when nothing speaks against it.
  ///
  /// What is swapped or doubled has tensors of the right names and, pooled vectors being joined, often a sum of widths that
  /// fits: it would give wrong pictures without a word.
  ///
  /// - Parameter configs: the configs by component; components that are absent are not judged.
  /// - Throws: ``BenbenError`` when a config is malformed.
  package func misfit(of configs: [String: JSONValue]) throws -> String? {
    let clips = try clipComponents.compactMap { name in
      try configs[name].map {
        (
          name: name,
          width: try CLIPTextConfig(json: $0, component: name, projectsPooled: projectsPooled).pooledWidth
        )
      }
    }
    if clips.count == 2, clips[0].width > clips[1].width {
      return
        "\(clips[0].name) is \(clips[0].width) wide and \(clips[1].name) \(clips[1].width): they are swapped, the narrower one comes first"
    }
    let t5 = try configs[t5Component].map { try T5Config(json: $0, component: t5Component).width }
    for (name, config) in configs.sorted(by: { $0.key < $1.key }) where role(of: name) == .transformer {
      let inputs = try transformerInputs(name, config: config)
      if let t5, t5 != inputs.textWidth {
        return "\(t5Component) is \(t5) wide, \(name) expects \(inputs.textWidth)"
      }
      let pooled = clips.reduce(0) { $0 + $1.width }
      if clips.count == clipComponents.count, pooled != inputs.pooledWidth {
        let isDoubled = clips.count == 2 && clips[0].width == clips[1].width
        return
          "\(clips.map { "\($0.name) is \($0.width) wide" }.joined(separator: " and ")), \(name) expects \(inputs.pooledWidth)"
          + (isDoubled ? " together: one encoder stands there twice" : "")
      }
    }
    return nil
  }

  /// Returns why the text encoders of a release are those of another family than its transformers; nil when nothing speaks
  /// against it.
  ///
  /// Only SD3 has three of them, and only of miniFLUX the second is T5.
  ///
  /// - Parameters:
  ///   - names: the components that are there.
  ///   - config: returns the config of one; nil where there is none.
  package func strangers(among names: [String], config: (String) throws -> JSONValue?) rethrows -> String? {
    let second = Self.miniFLUX.t5Component
    let kind = try names.contains(second) ? config(second)?["model_type"]?.string : nil
    let other: ModelFamily
    switch (architecture, kind, names.contains(Self.sd3.t5Component)) {
    case (.flux, "clip_text_model", true): other = .sd3
    case (.mmdit, "t5", false): other = .miniFLUX
    default: return nil
    }
    let what = other == .sd3 ? "a CLIP text encoder, and there is a \(Self.sd3.t5Component)" : "T5"
    return "the transformer is of \(name), the text encoders of \(other.name): \(second) is \(what)"
  }
}
