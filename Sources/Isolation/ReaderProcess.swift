import CIsolation
import Files
import Foundation
import JSON
import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

/// A process of its own in which a C library reads one untrusted file, without rights and with little memory and time.
///
/// It is the same program, started anew under another name: ``serveIfAsked(_:)`` is what it does then. Where the file ends
/// the library, only that process ends.
package final class ReaderProcess: Sendable {
  /// What a reader process does: it answers the messages of its channel until that ends.
  package struct Service: Sendable {
    package let name: String
    let serve: @Sendable (_ path: String, _ channel: Channel) -> Void

    package init(_ name: String, serve: @escaping @Sendable (_ path: String, _ channel: Channel) -> Void) {
      self.name = name
      self.serve = serve
    }
  }

  /// What the program is called when it is to be a reader.
  private static let programName = "benben-reader"
  /// The most memory that a reader may map, in bytes: what a clip or a dataset takes at most, and its libraries.
  private static let maximumMemory = 9 << 30
  /// The time that a reader may compute, in seconds, and how many more bytes of the file give one more.
  private static let seconds = 8, bytesPerSecond = 20_000_000

  private static let available = Atomic<Bool>(false)

  /// Whether files are read by processes of their own: once the program has called ``serveIfAsked(_:)``, unless it was turned
  /// off since.
  package static var isOn: Bool { available.load(ordering: .relaxed) }

  /// Reads files in this process from now on.
  package static func turnOff() { available.store(false, ordering: .relaxed) }

  /// Becomes a reader and exits if the program was started as one; a program calls it before anything else.
  package static func serveIfAsked(_ services: [Service]) {
    let arguments = CommandLine.arguments
    guard arguments.first == programName else { return available.store(true, ordering: .relaxed) }
    guard arguments.count == 3, let service = services.first(where: { $0.name == arguments[1] }) else {
      exit(64)
    }
    let path = arguments[2]
    let size = (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0
    _ = bb_isolate(path, maximumMemory, UInt32(seconds + size / bytesPerSecond))
    service.serve(path, Channel(0))
    exit(0)
  }

  /// Lowers the memory that this process, which must be a reader, may map.
  package static func limitMemory(to byteCount: Int) {
    var limit = rlimit()
    guard !isOn, getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit) == 0 else { return }
    let wanted = min(limit.rlim_cur, rlim_t(byteCount))
    limit = rlimit(rlim_cur: wanted, rlim_max: wanted)
    setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit)
  }

  private let path: String
  private let channel: Channel
  private let process: pid_t
  private let isCollected = Mutex(false)

  /// Starts a reader for a file or folder.
  package init(_ service: String, path: String) throws {
    self.path = path
    func failed(_ error: Int32) -> BenbenError {
      BenbenError(
        .inputOutput, "cannot start the reader", at: path, because: String(cString: strerror(error)))
    }
    var ends: [Int32] = [-1, -1]
    guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
      throw failed(errno)
    }
    channel = Channel(ends[0])
    defer { close(ends[1]) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, ends[1], 0)
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // In a group of its own, so that Ctrl-C ends the program, and the reader with it.
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
    // A crash is an answer here, and needs no backtrace.
    let settings = ProcessInfo.processInfo.environment.merging(["SWIFT_BACKTRACE": "enable=no"]) { $1 }
    var arguments = Self.strings([Self.programName, service, path])
    var environment = Self.strings(settings.map { "\($0.key)=\($0.value)" })
    defer { for text in arguments + environment { free(text) } }
    var started: pid_t = 0
    let status = posix_spawn(&started, "/proc/self/exe", &actions, &attributes, &arguments, &environment)
    guard status == 0 else { throw failed(status) }
    process = started
  }

  /// Returns texts as C takes them, with a null at the end.
  private static func strings(_ texts: [String]) -> [UnsafeMutablePointer<CChar>?] {
    texts.map { strdup($0) } + [nil]
  }

  deinit {
    _ = end(kills: true)
  }

  /// Sends a request and returns the answer, and the number of bytes that follow it.
  ///
  /// - Throws: the ``BenbenError`` that the reader answers with, or one that says how the reader ended.
  package func request(_ json: JSONValue) throws -> (json: JSONValue, byteCount: Int) {
    guard channel.send(json), let answer = channel.receive() else { throw ended() }
    if let error = answer.json["error"] { throw BenbenError(error) ?? unexpected() }
    return answer
  }

  /// Fills a buffer with the bytes that follow an answer.
  package func read(into buffer: UnsafeMutableRawBufferPointer) throws {
    guard channel.read(into: buffer) else { throw ended() }
  }

  /// The error for an answer that cannot be right.
  package func unexpected() -> BenbenError {
    BenbenError(
      .malformed, "cannot read", at: path, because: "its reader gives an answer that makes no sense")
  }

  private func ended() -> BenbenError {
    // It may still run, and wait until the rest of an answer is taken that makes no sense.
    channel.shutDown()
    let status = end(kills: false)
    let signal = status & 0x7F
    if status == 0 { return unexpected() }
    let why =
      switch signal {
      case 0: "its reader ended with code \(status >> 8 & 0xFF)"
      case SIGXCPU, SIGKILL: "reading it takes too long or too much memory"
      default: "its reader was ended by signal \(signal)"
      }
    return BenbenError(
      .malformed, "cannot read", at: path, because: why,
      remedies: ["The file is damaged, or made to do harm."])
  }

  /// Waits for the process, once, and returns its status.
  private func end(kills: Bool) -> Int32 {
    isCollected.withLock { isCollected in
      if isCollected { return 0 }
      isCollected = true
      if kills { kill(process, SIGKILL) }
      var status: Int32 = 0
      while waitpid(process, &status, 0) < 0, errno == EINTR {}
      return status
    }
  }
}

extension Channel {
  /// Answers with an error.
  package func send(_ error: any Error) -> Bool {
    let error =
      error as? BenbenError
      ?? BenbenError(.inputOutput, "reading failed", at: "reader", because: "\(error)")
    return send(["error": error.json])
  }
}

extension BenbenError {
  fileprivate var json: JSONValue {
    [
      "kind": .string(kind.rawValue), "what": .string(what), "subject": .string(subject), "why": .string(why),
      "remedies": .array(remedies.map(JSONValue.string)),
    ]
  }

  fileprivate init?(_ json: JSONValue) {
    guard let kind = json["kind"]?.string.flatMap(Kind.init(rawValue:)), let what = json["what"]?.string,
      let subject = json["subject"]?.string, let why = json["why"]?.string
    else { return nil }
    self.init(
      kind, what, at: subject, because: why, remedies: (json["remedies"]?.array ?? []).compactMap(\.string))
  }
}
