import CZlib
import Files
import JSON
import Tensors

/// The directory of a zip archive as PyTorch writes it: uncompressed entries one after the other, followed by the
/// directory and nothing else.
///
/// The checks are stricter than zip demands, so that no two readers can see different contents: nothing precedes the
/// first entry, nothing but data descriptors lies between entries, the directory ends where the end record starts, the
/// end record ends the file, local and central headers agree, and every entry's CRC-32 is verified. ZIP64 is supported.
struct ZipDirectory {
  /// One stored entry.
  struct Entry {
    let name: String
    /// The offset of its data in the file.
    let offset: Int
    let size: Int
  }

  /// The entries by name.
  let entries: [String: Entry]

  /// The maximum length of the directory in bytes; that of the largest release takes 100 KB.
  private static let maximumDirectoryLength = 64_000_000
  private static let endLength = 22, locatorLength = 20, end64Length = 56
  private static let localLength = 30, centralLength = 46

  /// An entry as listed in the directory.
  private struct Listed {
    let name: String
    let flags: Int
    let crc: UInt32
    let size: Int
    let header: Int
  }

  /// Reads the directory and checks it, and the CRC of every entry.
  ///
  /// - Throws: ``BenbenError`` that names the file, the entry and the offset.
  init(_ file: InputFile) throws {
    func fault(_ offset: Int, _ why: String) -> BenbenError {
      malformed("malformed zip archive", "\(file.path): byte \(offset)", why)
    }
    let end = try Self.findEnd(file)
    guard end.directoryLength <= Self.maximumDirectoryLength else {
      throw fault(end.directory, "its directory takes \(end.directoryLength) bytes")
    }
    let bytes = try file.bytes(at: end.directory, count: end.directoryLength)
    var reader = ByteReader(bytes)
    var listed: [Listed] = []
    var names: Set<String> = []
    for _ in 0..<end.count {
      let offset = end.directory + reader.position
      guard let entry = try Self.listed(&reader, { fault(offset, $0) }) else {
        throw fault(offset, "the directory is cut short")
      }
      guard names.insert(entry.name).inserted else {
        throw fault(offset, "entry \(quoted(entry.name)) is listed twice")
      }
      listed.append(entry)
    }
    guard reader.remaining == 0 else {
      throw fault(end.directory + reader.position, "the directory lists more than the end record counts")
    }
    listed.sort { $0.header < $1.header }
    guard listed.first?.header ?? 0 == 0 else { throw fault(0, "something stands before the first entry") }
    var entries: [String: Entry] = [:]
    for (index, entry) in listed.enumerated() {
      let limit = index + 1 < listed.count ? listed[index + 1].header : end.directory
      let data = try Self.data(of: entry, in: file, limit: limit) { fault(entry.header, $0) }
      guard try Self.crc(file, data) == entry.crc else {
        throw malformed(
          "the file is damaged", "\(file.path): byte \(data.lowerBound)",
          "the CRC-32 of entry \(quoted(entry.name)) is not the stored one", "Download it again.")
      }
      entries[entry.name] = Entry(name: entry.name, offset: data.lowerBound, size: data.count)
    }
    self.entries = entries
  }

