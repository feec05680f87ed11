import Checkpoints
import Files
import JSON
import Models
import Tensors

/// An importer of released checkpoints that matches the components found with the models' own declarations.
enum ReleaseImporter {
  /// Plans the conversion of a checkpoint folder, or of some of its components.
  static func plan(
    _ path: String, components wanted: [String], trained: TrainedWeights?, request: QuantizationOptions
  ) throws -> Conversion {
    var folder = try CheckpointFolder(path: path)
    let transformers = folder.subfolders.filter { $0.hasPrefix(ModelFamily.transformerPrefix) }
    let chosen = transformers.filter { wanted.isEmpty || wanted.contains($0) }
    if let odd = chosen.first(where: { !RelativePath.isPlain($0) }) {
      throw BenbenError(
        .malformed, "this is no name of a component", at: "\(path)/\(odd)",
        because: "a model's files could not be called so", remedies: ["Rename the folder."])
    }
    // Each is opened only once, because opening a PyTorch archive reads all of it.
    folder.source = address(guess(folder))
    var opened: [String: SourceComponent] = [:]
    for name in chosen.isEmpty ? transformers.prefix(1) : chosen[...] {
      do {
        opened[name] = try folder.component(name).choosing(trained)
      } catch let error as BenbenError
        where error.kind == .missing && wanted.isEmpty && transformers.count > 1
      {
        throw error.with(
          remedies: error.remedies + ["Or take the folder out: the model can do without it."])
      }
    }
    let family = try family(of: opened, path) ?? guess(folder)
    folder.source = address(family)
    let known = family.sharedComponents + transformers
    guard known.contains(where: folder.subfolders.contains) else {
      let place = ForeignPlace(path)
      throw BenbenError(
        .malformed, "not a checkpoint", at: path,
        because: place?.why
          ?? "it holds none of \(family.sharedComponents.joined(separator: ", ")), diffusion_transformer_*",
        remedies: [
          place?.remedy ?? "Give the folder that was downloaded, for example from \(address(family))."
        ], code: .notARelease)
    }
    guard !transformers.isEmpty || !wanted.isEmpty else {
      throw BenbenError(
        .missing, "the checkpoint is not complete", at: path, because: "it holds no diffusion_transformer_*",
        remedies: [
          folder.subfolders.first { $0.lowercased().contains("transformer") }.map {
            "Rename \($0) as its release calls it: diffusion_transformer_384p, …_768p or …_image."
          } ?? "Download one of its diffusion_transformer_* folders from \(address(family)) into it."
        ])
    }
    if wanted.isEmpty,
      let strangers = try family.strangers(
        among: folder.subfolders, config: { try CheckpointFolder.configBeside("\(path)/\($0)") })
    {
      throw BenbenError(
        .malformed, "the checkpoint is of two families", at: path, because: strangers,
        remedies: ["Keep each release in a folder of its own."])
    }
    if let unknown = wanted.first(where: { !known.contains($0) }) {
      throw BenbenError(
        .usage, "no such component", at: unknown,
        because: "the checkpoint has \(known.joined(separator: ", "))")
    }
    guard Set(wanted).count == wanted.count else {
      throw BenbenError(
        .usage, "a component is named twice", at: wanted.joined(separator: ", "),
        because: "each is converted once")
    }
    let names = wanted.isEmpty ? known : wanted
    return Conversion(
      plans: try names.map {
        var component = try opened[$0] ?? folder.component($0).choosing(trained)
        component.prefix = try recognized(component, of: family)?.prefix ?? ""
        return try plan(component, of: family, request: request)
      },
      auxiliary: wanted.isEmpty ? try tokenizerFiles(folder, family) : [], family: family.name,
      request: request
    )
  }

  /// Plans one component whose prefix is known.
  static func plan(
    _ component: SourceComponent, of family: ModelFamily, request: QuantizationOptions
  ) throws -> ComponentPlan {
    if let role = family.role(of: component.name), !role.accepts(component.config, family, orUnnamed: true) {
      let names = ["_class_name", "model_type"].compactMap { component.config[$0]?.string }
      throw BenbenError(
        .malformed, "the config is that of something else", at: component.name + "/config.json",
        because:
          "its class is \(names.map(\.printable).joined(separator: ", ")), not that of a \(role.title)",
        remedies: ["Download \(component.name) from \(address(family)) again."])
    }
    let declarations: [WeightDeclaration]
    do {
      declarations = try family.declarations(of: component.name, config: component.config)
    } catch let error as BenbenError where error.subject == component.name + "/config.json" {
      throw error.with(subject: component.configPlace)
    }
    return try ComponentPlan(
      component,
      declaration: ComponentDeclaration(
        weights: declarations, ignoreRules: family.role(of: component.name)?.ignoreRules ?? []),
      request: request)
  }

  /// Returns why a component would not be converted; nil when nothing speaks against it.
  static func fault(of component: SourceComponent, in family: ModelFamily) -> String? {
    guard family.role(of: component.name) != nil else { return nil }
    do {
      var component = component.choosing(nil)
      component.prefix = try recognized(component, of: family)?.prefix ?? ""
      _ = try plan(component, of: family, request: QuantizationOptions(type: nil))
      return nil
    } catch let error as BenbenError {
      return "\(component.name): \(error.what): \(error.why)"
    } catch { return nil }
  }

