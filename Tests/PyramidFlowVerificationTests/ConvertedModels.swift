import PyramidFlow
import TestSupport

/// Models that tests convert once.
enum ConvertedModels {
  private static let folder = try? TestFolder()

  /// Native models of fixtures, with the weights as they are stored.
  static let exact = Dictionary(
    uniqueKeysWithValues: ["miniflux", "sd3", "shapes"].map { ($0, convert($0, nil)) })
  /// The trained fixture in int8.
  static let int8 = convert("shapes", .int8)

  private static func convert(_ fixture: String, _ type: WeightType?) -> String? {
    guard let folder else { return nil }
    let path = "\(folder.path)/\(fixture)-\(type?.rawValue ?? "exact")"
    let done: Void? = try? ModelConverter(release: Fixtures.checkpoint(fixture))
      .convert(to: path, weights: type)
    return done.map { path }
  }
}
