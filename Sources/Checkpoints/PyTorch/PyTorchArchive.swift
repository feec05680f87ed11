import Files
import Tensors

/// Weights written by `torch.save`: a zip archive with a pickle that describes tensors, and one record per storage.
///
/// The pickle is read as data (``PickleReader``), the storages in place. A tensor may be any view of its storage:
/// transposed, sliced, expanded, shared. By decision, big-endian archives are refused, as are expanded tensors larger
/// than both the file and 64 MiB; a state dict may be nested under `state_dict`, `model`, `module` or `model_state_dict`, a
/// moving average beside it under `ema` and the like (its names then start with `ema.`), and what else stands there is not
/// read, and said.
package enum PyTorchArchive {
  /// The size in bytes that an expanded tensor may take even in a smaller file.
  private static let smallExpansion = 1 << 26
  /// The largest multiple of that, or of the file, that all tensors together may take.
  private static let largestGrowth = 16
  /// The keys under which training code stores the state dict.
  private static let nestedKeys = ["state_dict", "model", "module", "model_state_dict"]
  /// The keys under which it stores the moving average.
  private static let averageKeys = [
    "ema", "model_ema", "ema_model", "module_ema", "ema_state_dict", "state_dict_ema",
  ]

  /// Opens and validates a file.
  ///
  /// - Throws: ``BenbenError`` that names the file, the entry or tensor, and the offset.
  package static func open(_ file: InputFile) throws -> WeightFiles {
    let path = file.path
    try refuseOtherFormats(file)
    let records = try records(ZipDirectory(file), path: path)
    func record(_ name: String, limit: Int) throws -> [UInt8] {
      guard let entry = records[name] else {
        throw malformed("not a PyTorch archive", path, "it has no entry \(quoted(name))")
      }
      guard entry.size <= limit else {
        throw malformed("malformed PyTorch archive", path, "entry \(quoted(name)) takes \(entry.size) bytes")
      }
      return try file.bytes(at: entry.offset, count: entry.size)
    }
    // Archives that predate the entry were only written on little-endian machines.
    if records["byteorder"] != nil {
      let order = String(decoding: try record("byteorder", limit: 64), as: UTF8.self)
      guard order == "little" else {
        throw malformed(
          "this byte order is not supported", "\(path): byteorder", "it is \(quoted(order)), not little",
          "Save it again on a little-endian machine (x86, ARM).")
      }
    }
    let subject = "\(path): data.pkl"
    let pickle = try PickleReader(try record("data.pkl", limit: PickleReader.maximumLength), subject: subject)
    var tensors: [TensorDescriptor] = []
    var names: Set<String> = []
    var total = 0
    let dictionary = try stateDictionary(pickle, subject)
    for (key, value) in dictionary.items {
      guard case .string(let name) = key, name.isTensorName else {
        throw malformed("malformed state dict", subject, "a key is no name of a tensor")
      }
      guard names.insert(name).inserted else {
        throw malformed("malformed state dict", subject, "\(quoted(name)) stands in it twice")
      }
      if case .dictionary = value {
        throw malformed(
          "malformed state dict", subject, "\(quoted(name)) is a dictionary, and no tensor",
          "Save that dictionary alone, or another that holds the weights: torch.save(checkpoint[NAME], FILE)."
        )
      }
      guard case .tensor(let index) = value else {
        throw malformed("malformed state dict", subject, "\(quoted(name)) is no tensor")
      }
      let tensor = pickle.tensor(index)
      guard let storage = records["data/" + tensor.storage.key] else {
        throw malformed(
          "malformed tensor \(quoted(name))", path, "the archive has no storage \(quoted(tensor.storage.key))"
        )
      }
      let descriptor = try descriptor(name, tensor, storage: storage, file: file)
      total += descriptor.byteCount
      guard total <= largestGrowth * max(file.size, smallExpansion) else {
        throw malformed(
          "malformed state dict", subject, "its tensors share so much that they take over \(total) bytes")
      }
      tensors.append(descriptor)
    }
    return WeightFiles(
      files: [file], tensors: tensors, format: "PyTorch archive",
      absorbed: dictionary.beside.map {
        (
          $0,
          dictionary.key.map { "stands beside \(quoted($0)), whose tensors are taken" }
            ?? "stands beside the weights"
        )
      })
  }

  /// Returns whether a file starts like a zip archive.
  static func isArchive(_ head: [UInt8]) -> Bool { head.starts(with: [0x50, 0x4B, 0x03, 0x04]) }

  private static func refuseOtherFormats(_ file: InputFile) throws {
    let head = try file.bytes(at: 0, count: min(file.size, 512))
    if isArchive(head) { return }
    try Impostor.refuse(file)
    let isTar = head.count >= 262 && head[257..<262].elementsEqual("ustar".utf8)
    if !isTar { try Impostor.refuseText(file) }
    let kind =
      if isTar {
        "a tar archive, as PyTorch wrote before version 0.1.10"
      } else if head.starts(with: [0x80]) {
        "a bare pickle, as PyTorch wrote before version 1.6"
      } else if head.starts(with: [0x37, 0x7A, 0xBC, 0xAF]) {
        "a 7z archive"
      } else if head.starts(with: [0x1F, 0x8B]) {
        "compressed with gzip"
      } else if head.starts(with: [0x50, 0x4B]) {
        "an empty or spanned zip archive"
      } else if head.isEmpty {
        "empty"
      } else {
        "no zip archive at all"
      }
    throw malformed(
      "not a PyTorch archive", file.path, "it is \(kind)",
      "Load it in a current PyTorch, in a safe place, and save its state dict again, best as safetensors.")
  }

  /// Returns the entries by their path below the archive's one top folder.
  private static func records(
    _ directory: ZipDirectory, path: String
  ) throws -> [String: ZipDirectory.Entry] {
    let tops = Set(directory.entries.keys.map { $0.prefix { $0 != "/" } })
    guard tops.count == 1, let top = tops.first else {
      throw malformed("not a PyTorch archive", path, "it has \(tops.count) top folders, not one")
    }
    var records: [String: ZipDirectory.Entry] = [:]
    for entry in directory.entries.values { records[String(entry.name.dropFirst(top.count + 1))] = entry }
    guard records["constants.pkl"] == nil else {
      throw malformed(
        "not a state dict", path, "it is a TorchScript program", "Save the module's state_dict() instead.")
    }
    return records
  }

  /// A state dict, the key under which it is nested, and the names that stand beside it.
  private struct StateDictionary {
    var items: [(key: PickleValue, value: PickleValue)]
    var key: String?
    var beside: [String] = []
  }

  private static func stateDictionary(_ pickle: PickleReader, _ subject: String) throws -> StateDictionary {
    guard case .dictionary(let top) = pickle.result else {
      throw malformed("not a state dict", subject, "the pickle's value is no dictionary")
    }
    let items = pickle.items(top)
    let model = nested(nestedKeys, in: items, pickle, depth: maximumNesting)
    let average = nested(averageKeys, in: items, pickle, depth: maximumNesting)
    let averaged = (average?.items ?? []).compactMap { key, value -> Item? in
      guard case .string(let name) = key, case .tensor = value else { return nil }
      return (.string(WeightFiles.averagePrefixes[0] + name), value)
    }
    guard model != nil || !averaged.isEmpty else { return StateDictionary(items: items) }
    // Tensors of the top are those of the model, or stand beside a nested one, as a count of steps does.
    let own = tensorCount(items)
    let isOwn = own > tensorCount(model?.items ?? []) && 2 * own >= averaged.count
    let keys = [model?.key, averaged.isEmpty ? nil : average?.key].compactMap(\.self)
    let others = items.filter { item in !keys.contains { $0 == item.key.text } }
    let names = (isOwn ? [] : others).compactMap { $0.key.text }
    return StateDictionary(
      items: (isOwn ? others : model?.items ?? []) + averaged, key: isOwn ? nil : keys.first,
      beside: names + (isOwn ? [model?.key].compactMap(\.self) : model?.beside ?? [])
        + (average?.beside ?? []))
  }

  private typealias Item = (key: PickleValue, value: PickleValue)
  /// The most dictionaries in each other.
  private static let maximumNesting = 4

  private static func tensorCount(_ items: [Item]) -> Int {
    items.count { if case .tensor = $0.value { true } else { false } }
  }

  /// Returns the first of some keys with the items of the dictionary under it, which may be nested once more, and the names of
  /// what stands beside these.
  private static func nested(
    _ keys: [String], in items: [Item], _ pickle: PickleReader, depth: Int
  ) -> (key: String, items: [Item], beside: [String])? {
    for wanted in keys {
      for case (.string(wanted), .dictionary(let found)) in items {
        let inner = pickle.items(found)
        guard depth > 1, let deeper = nested(nestedKeys, in: inner, pickle, depth: depth - 1),
          tensorCount(deeper.items) > tensorCount(inner) || tensorCount(inner) == 0
        else { return (wanted, inner, []) }
        let others = inner.compactMap { $0.key.text }.filter { $0 != deeper.key }
        return (wanted, deeper.items, others + deeper.beside)
      }
    }
    return nil
  }

  private static func descriptor(
    _ name: String, _ tensor: PickleTensor, storage: ZipDirectory.Entry, file: InputFile
  ) throws -> TensorDescriptor {
    func fault(_ why: String) -> BenbenError { malformed("malformed tensor \(quoted(name))", file.path, why) }
    let (shape, type) = (tensor.shape, tensor.type)
    guard shape.count == tensor.strides.count, shape.count <= Safetensors.maximumRank else {
      throw fault("it has \(shape.count) dimensions and \(tensor.strides.count) strides")
    }
    guard let byteCount = shape.checkedByteCount(of: type) else {
      throw fault("its shape is negative or too large to count")
    }
    let (storageBytes, overflow) = tensor.storage.count.multipliedReportingOverflow(by: type.size)
    guard !overflow, storageBytes <= storage.size else {
      throw fault(
        "storage \(quoted(tensor.storage.key)) is said to hold \(tensor.storage.count) \(type.rawValue), "
          + "its record takes \(storage.size) bytes")
    }
    guard tensor.offset >= 0, tensor.strides.allSatisfy({ $0 >= 0 }) else {
      throw fault("its offset or a stride is negative")
    }
    guard let last = lastElement(tensor), byteCount == 0 || last < tensor.storage.count else {
      throw fault("it reaches outside its storage of \(tensor.storage.count) elements")
    }
    guard byteCount <= max(file.size, smallExpansion) else {
      throw fault("it is expanded to \(byteCount) bytes, the whole file has \(file.size)")
    }
    let start = byteCount == 0 ? 0 : tensor.offset * type.size
    // The stride of a dimension of one element is never used, and may have any value.
    let strides = zip(shape, tensor.strides).map { $0 > 1 ? $1 : 0 }
    return TensorDescriptor(
      name: name, type: type, shape: shape, file: file, offset: storage.offset + start, byteCount: byteCount,
      strides: shape.isContiguous(strides: strides) ? nil : strides)
  }

  /// Returns the index of a tensor's last element in its storage, or nil on overflow.
  private static func lastElement(_ tensor: PickleTensor) -> Int? {
    var last = tensor.offset
    for (dimension, stride) in zip(tensor.shape, tensor.strides) where dimension > 1 {
      let (distance, overflow) = (dimension - 1).multipliedReportingOverflow(by: stride)
      let (sum, overflowsToo) = last.addingReportingOverflow(distance)
      if overflow || overflowsToo { return nil }
      last = sum
    }
    return last
  }
}
