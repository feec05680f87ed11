import Clips
import Files
import Foundation
import JSON
import Media
import Parity
import Tensors
import TestSupport
import Testing

extension CommandTests {
  /// A browser that can run without a window, where one is installed.
  private static let browser: String? = {
    let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
    let programs = ["chromium", "chromium-browser", "google-chrome"].flatMap { name in
      folders.map { "\($0)/\(name)" }
    }
    return programs.first(where: FileManager.default.isExecutableFile)
  }()

  /// The page carries the report and a PNG of each frame, and needs nothing else.
  @Test func writesAPage() throws {
    let model = try convert("miniflux")
    let golden = "\(Fixtures.path)/miniflux/golden.h5"
    let outcome = try run(
      "verify", model, "--golden", golden, "--mode", "free-running", "--report", "page.html", "--json", "-",
      "--quiet")
    #expect(outcome.code == 0, "\(outcome.errors)")
    let page = try String(contentsOfFile: folder + "/page.html", encoding: .utf8)
    #expect(!page.contains("src=\"") && !page.contains("href=\"") && page.firstRange(of: "@import") == nil)
    let start = try #require(page.firstRange(of: "id=\"data\">")).upperBound
    let end = try #require(page[start...].firstRange(of: "</script>")).lowerBound
    let data = try JSONValue(parsing: Array(page[start..<end].utf8))
    let shown = try #require(data["bundles"]?.array?.first)
    #expect(shown["report"] == outcome.json)
    let frames = try #require(shown["clip"]?["frames"]?.array)
    #expect(frames.count == 17)
    let text = try #require(frames[3]["ours"]?.string)
    let png = try #require(Data(base64Encoded: text))
    try png.write(to: URL(fileURLWithPath: folder + "/frame.png"))
    let picture = try ClipReader.read(folder + "/frame.png", maximumFrames: 1)
    #expect(picture.width == 128 && picture.height == 64)
    #expect(try run("verify", model, "--golden", golden, "--report", "no/page.html", "--quiet").code == 73)
  }

