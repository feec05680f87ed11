import ArgumentParser
import Foundation
import Media
import Models
import PyramidFlow

@main
enum Main {
  static func main() async {
    IdleThreads.sleep()
    Interruption.install()
    // Choices for the whole process, which libraries leave to their program.
    AllocatorTuning.keepFreedMemory()
    FFmpegLog.silence()
    SentencePieceLog.silence()
    do {
      try await Command.run()
    } catch let code as ExitCode {
      exit(code.rawValue)
    } catch {
      exit(Failure.report(error))
    }
  }
}
