import Checkpoints
import Files
import JSON
import Models
import Tensors

/// An importer of a model from single files, as used with ComfyUI: each file is recognised by its tensors, and its
/// config is deduced from their shapes.
struct SingleFileImporter {
  let files: SingleFiles
  let trained: TrainedWeights?

  /// Plans the conversion.
  func plan(request: QuantizationOptions) throws -> Conversion {
    try requireVariantName()
    let given: [(path: String?, role: ModelFamily.Role)] =
      [(files.transformer, .transformer), (files.vae, .vae), (files.t5, .t5)]
      + files.clips.map { ($0, .clip) }
    let opened = try given.flatMap { file in try file.path.map { try open($0, as: file.role) } ?? [] }
    let family = try family(of: opened)
    let clipWeights = Self.inOrder(opened.filter { $0.recognized.role == .clip })
    guard clipWeights.count <= family.clipComponents.count else {
      throw BenbenError(
        .usage, "too many CLIP text encoders", at: "\(clipWeights.count)",
        because: "\(family.name) has \(family.clipComponents.count)")
    }
    // One alone of two goes to its own place.
    let pooledWidth = opened.lazy.compactMap(\.pooledWidth).first
    let clipNames =
      clipWeights.count == 1 && clipWeights[0].isCLIPG(of: pooledWidth)
      ? family.clipComponents.suffix(1) : family.clipComponents[...]
    let named =
      opened.filter { $0.recognized.role != .clip }.map { ($0, name(of: $0.recognized.role, family)) }
      + zip(clipWeights, clipNames)
    let order = family.sharedComponents + [ModelFamily.transformerPrefix + files.variant]
    let components = try named.map { try $0.component(named: $1, family) }.sorted {
      order.firstIndex(of: $0.name) ?? 0 < order.firstIndex(of: $1.name) ?? 0
    }
    var conversion = Conversion(
      plans: try components.map { component in
        do {
          return try ReleaseImporter.plan(component, of: family, request: request)
        } catch let error as BenbenError {
          // What is missing may be in the other parts.
          let remedy = component.weights.files.count == 1 ? Self.remedyForPart(error.subject) : nil
          throw error.with(remedies: remedy.map { [$0] })
        }
      },
      auxiliary: try auxiliary(family, hasText: !clipWeights.isEmpty || files.t5 != nil), family: family.name,
      request: request)
    if clipWeights.map(\.path) != opened.filter({ $0.recognized.role == .clip }).map(\.path) {
      conversion.choices.append(
        "of the CLIP text encoders, the narrower one is taken for the first: \(clipWeights[0].path.printable)"
      )
    }
    return conversion
  }

  /// Throws unless the variant can be a part of the name of a component and its file.
  private func requireVariantName() throws {
    guard 1...40 ~= files.variant.utf8.count,
      files.variant.utf8.allSatisfy({
        UInt8(ascii: "a")...UInt8(ascii: "z") ~= $0 | 0x20 || UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0
          || $0 == UInt8(ascii: "_")
      })
    else {
      throw BenbenError(
        .usage, "this is no name of a variant", at: files.variant,
        because: "letters, digits and _ are possible")
    }
  }

  private func auxiliary(_ family: ModelFamily, hasText: Bool) throws -> [CheckpointFolder.AuxiliaryFile] {
    guard let tokenizers = files.tokenizers else {
      guard hasText else { return [] }
      throw BenbenError(
        .usage, "text encoders need their tokenizers", at: "tokenizers", because: "no folder is named",
        remedies: [
          "Download \(family.tokenizers.map(\.folder).joined(separator: ", ")) from "
            + "\(ReleaseImporter.address(family)) into a folder, and name it."
        ], code: .tokenizersNeeded)
    }
    var folder = try CheckpointFolder(path: tokenizers)
    folder.source = ReleaseImporter.address(family)
    return try ReleaseImporter.tokenizerFiles(folder, family)
  }

  private func name(of role: ModelFamily.Role, _ family: ModelFamily) -> String {
    switch role {
    case .transformer: ModelFamily.transformerPrefix + files.variant
    case .vae: ModelFamily.vaeComponent
    case .t5: family.t5Component
    case .clip: family.clipComponents[0]
    }
  }

  /// Returns the family that the transformer's tensors name; without a transformer, two CLIPs mean SD3.
  private func family(of opened: [OpenedWeights]) throws -> ModelFamily {
    if let named = opened.compactMap(\.recognized.family).first.flatMap(ModelFamily.named) { return named }
    return opened.count { $0.recognized.role == .clip } > 1 ? .sd3 : .miniFLUX
  }

  /// Returns the CLIP text encoders with CLIP-L before CLIP-G: the narrower one first.
  private static func inOrder(_ clips: [OpenedWeights]) -> [OpenedWeights] {
    clips.enumerated().sorted { ($0.element.clipWidth, $0.offset) < ($1.element.clipWidth, $1.offset) }
      .map(\.element)
  }

  /// Returns what to do about a file whose name says that it is one of several; nil for any other.
  private static func remedyForPart(_ path: String) -> String? {
    guard let part = FileSystem.lastComponent(path).firstMatch(of: /-(\d{5})-of-(\d{5})\./),
      part.output.2 != "00001", !FileSystem.isFolder(path), !path.lowercased().hasSuffix(".json")
    else { return nil }
    let place = "By its name it is number \(Int(part.output.1) ?? 0) of \(Int(part.output.2) ?? 0): "
    return place
      + (path.lowercased().hasSuffix(".gguf")
        ? "merge the parts into one file first, as llama-gguf-split does."
        : "name the index of all parts, or the folder in which they lie together.")
  }

