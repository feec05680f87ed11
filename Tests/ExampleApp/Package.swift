// swift-tools-version: 6.2
import PackageDescription

// An app outside of the package: it names the products and nothing else.
let package = Package(
  name: "ExampleApp",
  dependencies: [.package(name: "benben", path: "../..")],
  targets: [
    .executableTarget(
      name: "ExampleApp",
      dependencies: [
        .product(name: "Media", package: "benben"),
        .product(name: "PyramidFlow", package: "benben"),
        .product(name: "PyramidFlowVerification", package: "benben"),
      ],
      swiftSettings: [
        .swiftLanguageMode(.v6), .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("MemberImportVisibility"),
      ])
  ]
)
