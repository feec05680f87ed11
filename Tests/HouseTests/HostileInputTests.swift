import Files
import Foundation
import TestSupport
import Testing

/// The catalogue of hostile inputs: every case by its number, with the test that holds it (`Tests/hostile-inputs.tsv`).
struct HostileInputTests {
  /// The number of cases in the catalogue.
  private static let count = 122

  @Test func everyCaseHasATest() throws {
    let table = try String(contentsOfFile: Fixtures.repository + "/Tests/hostile-inputs.tsv", encoding: .utf8)
    let rows = table.split(separator: "\n").dropFirst().map {
      $0.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
    }
    #expect(rows.map(\.first) == (1...Self.count).map { String($0) })
    var texts: [String: String] = [:]
    for row in rows {
      try #require(row.count == 5, "\(row)")
      let (file, function, argument) = (row[2], row[3], row[4])
      if texts[file] == nil {
        texts[file] = try String(contentsOfFile: Fixtures.repository + "/" + file, encoding: .utf8)
      }
      let text = texts[file] ?? ""
      #expect(text.contains("func \(function)("), "\(row[0]): \(function) is not in \(file)")
      #expect(argument.isEmpty || text.contains(argument), "\(row[0]): \(argument) is not in \(file)")
    }
  }
}