  /// Opens the weights in a file that match the role it was named for; a file may hold two CLIPs.
  private func open(_ path: String, as role: ModelFamily.Role) throws -> [OpenedWeights] {
    let file = try WeightFiles.openAny(path)
    func recognized(_ trained: TrainedWeights?) -> (WeightFiles, Set<String>, [RecognizedWeights]) {
      let stored = file.choosing(trained)
      let weights = role == .clip ? OpenCLIPNames.official(stored) : stored
      let names = Set(weights.tensors.map(\.name))
      return (weights, names, RecognizedWeights.all(in: names))
    }
    var (weights, names, all) = recognized(trained)
    // Of a file with several components, one alone may have an average.
    if trained == .ema, !all.contains(where: { $0.role == role }) {
      let themselves = recognized(.model)
      if themselves.2.contains(where: { $0.role == role }) { (weights, names, all) = themselves }
    }
    let matching = all.filter { $0.role == role }
    let mistaken = matching.lazy.compactMap { $0.mistaken(in: names) }.first
    guard !matching.isEmpty, mistaken == nil else {
      let answer =
        mistaken.map { ($0, RecognizedWeights.remedy(forForeign: $0)) }
        ?? (all.isEmpty ? RecognizedWeights.answer(on: names) : nil)
      let held = all.first.map { found in
        let others = names.count { !$0.hasPrefix(found.prefix) }
        return "the tensors are those of \(found.description)"
          + (others == 0 ? "" : ", with \(others) others")
      }
      throw BenbenError(
        .malformed, "these are not the weights of a \(role.title)", at: path,
        because: answer.map { "they are those of \($0.0)" } ?? held
          ?? "they are \(weights.tensors.count) tensors of something else",
        remedies: [Self.remedyForPart(path) ?? answer?.1].compactMap(\.self))
    }
    let most = role == .clip ? 2 : 1
    guard matching.count <= most else {
      let prefixes = matching.prefix(most + 1).map { "\"\($0.prefix.prefix(100))\"" }.joined(
        separator: " and ")
      throw BenbenError(
        .malformed,
        "the file holds more than \(most == 1 ? "one" : "two") \(role.title)\(most == 1 ? "" : "s")",
        at: path,
        because: "their tensors start with \(prefixes)", remedies: ["Take out the one that is meant."])
    }
    return matching.map { OpenedWeights(path: path, weights: weights, recognized: $0) }
  }
}

/// Weights that were opened and recognised.
private struct OpenedWeights {
  let path: String
  let weights: WeightFiles
  let recognized: RecognizedWeights

  /// The shapes of the tensors by official name.
  var shapes: [String: Shape] {
    Dictionary(
      weights.tensors.filter { $0.name.hasPrefix(recognized.prefix) }
        .map { (String($0.name.dropFirst(recognized.prefix.count)), $0.shape) }
    ) { first, _ in first }
  }

  /// The config that an export of Benben's holds of the component: of several, that of the prefix's.
  private func configInside() throws -> JSONValue? {
    let configs = try SafetensorsExport.configs(in: weights)
    return configs[String(recognized.prefix.dropLast())] ?? (configs.count == 1 ? configs.first?.value : nil)
  }

  /// Returns whether it is a CLIP-G: told by its activation where a config lies beside it, by its share of the pooled vectors
  /// that a transformer reads, or else by its width.
  func isCLIPG(of pooledWidth: Int?) -> Bool {
    let config = (try? CheckpointFolder.configBeside(path) ?? configInside()) ?? nil
    if let config, recognized.role.accepts(config, .sd3) { return config["hidden_act"]?.string == "gelu" }
    return pooledWidth.map { 2 * clipWidth > $0 } ?? (clipWidth >= Self.widthOfCLIPG)
  }

  /// The width of the pooled vectors that it reads, if it is a transformer.
  var pooledWidth: Int? {
    recognized.role == .transformer ? shapes["time_text_embed.text_embedder.linear_1.weight"]?.last : nil
  }

  /// The width of the released CLIP-G; CLIP-L is 768 wide.
  private static let widthOfCLIPG = 1280

  var clipWidth: Int { shapes["text_model.embeddings.token_embedding.weight"]?.last ?? 0 }

  /// Returns the component with its config: the one beside the file when it is of this class, else the deduced one.
  func component(named name: String, _ family: ModelFamily) throws -> SourceComponent {
    var component: SourceComponent
    let beside = try CheckpointFolder.configBeside(path)
    if let config = try beside ?? configInside(), recognized.role.accepts(config, family) {
      component = SourceComponent(name: name, config: config, weights: weights)
      component.configPath = beside == nil ? path : CheckpointFolder.pathOfConfig(beside: path)
    } else {
      let deduced = try DeducedConfig(
        role: recognized.role, family: family, component: name, shapes: shapes,
        layerNormEpsilon: weights.metadata[GGUF.layerNormEpsilon].flatMap(Double.init))
      component = SourceComponent(name: name, config: deduced.json, weights: weights)
      component.assumed = deduced.assumed
    }
    component.prefix = recognized.prefix
    return component
  }
}

extension ModelFamily.Role {
  /// Returns whether a config is that of the role's class.
  ///
  /// - Parameter orUnnamed: whether one that names no class is, too.
  func accepts(_ config: JSONValue, _ family: ModelFamily, orUnnamed: Bool = false) -> Bool {
    let names = [config["_class_name"]?.string, config["model_type"]?.string].compactMap { $0 }
    if names.isEmpty { return orUnnamed }
    return switch self {
    case .transformer: names.contains(family.architecture.className)
    case .vae: names.contains("CausalVideoVAE")
    case .clip: names.contains("clip_text_model")
    case .t5: names.contains("t5")
    }
  }
}

extension RecognizedWeights {
  /// The name of the weights in messages.
  var description: String { "a \(role.title)" + (family.map { " (\($0))" } ?? "") }
}
