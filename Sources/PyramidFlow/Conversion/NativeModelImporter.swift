import Checkpoints
import Files
import JSON
import Models
import Tensors

/// An importer of native models, to convert them to other native models.
enum NativeModelImporter {
  /// Plans the conversion of a native model, or of some of its components.
  ///
  /// - Parameter mayRequantize: whether weights that were rounded already may be rounded again.
  /// - Throws: `BenbenError` when weights would be rounded again and may not be.
  static func plan(
    _ path: String, components wanted: [String], request: QuantizationOptions, mayRequantize: Bool
  ) throws -> Conversion {
    let model = try NativeModel(path: path)
    guard let family = ModelFamily.named(model.family) else {
      throw BenbenError(
        .malformed, "this model cannot be converted", at: path, because: "its family is \(model.family)")
    }
    let names = wanted.isEmpty ? model.componentNames : wanted
    let plans = try names.map {
      try ReleaseImporter.plan(try model.sourceComponent($0), of: family, request: request)
    }
    if !mayRequantize, let lossy = try model.coarsestLossyType(),
      plans.contains(where: { $0.rows.contains(where: \.isLossy) })
    {
      throw BenbenError(
        .usage, "the model was rounded already", at: path,
        because: "its weights went through \(lossy.rawValue); rounding them again adds the errors",
        remedies: ["Convert the release itself."], code: .alreadyRounded)
    }
    let auxiliary = try model.auxiliaryFileNames.compactMap { name in
      try model.auxiliaryFile(name).map { CheckpointFolder.AuxiliaryFile(path: name, contents: $0) }
    }
    var conversion = Conversion(
      plans: plans, auxiliary: wanted.isEmpty ? auxiliary : [], family: family.name, request: request)
    conversion.inheritedRounding = (model.manifest["sourceRounding"]?.array ?? []).filter { rounding in
      rounding["component"]?.string.map(names.contains) ?? false
    }
    return conversion
  }
}
