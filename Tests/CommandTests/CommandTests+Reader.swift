import Foundation
import TestSupport
import Testing

#if os(Linux)
  import Glibc

  extension CommandTests {
    /// A reader is started from whatever thread opens the file, which may end long before the file has been read.
    @Test func readerOutlivesTheThreadThatStartedIt() throws {
      var ends: [Int32] = [-1, -1]
      try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0)
      let (ours, theirs) = (ends[0], ends[1])
      let started = DispatchSemaphore(value: 0)
      nonisolated(unsafe) var process: pid_t = 0
      let thread = Thread {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawn_file_actions_adddup2(&actions, theirs, 0)
        let words = ["benben-reader", "trace", Fixtures.trace("shapes")]
        var arguments = words.map { strdup($0) } + [nil]
        posix_spawn(&process, Self.program.path, &actions, nil, &arguments, environ)
        for text in arguments { free(text) }
        posix_spawn_file_actions_destroy(&actions)
        // It is to read from here on, and not to be about to.
        Thread.sleep(forTimeInterval: 1)
        started.signal()
      }
      thread.start()
      started.wait()
      while thread.isExecuting { Thread.sleep(forTimeInterval: 0.01) }
      Thread.sleep(forTimeInterval: 0.5)
      try #require(process > 0)
      var status: Int32 = 0
      #expect(waitpid(process, &status, WNOHANG) == 0, "it ended with status \(status)")
      // It goes with the other end of its channel.
      close(theirs)
      close(ours)
      for _ in 0..<100 where waitpid(process, &status, WNOHANG) == 0 { Thread.sleep(forTimeInterval: 0.05) }
      #expect(kill(process, 0) != 0 && status == 0)
    }
  }
#endif