  /// Finds the end record and, where present, the ZIP64 end record before it.
  private static func findEnd(_ file: InputFile) throws -> (directory: Int, directoryLength: Int, count: Int)
  {
    func fault(_ offset: Int, _ why: String) -> BenbenError {
      malformed(
        "malformed zip archive", "\(file.path): byte \(offset)", why,
        "If the download was cut short, download it again; PyTorch archives hold nothing behind the end record."
      )
    }
    let endStart = file.size - endLength
    guard endStart >= 0 else { throw fault(0, "it is too short for an end record") }
    var reader = ByteReader(try file.bytes(at: endStart, count: endLength))
    guard reader.unsigned(4) == 0x0605_4b50 else {
      throw fault(endStart, "the file does not end with the end record")
    }
    let disks = [reader.integer(2), reader.integer(2)]
    guard let here = reader.integer(2), var count = reader.integer(2), var length = reader.integer(4),
      var start = reader.integer(4), reader.integer(2) == 0, disks == [0, 0]
    else { throw fault(endStart, "it has a comment or is spread over several disks") }
    guard here == count else { throw fault(endStart, "its two counts of entries differ") }
    var directoryEnd = endStart
    let locatorStart = endStart - locatorLength
    if locatorStart >= 0 {
      var locator = ByteReader(try file.bytes(at: locatorStart, count: locatorLength))
      if locator.unsigned(4) == 0x0706_4b50 {
        let expected = locatorStart - end64Length
        guard locator.integer(4) == 0, locator.integer(8) == expected, locator.integer(4) == 1, expected >= 0
        else { throw fault(locatorStart, "the ZIP64 locator does not point to the record before it") }
        var record = ByteReader(try file.bytes(at: expected, count: end64Length))
        guard record.unsigned(4) == 0x0606_4b50, record.integer(8) == end64Length - 12,
          record.run(4) != nil, record.integer(4) == 0, record.integer(4) == 0,
          let here64 = record.integer(8), let count64 = record.integer(8), here64 == count64,
          let length64 = record.integer(8), let start64 = record.integer(8)
        else { throw fault(expected, "the ZIP64 end record is malformed") }
        // The short record holds the same values, or all ones where they do not fit.
        guard count == count64 || count == 0xFFFF, length == length64 || length == 0xFFFF_FFFF,
          start == start64 || start == 0xFFFF_FFFF
        else { throw fault(expected, "the two end records differ") }
        (count, length, start, directoryEnd) = (count64, length64, start64, expected)
      }
    }
    guard length <= directoryEnd, start == directoryEnd - length else {
      throw fault(endStart, "the directory does not end where the end record starts")
    }
    guard count <= length / centralLength else { throw fault(endStart, "it counts \(count) entries") }
    return (start, length, count)
  }

  /// Reads the next entry of the directory; returns nil when the directory is cut short.
  private static func listed(
    _ reader: inout ByteReader, _ fault: (String) -> BenbenError
  ) throws -> Listed? {
    guard let signature = reader.unsigned(4) else { return nil }
    guard signature == 0x0201_4b50 else { throw fault("no directory entry stands here") }
    guard reader.run(4) != nil, let flags = reader.integer(2), let method = reader.integer(2),
      reader.run(4) != nil, let crc = reader.unsigned(4), var packed = reader.integer(4),
      var size = reader.integer(4), let nameLength = reader.integer(2), let extraLength = reader.integer(2),
      let commentLength = reader.integer(2), let disk = reader.integer(2), reader.run(6) != nil,
      var header = reader.integer(4), let nameBytes = reader.run(nameLength),
      let extra = reader.run(extraLength), reader.run(commentLength) != nil
    else { return nil }
    guard let name = String(validating: nameBytes, as: UTF8.self), isSafe(name), name.isStreamSafe else {
      throw fault("an entry's name is no plain path inside the archive")
    }
    // Bit 0: encryption; bit 6: strong encryption; bit 13: hidden headers.
    guard flags & 0b10_0000_0100_0001 == 0 else { throw fault("entry \(quoted(name)) is encrypted") }
    guard method == 0 else {
      throw fault(
        "entry \(quoted(name)) is compressed (method \(method)); PyTorch stores entries as they are")
    }
    guard disk == 0 else { throw fault("entry \(quoted(name)) lies on another disk") }
    if [packed, size, header].contains(0xFFFF_FFFF) {
      var wide = zip64Field(extra)
      func widen(_ value: inout Int) throws {
        guard value == 0xFFFF_FFFF else { return }
        guard let stored = wide?.integer(8) else {
          throw fault("the ZIP64 field of entry \(quoted(name)) is malformed")
        }
        value = stored
      }
      try widen(&size)
      try widen(&packed)
      try widen(&header)
    }
    guard packed == size else { throw fault("entry \(quoted(name)) has two sizes, \(packed) and \(size)") }
    return Listed(name: name, flags: flags, crc: UInt32(truncatingIfNeeded: crc), size: size, header: header)
  }

