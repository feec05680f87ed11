/// Builds zip archives byte by byte, sound ones and others.
struct ZipBuilder {
  struct Entry {
    var name: String
    var data: [UInt8]
    var flags = 0
    var method = 0
    var crc: UInt32?
    /// What the local header says, where it is something else.
    var localName: String?
    var localSize: Int?
    var localMethod: Int?
    var localExtra: [UInt8] = []
    /// What the directory says, where it is something else.
    var centralSize: Int?
    var centralOffset: Int?
  }

  var entries: [Entry]
  /// Bytes before the first entry, and behind the end record.
  var head: [UInt8] = [], tail: [UInt8] = []
  var comment: [UInt8] = []
  /// Whether a ZIP64 end record and its locator are written, and where the locator points to.
  var isZip64 = false
  var locator: Int?
  var count: Int?

  init(_ files: [(String, [UInt8])]) {
    entries = files.map { Entry(name: $0.0, data: $0.1) }
  }

  /// A PyTorch archive with this pickle and these storages.
  init(pickle: [UInt8], storages: [[UInt8]] = [[UInt8](repeating: 1, count: 16)], top: String = "archive") {
    self.init(
      [("\(top)/data.pkl", pickle), ("\(top)/byteorder", Array("little".utf8))]
        + storages.enumerated().map { ("\(top)/data/\($0)", $1) })
  }

  static func little(_ value: Int, _ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
  }

  private static func crc(_ bytes: [UInt8]) -> UInt32 {
    ~bytes.reduce(~UInt32(0)) { crc, byte in
      (0..<8).reduce(crc ^ UInt32(byte)) { crc, _ in crc >> 1 ^ (crc & 1 == 1 ? 0xEDB8_8320 : 0) }
    }
  }

  var bytes: [UInt8] {
    let little = Self.little
    var bytes = head
    var directory: [UInt8] = []
    for entry in entries {
      let crc = Int(entry.crc ?? Self.crc(entry.data))
      let offset = bytes.count
      let localName = Array((entry.localName ?? entry.name).utf8)
      let localSize = entry.localSize ?? entry.data.count
      bytes += little(0x0403_4b50, 4) + little(20, 2) + little(entry.flags, 2)
      bytes += little(entry.localMethod ?? entry.method, 2) + little(0, 4) + little(crc, 4)
      bytes += little(localSize, 4) + little(localSize, 4)
      bytes += little(localName.count, 2) + little(entry.localExtra.count, 2) + localName + entry.localExtra
      bytes += entry.data
      let name = Array(entry.name.utf8)
      let size = entry.centralSize ?? entry.data.count
      directory += little(0x0201_4b50, 4) + little(20, 2) + little(20, 2) + little(entry.flags, 2)
      directory += little(entry.method, 2) + little(0, 4) + little(crc, 4) + little(size, 4) + little(size, 4)
      directory += little(name.count, 2) + little(0, 12) + little(entry.centralOffset ?? offset, 4) + name
    }
    let start = bytes.count
    bytes += directory
    let count = count ?? entries.count
    if isZip64 {
      let record = bytes.count
      bytes += little(0x0606_4b50, 4) + little(44, 8) + little(45, 2) + little(45, 2) + little(0, 8)
      bytes += little(count, 8) + little(count, 8) + little(directory.count, 8) + little(start, 8)
      bytes += little(0x0706_4b50, 4) + little(0, 4) + little(locator ?? record, 8) + little(1, 4)
    }
    bytes += little(0x0605_4b50, 4) + little(0, 4) + little(count, 2) + little(count, 2)
    bytes += little(directory.count, 4) + little(start, 4) + little(comment.count, 2) + comment
    return bytes + tail
  }
}

/// Writes pickles opcode by opcode.
enum Pickle {
  static func text(_ text: String) -> [UInt8] {
    [0x58] + ZipBuilder.little(text.utf8.count, 4) + Array(text.utf8)
  }

  static func integer(_ value: Int) -> [UInt8] { [0x8A, 8] + ZipBuilder.little(value, 8) }

  static func tuple(_ values: [[UInt8]]) -> [UInt8] { [0x28] + values.flatMap { $0 } + [0x74] }

  static func global(_ module: String, _ name: String) -> [UInt8] {
    Array("c\(module)\n\(name)\n".utf8)
  }

  static let orderedDictionary = global("collections", "OrderedDict") + [0x29, 0x52]

  static func storage(
    _ key: String = "0", type: [UInt8] = global("torch", "FloatStorage"), count: Int = 4,
    mark: String = "storage"
  ) -> [UInt8] {
    tuple([text(mark), type, text(key), text("cpu"), integer(count)]) + [0x51]
  }

  /// `_rebuild_tensor_v2` of a storage.
  static func tensor(
    _ storage: [UInt8] = storage(), offset: Int = 0, shape: [Int] = [4], strides: [Int] = [1]
  ) -> [UInt8] {
    global("torch._utils", "_rebuild_tensor_v2")
      + tuple([
        storage, integer(offset), tuple(shape.map(integer)), tuple(strides.map(integer)), [0x89],
        orderedDictionary,
      ]) + [0x52]
  }

  /// A whole pickle around a value.
  static func file(_ value: [UInt8], protocol version: UInt8 = 2) -> [UInt8] {
    [0x80, version] + value + [0x2E]
  }

  /// A state dict with one tensor "w".
  static func stateDictionary(_ tensor: [UInt8] = tensor()) -> [UInt8] {
    file([0x7D] + text("w") + tensor + [0x73])
  }
}
