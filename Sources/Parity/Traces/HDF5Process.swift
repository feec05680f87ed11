import Files
import Isolation
import JSON
import Synchronization
import Tensors

/// A reader of HDF5 files in a process of its own: what it does, and how it is asked.
package final class HDF5Process: HDF5Source {
  /// The memory that the library may map whatever is read, in bytes, and how many times the largest dataset besides: what it
  /// reads, its chunks, and what those are made of.
  private static let ordinaryMemory = 1 << 30, memoryFactor = 4

  /// Reads one trace for another process.
  package static let service = ReaderProcess.Service("trace") { path, channel in
    let file: HDF5Library.File
    do { file = try HDF5Library.File(path: path) } catch {
      _ = channel.receive()
      _ = channel.send(error)
      return
    }
    // A chunk may expand to far more than its dataset.
    let largest = file.contents.entries.values.map(\.byteCount).max() ?? 0
    ReaderProcess.limitMemory(to: ordinaryMemory + memoryFactor * largest)
    while let (request, _) = channel.receive() {
      do {
        let (answer, bytes) = try answer(request, file)
        guard bytes.withUnsafeBytes({ channel.send(answer, $0) }) else { return }
      } catch {
        guard channel.send(error) else { return }
      }
    }
  }

  private static func answer(_ request: JSONValue, _ file: HDF5Library.File) throws -> (JSONValue, [UInt8]) {
    let (name, object) = (request["name"]?.string ?? "", request["of"]?.string ?? ".")
    switch request["ask"]?.string {
    case "contents": return (file.contents.json, [])
    case "string": return (["value": try file.string(name, of: object).map(JSONValue.string) ?? .null], [])
    case "integer": return (["value": try file.integer(name, of: object).map(JSONValue.integer) ?? .null], [])
    default:
      guard let type = request["type"]?.string.flatMap(HDF5NumberType.init(rawValue:)),
        case .dataset(let shape) = file.contents.entries[name], let count = shape.checkedElementCount
      else { return (.null, []) }
      var bytes = [UInt8](repeating: 0, count: count * type.size)
      try bytes.withUnsafeMutableBytes { try file.read(name, as: type, into: $0) }
      return (.null, bytes)
    }
  }

  let contents: HDF5Contents
  /// Asked by one thread at a time.
  private let reader: Mutex<ReaderProcess>

  init(path: String) throws {
    let process = try ReaderProcess(Self.service.name, path: path)
    let answer = try process.request(["ask": "contents"])
    guard answer.byteCount == 0, let contents = HDF5Contents(json: answer.json, path: path) else {
      throw process.unexpected()
    }
    self.contents = contents
    reader = Mutex(process)
  }

  func read(_ name: String, as type: HDF5NumberType, into buffer: UnsafeMutableRawBufferPointer) throws {
    let size = buffer.count
    let address = UInt(bitPattern: buffer.baseAddress)
    try reader.withLock { process in
      let answer = try process.request([
        "ask": "values", "name": .string(name), "type": .string(type.rawValue),
      ])
      guard answer.byteCount == size else { throw process.unexpected() }
      try process.read(
        into: UnsafeMutableRawBufferPointer(start: UnsafeMutableRawPointer(bitPattern: address), count: size))
    }
  }

  func string(_ name: String, of object: String) throws -> String? {
    try value("string", name, object)?.string
  }

  func integer(_ name: String, of object: String) throws -> Int? {
    try value("integer", name, object)?.integer
  }

  /// Returns the value of an attribute, or nil when it does not exist.
  private func value(_ kind: String, _ name: String, _ object: String) throws -> JSONValue? {
    try reader.withLock { process in
      let answer = try process.request([
        "ask": .string(kind), "name": .string(name), "of": .string(object),
      ])
      guard answer.byteCount == 0, let value = answer.json["value"] else { throw process.unexpected() }
      return value == .null ? nil : value
    }
  }
}

extension HDF5Contents {
  /// The objects by their names: the shapes of datasets, and null for groups.
  fileprivate var json: JSONValue {
    .object(
      entries.mapValues { entry in
        if case .dataset(let shape) = entry { .array(shape.map(JSONValue.integer)) } else { .null }
      })
  }

  /// Reads what a reader tells of a file; nil when that makes no sense.
  fileprivate init?(json: JSONValue, path: String) {
    guard let members = json.object else { return nil }
    var entries: [String: Entry] = [:]
    for (name, value) in members {
      if value == .null {
        entries[name] = .group
      } else if let shape = value.integers, shape.checkedElementCount != nil {
        entries[name] = .dataset(shape)
      } else {
        return nil
      }
    }
    self.init(entries: entries, path: path)
  }
}