  /// Returns the ZIP64 field of an extra field: the numbers that do not fit into 32 bits, in their fixed order.
  private static func zip64Field(_ extra: ArraySlice<UInt8>) -> ByteReader? {
    var fields = ByteReader(extra)
    while let id = fields.integer(2), let length = fields.integer(2), let field = fields.run(length) {
      if id == 1 { return ByteReader(field) }
    }
    return nil
  }

  /// Returns whether a name stays inside the archive's folder, whatever program unpacks it.
  private static func isSafe(_ name: String) -> Bool {
    let parts = name.split(separator: "/", omittingEmptySubsequences: false)
    return !name.unicodeScalars.contains { $0.value < 0x20 || $0 == "\\" || $0 == ":" }
      && parts.allSatisfy { !$0.isEmpty && $0 != "." && $0 != ".." }
  }

  /// Returns the range of an entry's data, after comparing its local header with the directory.
  ///
  /// - Parameter limit: the offset of the next entry or of the directory.
  private static func data(
    of entry: Listed, in file: InputFile, limit: Int, _ fault: (String) -> BenbenError
  ) throws -> Range<Int> {
    let name = quoted(entry.name)
    guard entry.header <= limit, limit <= file.size, limit - entry.header >= localLength else {
      throw fault("entry \(name) overlaps what follows it")
    }
    var reader = ByteReader(try file.bytes(at: entry.header, count: localLength))
    guard reader.unsigned(4) == 0x0403_4b50, reader.run(2) != nil, let flags = reader.integer(2),
      let method = reader.integer(2), reader.run(4) != nil, let crc = reader.unsigned(4),
      let packed = reader.integer(4), let size = reader.integer(4), let nameLength = reader.integer(2),
      let extraLength = reader.integer(2)
    else { throw fault("entry \(name) has no local header") }
    let start = entry.header + localLength + nameLength + extraLength
    guard start <= limit, entry.size <= limit - start else {
      throw fault("entry \(name) overlaps what follows it")
    }
    guard try file.bytes(at: entry.header + localLength, count: nameLength) == Array(entry.name.utf8) else {
      throw fault("entry \(name) has another name in its local header")
    }
    guard flags == entry.flags, method == 0 else {
      throw fault("entry \(name) has another method or other flags in its local header")
    }
    let end = start + entry.size
    // With bit 3, the sizes follow the data, and the local header may leave them out.
    let isDescribedBehind = flags & 8 != 0
    var wide = zip64Field(
      try file.bytes(at: start - extraLength, count: extraLength)[...])
    let isWide =
      packed == 0xFFFF_FFFF && size == 0xFFFF_FFFF && wide?.integer(8) == entry.size
      && wide?.integer(8) == entry.size
    let isLeftOut = isDescribedBehind && packed == 0 && size == 0
    guard isWide || isLeftOut || (packed == entry.size && size == entry.size),
      crc == UInt64(entry.crc) || (isDescribedBehind && crc == 0)
    else { throw fault("entry \(name) has another size or CRC in its local header") }
    let gap = limit - end
    if isDescribedBehind {
      var descriptor = ByteReader(try file.bytes(at: end, count: min(gap, 24)))
      let width = gap >= 24 ? 8 : 4
      guard descriptor.unsigned(4) == 0x0807_4b50, descriptor.unsigned(4) == UInt64(entry.crc),
        descriptor.integer(width) == entry.size, descriptor.integer(width) == entry.size,
        descriptor.position == gap
      else { throw fault("entry \(name) is not followed by its own size and CRC") }
    } else if gap != 0 {
      throw fault("\(gap) bytes behind entry \(name) belong to nothing")
    }
    return start..<end
  }

  private static func crc(_ file: InputFile, _ range: Range<Int>) throws -> UInt32 {
    var crc = crc32(0, nil, 0)
    let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
    defer { chunk.deallocate() }
    var offset = range.lowerBound
    while offset < range.upperBound {
      try Task.checkCancellation()
      let part = UnsafeMutableRawBufferPointer(
        rebasing: chunk[..<min(chunk.count, range.upperBound - offset)])
      try file.read(at: offset, into: part)
      crc = crc32_z(crc, part.bindMemory(to: UInt8.self).baseAddress, part.count)
      offset += part.count
    }
    return UInt32(truncatingIfNeeded: crc)
  }
}
