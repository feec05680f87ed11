import ArgumentParser
import Files
import Foundation
import Kernels
import Media
import Models
import PyramidFlow
import PyramidFlowVerification

@main
enum Main {
  static func main() async {
    StandardStreams.open()
    FFmpegLog.silence()
    IsolatedReading.begin()
    IdleThreads.sleepSoon()
    // Choices for the whole process, which libraries leave to their program.
    AllocatorTuning.keepFreedMemory()
    SentencePieceLog.silence()
    // Those that wait for signals and run tasks: without them, nothing would ever begin.
    do { try ThreadSupply.require(4) } catch { exit(Failure.report(error)) }
    Interruption.install()
    // Work that has no progress to show looks whether its task is cancelled.
    let work = Task { try await Command.run() }
    Interruption.onSignal { work.cancel() }
    do {
      try await work.value
    } catch let code as ExitCode {
      exit(code.rawValue)
    } catch {
      exit(Failure.report(error))
    }
  }
}
