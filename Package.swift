// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "benben",
  products: [
    .executable(name: "benben", targets: ["benben"]),
    .library(name: "Checkpoints", targets: ["Checkpoints"]),
    .library(name: "Models", targets: ["Models"]),
    .library(name: "Parity", targets: ["Parity"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
  ],
  targets: [
    // C libraries: a module map and a shim each, nothing else.
    .systemLibrary(name: "CDNNL", providers: [.apt(["libdnnl-dev"])]),
    .systemLibrary(
      name: "CFFmpeg",
      providers: [
        .apt(["libavcodec-dev", "libavfilter-dev", "libavformat-dev", "libswscale-dev"])
      ]),
    .systemLibrary(name: "CHDF5", pkgConfig: "hdf5", providers: [.apt(["libhdf5-dev"])]),
    .systemLibrary(name: "CLinux"),
    .systemLibrary(name: "CTurboJPEG", providers: [.apt(["libturbojpeg0-dev"])]),
    .systemLibrary(name: "CZstd", providers: [.apt(["libzstd-dev"])]),
    .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),
    .target(
      name: "CSentencePiece",
      linkerSettings: [.linkedLibrary("sentencepiece")]),
    .target(name: "CKernelLoops"),

    .target(name: "JSON"),
    .target(
      name: "Tensors",
      dependencies: [
        "JSON", "CKernelLoops",
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "SystemPackage", package: "swift-system"),
      ]),
    .target(
      name: "Checkpoints",
      dependencies: [
        "Tensors", "JSON", "CLinux", "CZlib", "CZstd",
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "SystemPackage", package: "swift-system"),
      ]),
    .target(name: "Kernels", dependencies: ["Tensors", "CDNNL", "CKernelLoops"]),
    .target(name: "Models", dependencies: ["Tensors", "Kernels", "JSON", "CSentencePiece"]),
    .target(name: "Media", dependencies: ["CFFmpeg", "CLinux", "CTurboJPEG"]),
    .target(
      name: "Parity", dependencies: ["Tensors", "JSON", "CHDF5"],
      resources: [.embedInCode("Resources/report.html")]),
    .executableTarget(
      name: "benben",
      dependencies: [
        "Tensors", "Checkpoints", "Kernels", "Models", "Media", "Parity", "JSON", "CLinux",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "SystemPackage", package: "swift-system"),
      ]),

    .testTarget(name: "JSONTests", dependencies: ["JSON"]),
    .testTarget(name: "TensorsTests", dependencies: ["Tensors"]),
    .testTarget(
      name: "CheckpointsTests",
      dependencies: ["Checkpoints", "Tensors", "JSON", .product(name: "Crypto", package: "swift-crypto")]),
    .testTarget(name: "KernelsTests", dependencies: ["Kernels", "Tensors"]),
    .testTarget(
      name: "ModelsTests",
      dependencies: [
        "Models", "Kernels", "Tensors", "JSON", .product(name: "Crypto", package: "swift-crypto"),
      ]),
    .testTarget(name: "MediaTests", dependencies: ["Media"]),
    .testTarget(name: "ParityTests", dependencies: ["Parity", "Tensors", "JSON"]),
    .testTarget(name: "CommandTests", dependencies: ["JSON", "Media", "Parity", "Tensors", "benben"]),
  ],
  cxxLanguageStandard: .cxx17
)

// One set of settings for all Swift targets. Warnings are errors in CI.
let strict = Context.environment["BENBEN_WARNINGS_AS_ERRORS"] == "1"
for target in package.targets where target.type != .system {
  var settings = target.swiftSettings ?? []
  settings.append(.swiftLanguageMode(.v6))
  settings.append(.enableUpcomingFeature("ExistentialAny"))
  settings.append(.enableUpcomingFeature("MemberImportVisibility"))
  if strict { settings.append(.treatAllWarnings(as: .error)) }
  target.swiftSettings = settings
}
