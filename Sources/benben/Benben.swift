import ArgumentParser
import Foundation
import Media
import SystemPackage
import Tensors

/// The command.
///
/// Its contract — names, exit codes, JSON keys — is relied on by scripts: only ever add to it.
struct Benben: ParsableCommand {
  static let version = "0.1.0"

  static let configuration = CommandConfiguration(
    commandName: "benben",
    abstract:
      "Converts Pyramid Flow checkpoints, runs them without a GPU, and proves that they compute the same clip.",
    version: version,
    subcommands: [
      Convert.self, Inspect.self, Check.self, Compare.self, Generate.self, Export.self, PackModel.self,
      UnpackModel.self, Verify.self, Report.self, Noise.self, Bench.self, Demo.self,
    ])
}

@main
enum Main {
  static func main() {
    Interruption.install()
    Heap.keepFreedMemory()
    do {
      var command = try Benben.parseAsRoot()
      try command.run()
    } catch let code as ExitCode {
      exit(code.rawValue)
    } catch {
      exit(Failure.report(error))
    }
  }
}

/// Turns errors into one line for people and an exit code for scripts.
enum Failure {
  static func report(_ error: any Error) -> Int32 {
    switch error {
    case let error as BenbenError:
      Console.error(error.description)
      for remedy in error.remedies { Console.note("  " + remedy) }
      return code(error.kind)
    case let error as MediaError:
      Console.error(error.description)
      return code(error.kind)
    case is Interrupted:
      Console.error("interrupted")
      return 130
    default: return reportArguments(error)
    }
  }

  /// Help and the version go to standard output; every other complaint of the argument parser is about usage.
  private static func reportArguments(_ error: any Error) -> Int32 {
    let code = Benben.exitCode(for: error)
    if code == .success {
      return (try? Console.print(Benben.fullMessage(for: error) + "\n")) == nil ? 74 : 0
    }
    if let error = error as? CocoaError {
      let isFull = error.code == .fileWriteOutOfSpace
      Console.error(
        "a file operation failed: \(error.filePath ?? "unknown file"): \(error.localizedDescription)")
      return isFull ? 74 : 73
    }
    if let error = error as? Errno {
      Console.error("a file operation failed: system: \(error)")
      return 74
    }
    guard code == .validationFailure else {
      Console.error("unexpected error: \(error)")
      return 70
    }
    Console.error("usage: arguments: \(Benben.message(for: error))")
    Console.note("  See 'benben help', or 'benben help VERB'.")
    return 64
  }

  private static func code(_ kind: BenbenError.Kind) -> Int32 {
    switch kind {
    case .usage: 64
    case .malformed: 65
    case .missing: 66
    case .internalDefect: 70
    case .cannotCreate: 73
    case .inputOutput: 74
    }
  }

  private static func code(_ kind: MediaError.Kind) -> Int32 {
    switch kind {
    case .usage: 64
    case .malformed: 65
    case .missing: 66
    case .cannotCreate: 73
    case .inputOutput: 74
    }
  }
}
