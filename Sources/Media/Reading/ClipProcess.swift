import Clips
import Files
import Isolation
import JSON

/// A reader of clips in a process of its own: what it does, and how it is asked.
package enum ClipProcess {
  /// Reads one clip for another process.
  package static let service = ReaderProcess.Service("clip") { path, channel in
    guard let (request, _) = channel.receive() else { return }
    do {
      if request["comment"]?.bool == true {
        _ = channel.send(["comment": try ClipReader.commentHere(of: path).map(JSONValue.string) ?? .null])
        return
      }
      let size = request["width"]?.integer.flatMap { width in
        request["height"]?.integer.map { (width: width, height: $0) }
      }
      let (clip, codec) = try ClipReader.readHere(
        path, maximumFrames: request["frames"]?.integer ?? .max, size: size)
      let answer: JSONValue = [
        "width": .integer(clip.width), "height": .integer(clip.height),
        "codec": codec.map(JSONValue.string) ?? .null,
      ]
      _ = clip.bytes.withUnsafeBytes { channel.send(answer, $0) }
    } catch {
      _ = channel.send(error)
    }
  }

  static func comment(of path: String) throws -> String? {
    try ReaderProcess(service.name, path: path).request(["comment": true]).json["comment"]?.string
  }

  static func read(
    _ path: String, maximumFrames: Int, size: (width: Int, height: Int)?
  ) throws -> (clip: Clip, codec: String?) {
    let reader = try ReaderProcess(service.name, path: path)
    var request: [String: JSONValue] = ["frames": .integer(maximumFrames)]
    if let size { request.merge(["width": .integer(size.width), "height": .integer(size.height)]) { $1 } }
    let (answer, byteCount) = try reader.request(.object(request))
    guard let width = answer["width"]?.integer, let height = answer["height"]?.integer,
      0...ClipReader.maximumBytes ~= byteCount
    else { throw reader.unexpected() }
    var bytes = [UInt8](repeating: 0, count: byteCount)
    try bytes.withUnsafeMutableBytes { try reader.read(into: $0) }
    guard let clip = Clip(width: width, height: height, bytes: bytes) else { throw reader.unexpected() }
    return (clip, answer["codec"]?.string)
  }
}
