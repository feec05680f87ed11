import Clips
import Files
import Foundation

/// VMAF (Netflix's video quality metric), computed by an installed `ffmpeg` with libvmaf; Debian's build lacks it.
public enum VMAF {
  /// The first `ffmpeg` in an absolute folder of `PATH` if it has the filter, otherwise nil.
  private static let program: URL? = {
    let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").filter {
      $0.hasPrefix("/")
    }
    let found = folders.map { URL(fileURLWithPath: "\($0)/ffmpeg") }.first {
      FileManager.default.isExecutableFile(atPath: $0.path)
    }
    guard let found, let filters = output(of: found, ["-hide_banner", "-filters"]),
      filters.contains(" libvmaf ")
    else { return nil }
    return found
  }()

  /// Whether VMAF can be computed on this machine.
  public static var isAvailable: Bool { program != nil }

  /// Computes the VMAF of every frame against the reference, 0 to 100, with the program's default model.
  ///
  /// - Parameter reference: a clip of the same size and length.
  /// - Returns: nil if VMAF is not available or fails.
  package static func scores(of clip: Clip, reference: Clip) -> [Double]? {
    guard let program, let temporary = try? TemporaryFolder() else { return nil }
    let folder = temporary.path
    let (ours, theirs, log) = ("frames", "reference", "log.csv")
    do {
      try Data(clip.bytes).write(to: URL(fileURLWithPath: folder + "/" + ours))
      try Data(reference.bytes).write(to: URL(fileURLWithPath: folder + "/" + theirs))
    } catch { return nil }
    let raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "\(clip.width)x\(clip.height)"]
    let graph =
      "[0:v]format=yuv420p[ours];[1:v]format=yuv420p[reference];"
      + "[ours][reference]libvmaf=log_fmt=csv:log_path=\(log)"
    let arguments = ["-v", "error"] + raw + ["-i", ours] + raw + ["-i", theirs]
    guard output(of: program, arguments + ["-lavfi", graph, "-f", "null", "-"], in: folder) != nil,
      let table = try? String(contentsOfFile: folder + "/" + log, encoding: .utf8)
    else { return nil }
    let scores = self.scores(in: table)
    return withExtendedLifetime(temporary) { scores.count == clip.count ? scores : nil }
  }

  /// Returns the `vmaf` column of the table.
  private static func scores(in table: String) -> [Double] {
    let rows = table.split(separator: "\n").map { $0.split(separator: ",") }
    guard let column = rows.first?.firstIndex(of: "vmaf") else { return [] }
    return rows.dropFirst().compactMap { column < $0.count ? Double($0[column]) : nil }
  }

  /// Runs a program and returns its standard output, or nil when it fails.
  private static func output(of program: URL, _ arguments: [String], in folder: String? = nil) -> String? {
    let process = Process()
    process.executableURL = program
    // Names relative to the folder need no quoting in a filter graph.
    if let folder { process.currentDirectoryURL = URL(fileURLWithPath: folder) }
    process.arguments = arguments
    process.standardInput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    let pipe = Pipe()
    process.standardOutput = pipe
    guard (try? process.run()) != nil else { return nil }
    let data = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return process.terminationStatus == 0 ? String(decoding: data, as: UTF8.self) : nil
  }
}
