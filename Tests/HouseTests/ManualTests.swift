import Files
import Foundation
import TestSupport
import Testing

/// README and the manual.
@Suite struct ManualTests {
  private static let root = Fixtures.repository

  private static func text(_ path: String) throws -> String {
    try String(contentsOfFile: root + "/" + path, encoding: .utf8)
  }

  @Test func readmeIsReadInFiveMinutes() throws {
    #expect(try Self.text("README.md").utf8.count <= 9000)
  }

  /// The example in README is the one that is compiled and run outside of the package.
  @Test func readmeHoldsTheExample() throws {
    let readme = try Self.text("README.md")
    let code = try Self.text("Tests/ExampleApp/Sources/ExampleApp/TenLines.swift")
    for line in code.split(separator: "\n") where !line.hasPrefix("func") && line != "}" {
      let statement = line.drop { $0 == " " }
      #expect(readme.contains(statement), "\(statement)")
    }
  }

  /// Every file that README and the articles link to is there.
  ///
  /// DocC finds an image by its name alone,
  /// in the catalogue's `Resources`; README gives its path.
  @Test func linksLeadSomewhere() throws {
    let catalogue = "Sources/PyramidFlow/PyramidFlow.docc"
    let articles = FileSystem.files(in: "\(Self.root)/\(catalogue)").filter { $0.hasSuffix(".md") }
    #expect(articles.count >= 8)
    for path in ["README.md"] + articles.map({ "\(catalogue)/\($0)" }) {
      for match in try Self.text(path).matches(of: /\]\(([^)#:]+)\)/) {
        let folder = Self.root + "/" + FileSystem.parent(of: path)
        let places = [folder, folder + "/Resources"].map { $0 + "/" + match.1 }
        #expect(places.contains { FileSystem.exists($0) }, "\(path) links to \(match.1)")
      }
    }
  }

  /// Who reads about a library product finds every type of it.
  @Test(arguments: ["PyramidFlow", "PyramidFlowVerification", "Media"])
  func everyPublicTypeHasATopic(module: String) throws {
    let sources = Self.root + "/Sources/" + module
    let topics = try Self.text("Sources/\(module)/\(module).docc/\(module).md")
    var count = 0
    for file in FileSystem.filesBelow(sources) where file.hasSuffix(".swift") {
      let text = try Self.text("Sources/\(module)/\(file)")
      for match in text.matches(of: /(?m)^public (?:final )?(?:struct|enum|class|actor|protocol) (\w+)/) {
        count += 1
        #expect(topics.contains("- ``\(match.1)``"), "\(match.1)")
      }
    }
    #expect(count > 0)
  }

  @Test func theTopLevelStaysSmall() {
    let visible = FileSystem.entries(of: Self.root).filter { !$0.hasPrefix(".") }
    let known: Set = [
      "LICENSE", "Package.swift", "Package.resolved", "README.md", "Sources", "Tests", "schemas", "tools",
    ]
    #expect(Set(visible).subtracting(known).subtracting(["benben-demo", "dist"]).isEmpty, "\(visible)")
  }
}
