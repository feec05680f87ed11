import Files
import JSON

#if canImport(Glibc)
  import Glibc
#endif

/// One end of a connection between a process and its reader: messages of JSON, each followed by bytes.
///
/// A message is two little-endian numbers of eight bytes, the lengths of the JSON and of the bytes, and then these.
package final class Channel: Sendable {
  private let descriptor: Int32
  /// The most bytes of JSON in a message.
  private static let maximumJSONLength = 64_000_000

  init(_ descriptor: Int32) { self.descriptor = descriptor }

  deinit { close(descriptor) }

  /// Sends a message; false when the other end has gone.
  package func send(_ json: JSONValue, _ bytes: UnsafeRawBufferPointer = .init(start: nil, count: 0)) -> Bool
  {
    let text = Array(json.canonicalText.utf8)
    var lengths = [UInt64(text.count).littleEndian, UInt64(bytes.count).littleEndian]
    return withUnsafeBytes(of: &lengths[0]) { write($0) } && withUnsafeBytes(of: &lengths[1]) { write($0) }
      && text.withUnsafeBytes { write($0) } && write(bytes)
  }

  /// Receives the JSON of a message and the number of bytes that follow it; nil when the other end has gone, or sends
  /// something else.
  package func receive() -> (json: JSONValue, byteCount: Int)? {
    var lengths: [UInt64] = [0, 0]
    guard lengths.withUnsafeMutableBytes({ read(into: $0) }),
      let length = Int(exactly: UInt64(littleEndian: lengths[0])), length <= Self.maximumJSONLength,
      let byteCount = Int(exactly: UInt64(littleEndian: lengths[1]))
    else { return nil }
    var text = [UInt8](repeating: 0, count: length)
    guard text.withUnsafeMutableBytes({ read(into: $0) }), let json = try? JSONValue(parsing: text) else {
      return nil
    }
    return (json, byteCount)
  }

  /// Ends the connection in both directions: the other end waits for nothing any more.
  func shutDown() { shutdown(descriptor, Int32(SHUT_RDWR)) }

  /// Fills a buffer with the next bytes; false when the other end has gone.
  package func read(into buffer: UnsafeMutableRawBufferPointer) -> Bool {
    var done = 0
    while done < buffer.count {
      let count = recv(descriptor, buffer.baseAddress.map { $0 + done }, buffer.count - done, 0)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return false }
      done += count
    }
    return true
  }

  private func write(_ bytes: UnsafeRawBufferPointer) -> Bool {
    var done = 0
    while done < bytes.count {
      // Another end that has gone is an answer, not a signal. `sendmsg` is what a confined reader may still use.
      var part = iovec(
        iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress.map { $0 + done }),
        iov_len: bytes.count - done)
      let count = withUnsafeMutablePointer(to: &part) { part in
        var message = msghdr()
        message.msg_iov = part
        message.msg_iovlen = 1
        return sendmsg(descriptor, &message, Int32(MSG_NOSIGNAL))
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return false }
      done += count
    }
    return true
  }
}
