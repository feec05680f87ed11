import Checkpoints
import JSON
import Models
import Tensors

/// Brings a released checkpoint and the models' own declarations together.
enum CheckpointImport {
  /// Plans the conversion of a checkpoint, or of some of its components.
  static func plan(_ path: String, components wanted: [String], request: TypeRequest) throws -> Conversion {
    let folder = try CheckpointFolder(path: path)
    let subfolders = folder.subfolders
    let transformers = subfolders.filter { $0.hasPrefix(ModelFamily.transformerPrefix) }
    let family = ModelFamily.miniFLUX
    let known = family.sharedComponents + transformers
    guard known.contains(where: subfolders.contains) else {
      throw BenbenError(
        .malformed, "not a checkpoint", at: path,
        because:
          "it holds none of \(family.sharedComponents.joined(separator: ", ")), diffusion_transformer_*",
        remedies: ["Give the folder that was downloaded from rain1011/pyramid-flow-miniflux."])
    }
    guard !transformers.isEmpty || !wanted.isEmpty else {
      throw BenbenError(
        .missing, "the checkpoint is not complete", at: path, because: "it holds no diffusion_transformer_*",
        remedies: ["Download diffusion_transformer_384p, _768p or _image into it."])
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
    let names = wanted.isEmpty ? family.sharedComponents + transformers : wanted
    let plans = try names.map { name in
      let component = try folder.component(name)
      try requireFamily(component, family, path)
      return try ComponentPlan(
        component,
        declaration: ComponentDeclaration(
          weights: try family.declarations(of: name, config: component.config), ignoreRules: ignoreRules(name)
        ),
        request: request)
    }
    return Conversion(
      plans: plans, carried: wanted.isEmpty ? try tokenizerFiles(folder, family) : [], family: family.name,
      request: request)
  }

  private static func requireFamily(
    _ component: CheckpointFolder.Component, _ family: ModelFamily, _ path: String
  ) throws {
    guard component.name.hasPrefix(ModelFamily.transformerPrefix),
      let className = component.config["_class_name"]?.string, className != family.transformerClass
    else { return }
    throw BenbenError(
      .malformed, "this transformer cannot be converted yet", at: "\(path)/\(component.name)/config.json",
      because: "it is a \(className); \(family.transformerClass) (miniFLUX) is supported")
  }

  /// What released files carry besides weights.
  private static func ignoreRules(_ component: String) -> [ComponentDeclaration.IgnoreRule] {
    component == "text_encoder"
      ? [.init(name: "position indices are no weights") { $0 == "text_model.embeddings.position_ids" }] : []
  }

  private static func tokenizerFiles(
    _ folder: CheckpointFolder, _ family: ModelFamily
  ) throws -> [CheckpointFolder.CarriedFile] {
    try family.tokenizers.sorted { $0.key < $1.key }.flatMap { name, files in
      try files.compactMap { file in
        try folder.carriedFile("\(name)/\(file)", required: file != "special_tokens_map.json")
      }
    }
  }
}
