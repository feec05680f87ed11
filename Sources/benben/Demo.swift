import ArgumentParser

struct Demo: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "The whole road on the bundled checkpoint.")
  @OptionGroup var common: CommonOptions
}
