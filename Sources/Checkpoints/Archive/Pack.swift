import Files
import JSON
import Tensors

/// A native model in one file, for shipping: zstd frames, one for each tensor or 8 MiB of it, and their index.
///
///     frame …                  each the bytes of one block, wide numbers split into byte planes
///     skippable frame          the index: canonical JSON, schema `benben.pack/1`
///     skippable frame          56 bytes: where the index starts, its length, its SHA-256, and the magic `BENBENPK`
///     skippable frame          72 bytes, if the pack is signed: the signature of the 56, and the magic `BENBENSG`
///
/// Frame boundaries follow the tensors of the native format, so the same model gives the same bytes whatever the number
/// of threads. Any zstd program can check the frames. The schema of the index is `schemas/benben-pack.schema.json`.
package enum Pack {
  static let schema = "benben.pack/1"
  static let magic = Array("BENBENPK".utf8)
  /// The length of the trailer in bytes: two numbers of eight bytes, a hash, and the magic.
  static let trailerLength = 8 + 8 + 32 + 8
  /// The magic number of skippable frames, which zstd readers pass over.
  static let skippableMagic: UInt32 = 0x184D_2A50
  /// The maximum size of a block in bytes; larger tensors are split.
  static let blockSize = 8 << 20
  static let maximumIndexLength = 64_000_000
  /// The most files, many times those of a model with its evidence; each is made and synced.
  static let maximumFileCount = 1000
  /// The largest file of evidence, in bytes.
  static let maximumEvidence = 1 << 30
  /// The maximum ratio of unpacked to packed bytes; weights never shrink this much, so a larger claim is a bomb.
  static let largestRatio = 256

  /// A run of bytes of a file, packed into one frame.
  struct Block: Sendable {
    /// The size in the file, in bytes.
    let count: Int
    /// The width in bytes of its numbers, which are split into byte planes; 1 when there is nothing to split.
    let width: Int
    /// The size of the frame, in bytes.
    var packedCount = 0
  }

  /// A file of the model.
  struct File {
    let path: String
    let sha256: String
    var blocks: [Block]

    var count: Int { blocks.reduce(0) { $0 + $1.count } }
  }

  static func index(_ files: [File]) -> JSONValue {
    [
      "schema": .string(schema),
      "files": .array(
        files.map { file in
          [
            "path": .string(file.path), "bytes": .integer(file.count), "sha256": .string(file.sha256),
            "blocks": .array(
              file.blocks.map { [.integer($0.count), .integer($0.width), .integer($0.packedCount)] }),
          ]
        }),
    ]
  }

  /// Reads and checks an index, whose frames must fill the pack up to `dataLength` exactly.
  static func files(_ index: JSONValue, dataLength: Int, path: String) throws -> [File] {
    func fault(_ why: String) -> BenbenError { malformed("malformed pack", path, why) }
    guard index["schema"]?.string == schema, let rows = index["files"]?.array else {
      throw fault("its index is not of the schema \(schema)")
    }
    var packed = 0
    var unpacked = 0
    let files = try rows.map { row -> File in
      guard let name = row["path"]?.string, RelativePath.isPlain(name), let sha = row["sha256"]?.string,
        let bytes = row["bytes"]?.integer, let blocks = row["blocks"]?.array
      else { throw fault("a file of its index lacks a field, or lies outside the model") }
      let file = File(
        path: name, sha256: sha,
        blocks: try blocks.map { block in
          guard let numbers = block.integers, numbers.count == 3, 1...blockSize ~= numbers[0],
            [1, 2, 4].contains(numbers[1]), 1...(2 * blockSize) ~= numbers[2]
          else { throw fault("a block of \(quoted(name)) is out of range") }
          packed += numbers[2]
          unpacked += numbers[0]
          guard packed <= dataLength else { throw fault("its frames reach past their end") }
          return Block(count: numbers[0], width: numbers[1], packedCount: numbers[2])
        })
      guard file.count == bytes else {
        throw fault("the blocks of \(quoted(name)) are not its \(bytes) bytes")
      }
      return file
    }
    guard packed == dataLength else { throw fault("\(dataLength - packed) bytes belong to no frame") }
    guard unpacked / largestRatio <= dataLength else {
      throw fault("it would unpack to \(unpacked) bytes, more than \(largestRatio) times its size")
    }
    guard Set(files.map(\.path)).count == files.count else { throw fault("a file is listed twice") }
    guard files.count <= maximumFileCount else { throw fault("it holds \(files.count) files") }
    return files
  }
}