  /// Returns the address from which a family is downloaded.
  static func address(_ family: ModelFamily) -> String { "https://huggingface.co/\(family.repository)" }

  /// Returns what a component's tensors were recognised as, or nil when they were not: then the declarations report
  /// what is missing.
  ///
  /// - Throws: `BenbenError` when the tensors are those of something else, or their names have an unknown prefix.
  private static func recognized(
    _ component: SourceComponent, of family: ModelFamily
  ) throws -> RecognizedWeights? {
    let names = Set(component.weights.tensors.map(\.name))
    let all = RecognizedWeights.all(in: names)
    let role = family.role(of: component.name)
    if let match = all.first(where: { $0.role == role && ($0.family ?? family.name) == family.name }) {
      return match
    }
    let path = component.weights.files.first?.path ?? component.name
    if let other = all.first {
      throw BenbenError(
        .malformed, "these are the weights of something else", at: path,
        because: "the tensors are those of \(other.description), not of \(component.name) of \(family.name)",
        remedies: ["Download \(component.name) from \(address(family)) again."])
    }
    if let prefix = RecognizedWeights.unknownPrefix(in: names) {
      throw BenbenError(
        .malformed, "unknown prefix of names", at: path,
        because: "\"\(prefix.prefix(100))\" stands before them",
        remedies: [RecognizedWeights.prefixRemedy])
    }
    return nil
  }

  /// Returns the family according to the folders that only one family has.
  private static func guess(_ folder: CheckpointFolder) -> ModelFamily {
    let sd3Only = [ModelFamily.sd3.t5Component, ModelFamily.tokenizer(of: ModelFamily.sd3.t5Component)]
    return sd3Only.contains(where: folder.subfolders.contains) ? .sd3 : .miniFLUX
  }

  /// Returns the family according to the transformers' tensors, or nil when they do not determine it.
  private static func family(
    of transformers: [String: SourceComponent], _ path: String
  ) throws -> ModelFamily? {
    var found: (family: ModelFamily, component: String)?
    for (name, component) in transformers.sorted(by: { $0.key < $1.key }) {
      let names = Set(component.weights.tensors.map(\.name))
      let recognized = RecognizedWeights.all(in: names).first { $0.role == .transformer }
      guard let family = recognized?.family.flatMap(ModelFamily.named) else { continue }
      if let found, found.family != family {
        throw BenbenError(
          .malformed, "the transformers are of two families", at: path,
          because: "\(found.component) is \(found.family.name), \(name) is \(family.name)",
          remedies: ["Keep each release in a folder of its own."])
      }
      found = (family, name)
    }
    return found?.family
  }

  /// Returns the tokenizer files of a folder that holds them as a release does.
  ///
  /// - Throws: `BenbenError` when one is missing. Whether a tokenizer can be read from them, ``ModelConverter`` looks.
  static func tokenizerFiles(
    _ folder: CheckpointFolder, _ family: ModelFamily
  ) throws -> [CheckpointFolder.AuxiliaryFile] {
    try family.tokenizers.flatMap { name, files in
      try files.map { try tokenizerFile($0, of: files, in: name, folder) }
    }
  }

  /// Returns the files of the tokenizers that a folder holds and that can be read, each as `folder/name`.
  static func presentTokenizerFiles(_ folder: CheckpointFolder, _ family: ModelFamily) -> [String] {
    family.tokenizers.flatMap { name, files in
      let found = files.compactMap { try? tokenizerFile($0, of: files, in: name, folder) }
      let isSound = (try? requireTokenizer(name, found, family)) != nil
      // Of a tokenizer that is not complete, what is there is said.
      return found.count < files.count || isSound ? found.map(\.path) : []
    }
  }

  /// Returns why tokenizers of a folder cannot be read, a sentence each; what is missing is told otherwise.
  static func tokenizerFaults(
    _ folder: CheckpointFolder, _ family: ModelFamily, configs: [String: JSONValue]
  ) -> [String] {
    family.tokenizers.compactMap { name, files in
      do {
        let found = try files.compactMap { file in
          do {
            return try tokenizerFile(file, of: files, in: name, folder)
          } catch let error as BenbenError where error.kind == .missing { return nil }
        }
        let encoder = configs.first { ModelFamily.tokenizer(of: $0.key) == name }?.value
        if found.count == files.count { try requireTokenizer(name, found, family, config: encoder) }
        return nil
      } catch let error as BenbenError where error.kind == .malformed {
        return "\(name)/\(FileSystem.lastComponent(error.subject)): \(error.what): \(error.why)"
      } catch { return nil }
    }
  }

  private static func requireTokenizer(
    _ name: String, _ files: [CheckpointFolder.AuxiliaryFile], _ family: ModelFamily,
    config: JSONValue? = nil
  ) throws {
    try family.requireTokenizer(name, config: config) { file in
      files.first { $0.path == "\(name)/\(file)" }?.contents
    }
  }

  private static func tokenizerFile(
    _ file: TokenizerFile, of files: [TokenizerFile], in name: String, _ folder: CheckpointFolder
  ) throws -> CheckpointFolder.AuxiliaryFile {
    try folder.auxiliaryFile(
      "\(name)/\(file.rawValue)", officialNames: files.map(\.rawValue), matches: file.matches)
  }
}