  /// What a page's script finds out in a browser; it fails on anything that the page writes to the console.
  func inBrowser(_ page: String, script: String) throws -> JSONValue {
    let probe = """
      <script type="module">
        const result = await (async () => { \(script) })();
        document.body.append(Object.assign(document.createElement("pre"), { id: "probe", textContent: JSON.stringify(result) }));
      </script></body>
      """
    let path = folder + "/probe.html"
    try page.replacingOccurrences(of: "</body>", with: probe).write(
      toFile: path, atomically: true, encoding: .utf8)
    let process = Process()
    process.executableURL = URL(fileURLWithPath: try #require(Self.browser))
    process.arguments = [
      "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--virtual-time-budget=20000",
      "--user-data-dir=\(folder)/profile", "--dump-dom", "file://" + path,
    ]
    let (output, errorPath) = (Pipe(), folder + "/browser-log")
    _ = FileManager.default.createFile(atPath: errorPath, contents: nil)
    process.standardOutput = output
    process.standardError = FileHandle(forWritingAtPath: errorPath)
    try process.run()
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    let log = try String(contentsOfFile: errorPath, encoding: .utf8)
    #expect(!log.contains("CONSOLE"), "\(log)")
    let start = try #require(text.firstRange(of: "<pre id=\"probe\">")).upperBound
    let end = try #require(text[start...].firstRange(of: "</pre>")).lowerBound
    return try JSONValue(
      parsing: Array(
        text[start..<end].replacingOccurrences(of: "&lt;", with: "<").replacingOccurrences(
          of: "&gt;", with: ">"
        )
        .replacingOccurrences(of: "&amp;", with: "&").utf8))
  }

  /// The page of a model with one damaged block points at that block; its slider shows other frames; the other golden of the
  /// suite can be chosen.
  @Test(.enabled(if: browser != nil, "no Chromium is installed"))
  func aPageWorksInABrowser() throws {
    let model = try convert()
    try flipWeight("transformer_blocks.1.attn.to_q.weight", of: model)
    try writeBundle(folder + "/suite/a", "vae_tiled")
    try writeBundle(folder + "/suite/b", "miniflux")
    let report = try run(
      "verify", model, "--golden", "suite", "--mode", "teacher-forced", "--report", "page.html", "--quiet")
    #expect(report.code == 1, "\(report.errors)")
    let seen = try inBrowser(
      try contents("page.html"),
      script: """
        const wait = () => new Promise(resolve => setTimeout(resolve, 1000));
        const text = selector => document.querySelector(selector)?.textContent ?? null;
        const pixels = index => {
          const canvas = document.querySelectorAll("canvas")[index];
          return [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data];
        };
        await wait();
        const marked = [...document.querySelectorAll("rect[stroke]")].map(cell => [cell.dataset.path, cell.dataset.passed]);
        const failed = [...document.querySelectorAll("rect[data-passed=false]")].map(cell => cell.dataset.path);
        const seen = { headline: text("#suite h1"), shown: text("#verdict h2"), marked, failed: failed[0] };
        seen.firstFrame = text(".controls span");
        const scores = data.bundles.find(bundle => bundle.name === "b").report.frames.perFrame;
        seen.worst = 1 + scores.reduce((most, frame, at) => frame.psnrDb < scores[most].psnrDb ? at : most, 0);
        seen.tiles = [...document.querySelectorAll(".numbers .beyond, .numbers .within")].length;
        const first = pixels(0);
        const slider = document.querySelector("input[type=range]");
        slider.value = 3;
        slider.dispatchEvent(new Event("input"));
        await wait();
        seen.fourthFrame = text(".controls span");
        const [golden, ours, difference] = [0, 1, 2].map(pixels);
        seen.pictureChanged = golden.some((value, index) => value !== first[index]);
        const differences = golden.map((value, index) => index % 4 === 3 ? 0 : Math.abs(value - ours[index]));
        const gain = Math.max(1, Math.floor(255 / Math.max(...differences)));
        seen.differenceIsShown = difference.every((value, index) => index % 4 === 3 || value === gain * differences[index]);
        // Wiping shows the left half of the one and the right half of the other.
        const view = document.querySelector("select[aria-label=view]");
        view.value = "wipe";
        view.dispatchEvent(new Event("change"));
        await wait();
        const wiped = pixels(0), half = document.querySelectorAll("canvas")[0].width / 2;
        seen.isWiped = wiped.every((value, index) => {
          const x = Math.floor(index / 4) % (2 * half);
          return x < half ? value === golden[index] : x < half + 2 || value === ours[index];
        });
        view.value = "beside";
        view.dispatchEvent(new Event("change"));
        // A point of a curve shows its frame.
        document.querySelectorAll(".curve circle[role=button]")[6].dispatchEvent(new MouseEvent("click"));
        await wait();
        seen.chosenFrame = text(".controls span");
        document.querySelector("#suite a[href='#a']").click();
        await wait();
        seen.chosen = [text("#verdict h2"), text("#verdict .pass")];
        return seen;
        """)
    #expect(seen["headline"]?.string == "FAIL: 1 of 2 official clips are not computed")
    #expect(seen["shown"]?.string == "b")
    // The image's queries went wrong, so its stream does.
    let path = "activations/call0/transformer_blocks.1/1"
    #expect(seen["marked"]?.array?.map { $0.array?.compactMap(\.string) } == [[path, "false"]], "\(seen)")
    #expect(seen["failed"]?.string == path)
    let worst = try #require(seen["worst"]?.integer)
    #expect(seen["firstFrame"]?.string?.hasPrefix("frame \(worst) of 17: PSNR") == true, "\(seen)")
    #expect(seen["chosenFrame"]?.string?.hasPrefix("frame 7 of 17: PSNR") == true, "\(seen)")
    #expect(seen["isWiped"] == true && seen["tiles"]?.integer == 4, "\(seen)")
    #expect(seen["fourthFrame"]?.string?.hasPrefix("frame 4 of 17: PSNR") == true, "\(seen)")
    #expect(seen["pictureChanged"] == true && seen["differenceIsShown"] == true, "\(seen)")
    #expect(seen["chosen"]?.array?.compactMap(\.string) == ["a", "PASS: it computes the official clip"])
  }
}
