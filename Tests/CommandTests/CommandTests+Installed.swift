import Foundation
import TestSupport
import Testing

/// What `tools/package` relies on.
extension CommandTests {
  /// The program in a `bin` beside a `share`, as a package installs it, far from any checkout.
  @Test func theDemoRunsWithoutACheckout() throws {
    let files = FileManager.default
    for path in ["/bin", "/share/benben"] {
      try files.createDirectory(atPath: folder + path, withIntermediateDirectories: true)
    }
    try files.copyItem(atPath: Self.program.path, toPath: folder + "/bin/benben")
    try files.createSymbolicLink(
      atPath: folder + "/share/benben/demo", withDestinationPath: Fixtures.path + "/shapes")
    let demo = try execute(folder + "/bin/benben", "demo", "--quiet", "--output", "out")
    #expect(demo.code == 0, "\(demo.text)")
    #expect(
      Set(try files.contentsOfDirectory(atPath: folder + "/out")).isSuperset(of: [
        "clip.mp4", "clip.gif", "parity.html", "parity.json", "model",
      ]))
    // Its own results are replaced, and nobody else's.
    try Data("mine".utf8).write(to: URL(fileURLWithPath: folder + "/out/notes"))
    let kept = try execute(folder + "/bin/benben", "demo", "--quiet", "--output", "out")
    #expect(kept.code == 73 && kept.text.contains("is not what a demonstration left"), "\(kept.text)")
    try files.removeItem(atPath: folder + "/out/notes")
    #expect(try execute(folder + "/bin/benben", "demo", "--quiet", "--output", "out").code == 0)
    try files.removeItem(atPath: folder + "/share")
    let alone = try execute(folder + "/bin/benben", "demo", "--quiet", "--output", "alone")
    #expect(alone.code == 66 && alone.text.contains("--bundle FOLDER"), "\(alone.text)")
  }

  @Test func theVersionSaysWhatAReportNeeds() throws {
    let lines = try run("--version").output.split(separator: "\n")
    #expect(lines.count == 3)
    #expect(lines.first?.wholeMatch(of: /\d+\.\d+\.\d+/) != nil)
    #expect(lines.dropFirst().first?.hasPrefix("commit ") == true)
    #expect(lines.last?.hasPrefix("oneDNN ") == true)
    let narrow = try run("--version", environment: ["ONEDNN_MAX_CPU_ISA": "SSE41"]).output
    #expect(narrow.contains("SSE4.1") || !narrow.contains("AVX"), "\(narrow)")
  }

  @Test(arguments: [
    ("conv", "convert"), ("convert sub", "sub"), ("convert x --output sub", "sub"),
    ("verify m --golden sub/g", "sub/golden.h5"), ("inspect sub/", "sub/golden.h5 sub/part"),
    ("verify m --variant ", "384p 768p image"), ("check m --quiet --json sub/p", "sub/part"),
  ]) func completionsCompletePaths(words: String, expected: String) throws {
    try FileManager.default.createDirectory(atPath: folder + "/sub/part", withIntermediateDirectories: true)
    try Data().write(to: URL(fileURLWithPath: folder + "/sub/golden.h5"))
    let script = try run("--generate-completion-script", "bash")
    #expect(script.code == 0)
    let text =
      script.output + """

        IFS=' ' read -r -a COMP_WORDS <<< "benben $1"
        [[ $1 == *' ' ]] && COMP_WORDS+=('')
        COMP_LINE="benben $1" COMP_POINT=${#COMP_LINE} COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        _benben benben "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\\n' "${COMPREPLY[@]}" | sort | paste -s -d ' '
        """
    try text.write(toFile: folder + "/complete.bash", atomically: true, encoding: .utf8)
    let shell = try execute("/bin/bash", "complete.bash", words)
    #expect(shell.text.trimmingCharacters(in: .whitespacesAndNewlines) == expected)
  }

  /// Runs another program in the folder, its errors among its output.
  private func execute(_ program: String, _ arguments: String...) throws -> (code: Int32, text: String) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    process.currentDirectoryURL = URL(fileURLWithPath: folder)
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: output, as: UTF8.self))
  }
}
