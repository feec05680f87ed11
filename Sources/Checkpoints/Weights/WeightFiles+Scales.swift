import Files
import JSON
import Tensors

/// Weights in eight bits whose scales are tensors of their own, as ComfyUI writes them in two spellings, and Benben's own
/// export in one of these:
///
///     NAME.weight  F8_E4M3 or F8_E5M2   NAME.scale_weight or NAME.weight_scale, one number; none for plain fp8
///     NAME.weight  I8                   NAME.weight_scale, one number or one a row
///
/// A value is the product of both. Beside them stand the scales of inputs (`scale_input`, `input_scale`), the JSON of a
/// layer's format (`comfy_quant`), and a marker of the file (`scaled_fp8`), which do not change what weights mean.
extension WeightFiles {
  private static let weight = ".weight"
  private static let scaleNames = [".scale_weight", ".weight_scale"]
  private static let inputNames = [".scale_input", ".input_scale"]
  private static let marker = "scaled_fp8"
  /// How the rule of an entry begins that is used, as a part of a tensor.
  package static let joinedRule = "belongs to "

  /// Returns the weights with their scales joined to them; those in a format whose values are something else than products
  /// are marked.
  ///
  /// - Throws: ``BenbenError`` for a scale that cannot be one.
  func joiningScales() throws -> WeightFiles {
    let byName = Dictionary(tensors.map { ($0.name, $0) }) { first, _ in first }
    var absorbed = absorbed
    var joined: [TensorDescriptor] = []
    var formats = try LayerFormats(self)
    for tensor in tensors {
      let base = tensor.name.hasSuffix(Self.weight) ? String(tensor.name.dropLast(Self.weight.count)) : nil
      guard tensor.scaleOffset == nil, let base else {
        joined.append(tensor)
        continue
      }
      let format = byName[base + LayerFormats.suffix]
      if let foreign = try formats.foreign(base, stored: tensor.type, describedBy: format) {
        var marked = tensor
        marked.foreignFormat = foreign
        joined.append(marked)
        continue
      }
      guard tensor.type.isFloat8 || tensor.type == .i8 else {
        joined.append(tensor)
        continue
      }
      if let format { absorbed.append((format.name, Self.joinedRule + "\(tensor.name): its format")) }
      let scales = Self.scaleNames.compactMap { byName[base + $0] }
      guard scales.count <= 1 else {
        throw malformed("two scales of one tensor", tensor.file.path, quoted(tensor.name))
      }
      absorbed += Self.inputNames.compactMap { byName[base + $0]?.name }
        .map { ($0, "the scale of an input, which is rounded otherwise here") }
      guard let scale = scales.first else {
        if format != nil || formats.areScaled(base) {
          throw malformed(
            "a scale is missing", tensor.file.path,
            "\(quoted(tensor.name)) is said to be scaled, and there is no \(quoted(base + Self.scaleNames[1]))",
            Self.remedy)
        }
        joined.append(tensor)
        continue
      }
      joined.append(try tensor.scaled(by: scale))
      absorbed.append((scale.name, Self.joinedRule + "\(tensor.name): its scale"))
    }
    try formats.requireAllSeen()
    if let marker = tensors.first(where: { $0.name == Self.marker || $0.name.hasSuffix("." + Self.marker) }),
      tensors.contains(where: \.type.isFloat8),
      !absorbed.contains(where: { $0.rule.hasPrefix(Self.joinedRule) })
    {
      throw malformed(
        "the scales are missing", marker.file.path,
        "\(quoted(marker.name)) says that its fp8 weights are scaled", Self.remedy)
    }
    let names = Set(absorbed.map(\.name))
    joined.removeAll { tensor in
      if tensor.name == Self.marker || tensor.name.hasSuffix("." + Self.marker) {
        absorbed.append((tensor.name, "the marker of scaled fp8"))
        return true
      }
      return names.contains(tensor.name)
    }
    return WeightFiles(
      files: files, tensors: joined, format: format, metadata: metadata, absorbed: absorbed)
  }

  private static let remedy = "Download the file again, or take the weights in bf16."
}

extension TensorDescriptor {
  /// Returns whether all of its eight-bit numbers are zero, whatever their signs.
  private func isZero() throws -> Bool {
    var chunks = try TensorChunks(self)
    while let chunk = try chunks.next() {
      guard chunk.allSatisfy({ type == .i8 ? $0 == 0 : $0 & 0x7F == 0 }) else { return false }
    }
    return true
  }

  /// Returns the tensor with the scale that another one holds: one number or, for integers, one a row.
  fileprivate func scaled(by scale: TensorDescriptor) throws -> TensorDescriptor {
    let count = scale.shape.reduce(1, *)
    func fault(_ why: String) -> BenbenError {
      malformed(
        "a scale that is none", scale.file.path, "\(quoted(scale.name)): \(why)",
        "Take the weights as their program writes them, or in bf16.")
    }
    if type == .i8, count == shape.first, count > 1, shape.count >= 2 {
      guard scale.file === file else { throw fault("it lies in another file than its weights") }
      guard scale.type == .f32, scale.strides == nil else {
        throw fault("it has a number a row in \(scale.typeName); f32 is needed")
      }
      return with(scaleOffset: scale.offset)
    }
    guard count == 1 else { throw fault("it has \(count) numbers for \(shape.text) values") }
    guard scale.weightType != nil, scale.strides == nil else { throw fault("it is in \(scale.typeName)") }
    var value: Float = 0
    var conversion = try TensorConversion(scale, to: .f32)
    _ = try conversion.next { value = $0.loadUnaligned(as: Float.self) }
    // The largest number of any eight-bit type. What is zero everywhere may have a scale of zero; anything else is lost by it.
    guard try (value * 57344).isFinite && (value != 0 || isZero()) else { throw fault("it is \(value)") }
    return with(uniformScale: value)
  }
}
