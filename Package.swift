// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "benben",
  products: [
    .executable(name: "benben", targets: ["benben"]),
    .library(name: "PyramidFlow", targets: ["PyramidFlow"]),
    .library(name: "PyramidFlowVerification", targets: ["PyramidFlowVerification"]),
    .library(name: "Media", targets: ["Media"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
    .package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.5.0"),
  ],
  targets: [
    // C libraries: a module map and a shim each, nothing else. One Swift module imports each.
    .systemLibrary(name: "CAllocator"),
    .systemLibrary(name: "CCrypto", providers: [.apt(["libssl-dev"])]),
    .systemLibrary(name: "CDNNL", providers: [.apt(["libdnnl-dev"])]),
    .systemLibrary(
      name: "CFFmpeg",
      providers: [
        .apt(["libavcodec-dev", "libavfilter-dev", "libavformat-dev", "libswscale-dev"])
      ]),
    .systemLibrary(name: "CHDF5", pkgConfig: "hdf5", providers: [.apt(["libhdf5-dev"])]),
    .systemLibrary(name: "CLinux"),
    .systemLibrary(name: "CPCRE2", providers: [.apt(["libpcre2-dev"])]),
    .systemLibrary(name: "CTurboJPEG", providers: [.apt(["libturbojpeg0-dev"])]),
    .systemLibrary(name: "CZstd", providers: [.apt(["libzstd-dev"])]),
    .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),
    .target(
      name: "CSentencePiece",
      linkerSettings: [.linkedLibrary("sentencepiece")]),
    // Our own vector loops, which Tensors and Kernels share.
    .target(name: "CKernelLoops"),
    // What the package manager cannot tell: it asks git only when the manifest changes.
    .target(
      name: "CBuild",
      cSettings: [.define("BENBEN_COMMIT", to: "\"\(Context.environment["BENBEN_COMMIT"] ?? "")\"")]),

    // Values and files.
    .target(name: "JSON"),
    .target(
      name: "Files",
      dependencies: [
        "CCrypto", "CLinux",
        .product(name: "SystemPackage", package: "swift-system"),
      ]),
    .target(name: "Clips"),
    // The rights that a process gives up before it reads what is not trusted.
    .target(name: "CIsolation"),
    .target(name: "Isolation", dependencies: ["CIsolation", "Files", "JSON"]),
    .target(name: "Tensors", dependencies: ["Files", "CAllocator", "CKernelLoops"]),

    // Formats, kernels, models.
    .target(name: "Checkpoints", dependencies: ["Files", "Tensors", "JSON", "CPCRE2", "CZlib", "CZstd"]),
    .target(name: "Kernels", dependencies: ["Files", "Tensors", "CDNNL", "CKernelLoops"]),
    .target(
      name: "Models",
      dependencies: [
        "Files", "Tensors", "Kernels", "JSON", "CSentencePiece",
        .product(name: "HeapModule", package: "swift-collections"),
      ]),
    .target(
      name: "Media", dependencies: ["Files", "Clips", "Isolation", "JSON", "CFFmpeg", "CTurboJPEG"]),
    .target(
      name: "Parity", dependencies: ["Files", "Clips", "Tensors", "JSON", "Isolation", "CHDF5"],
      resources: [.embedInCode("Reports/Resources/report.html")]),

    // What apps use.
    .target(
      name: "PyramidFlow",
      dependencies: ["CBuild", "Files", "Clips", "Tensors", "Checkpoints", "Kernels", "Models", "JSON"]),
    .target(
      name: "PyramidFlowVerification",
      dependencies: [
        "Files", "Clips", "Tensors", "Checkpoints", "Kernels", "Models", "JSON", "Isolation", "Media",
        "Parity", "PyramidFlow",
      ]),

    .executableTarget(
      name: "benben",
      dependencies: [
        "PyramidFlow", "PyramidFlowVerification", "Media", "Parity", "Checkpoints", "Kernels", "Models",
        "Tensors", "Clips", "Files", "JSON",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "SystemPackage", package: "swift-system"),
      ]),

    // Tests mirror the house.
    .target(name: "TestSupport", dependencies: ["Files", "Tensors", "JSON"], path: "Tests/TestSupport"),
    .testTarget(name: "JSONTests", dependencies: ["JSON"]),
    .testTarget(name: "FilesTests", dependencies: ["Files", "TestSupport"]),
    .testTarget(name: "ClipsTests", dependencies: ["Clips"]),
    .testTarget(name: "TensorsTests", dependencies: ["Tensors", "TestSupport"]),
    .testTarget(
      name: "CheckpointsTests", dependencies: ["Checkpoints", "Files", "Tensors", "JSON", "TestSupport"]),
    .testTarget(
      name: "KernelsTests", dependencies: ["Kernels", "CKernelLoops", "Files", "Tensors", "TestSupport"]),
    .testTarget(
      name: "ModelsTests",
      dependencies: ["Models", "Kernels", "Files", "Tensors", "JSON", "Checkpoints", "Parity", "TestSupport"]),
    .testTarget(name: "MediaTests", dependencies: ["Media", "Clips", "Files", "TestSupport"]),
    .testTarget(
      name: "ParityTests", dependencies: ["Parity", "Clips", "Files", "Tensors", "JSON", "TestSupport"]),
    .testTarget(
      name: "PyramidFlowTests",
      dependencies: [
        "PyramidFlow", "Checkpoints", "Kernels", "Models", "Files", "Clips", "JSON", "TestSupport",
      ]),
    .testTarget(
      name: "PyramidFlowVerificationTests",
      dependencies: [
        "PyramidFlowVerification", "PyramidFlow", "Parity", "Media", "Clips", "Files", "TestSupport",
      ]),
    .testTarget(
      name: "CommandTests",
      dependencies: ["JSON", "Media", "Parity", "Clips", "Files", "Tensors", "TestSupport", "benben"]),
    .testTarget(
      name: "FaultTests", dependencies: ["Files", "JSON", "TestSupport", "benben"],
      exclude: ["interposer.c"]),
    // Readers of untrusted bytes as functions, which the fuzzer (`tools/fuzz`) and the tests call.
    .target(
      name: "FuzzTargets", dependencies: ["Checkpoints", "Files", "JSON", "Models", "Parity", "Tensors"],
      path: "Tests/FuzzTargets"),
    .testTarget(
      name: "FuzzTests", dependencies: ["FuzzTargets", "Files", "TestSupport"], exclude: ["Corpora"]),
    .testTarget(name: "HouseTests", dependencies: ["Files", "TestSupport"]),
  ],
  cxxLanguageStandard: .cxx17
)

// The fuzzer, which is linked with libFuzzer; every target is then compiled so that it sees which code runs.
let isFuzzed = Context.environment["BENBEN_FUZZ"] == "1"
if isFuzzed {
  package.targets.append(
    .executableTarget(
      name: "fuzz", dependencies: ["FuzzTargets"], path: "Tests/Fuzz",
      swiftSettings: [.unsafeFlags(["-parse-as-library"])],
      linkerSettings: [.unsafeFlags(["-sanitize=fuzzer", "-use-ld=lld"])]))
}

// One set of settings for all Swift targets. Warnings are errors in CI.
let strict = Context.environment["BENBEN_WARNINGS_AS_ERRORS"] == "1"
for target in package.targets where target.type != .system {
  var settings = target.swiftSettings ?? []
  settings.append(.swiftLanguageMode(.v6))
  settings.append(.enableUpcomingFeature("ExistentialAny"))
  settings.append(.enableUpcomingFeature("MemberImportVisibility"))
  if isFuzzed { settings.append(.unsafeFlags(["-sanitize=fuzzer"])) }
  if strict { settings.append(.treatAllWarnings(as: .error)) }
  target.swiftSettings = settings
}
