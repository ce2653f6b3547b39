// swift-tools-version:6.2
import PackageDescription

// FASTNVMETRICS_EMBEDDED=1 builds the shipped libfastnvmetrics.so in Embedded Swift from the same sources
// (scripts/build-library); without it, the same sources are an ordinary Swift package.
let embedded = Context.environment["FASTNVMETRICS_EMBEDDED"] != nil

let settings: [SwiftSetting] =
  [.swiftLanguageMode(.v6), .enableUpcomingFeature("InternalImportsByDefault")]
  + (embedded ? [.enableExperimentalFeature("Embedded")] : [])

let package = Package(
  name: "fastnvmetrics",
  products: [
    .library(name: "FastNVMetrics", targets: ["FastNVMetrics"]),
    .library(name: "fastnvmetrics", type: .dynamic, targets: ["FastNVMetricsC"]),
  ],
  targets: [
    .systemLibrary(name: "CFastNVMetrics", path: "include"),
    .target(name: "CFastNVMetricsShims", cSettings: embedded ? [.define("FNVM_EMBEDDED")] : []),
    .target(
      name: "FastNVMetrics", dependencies: ["CFastNVMetricsShims"], swiftSettings: settings),
    .target(
      name: "FastNVMetricsC",
      dependencies: ["FastNVMetrics", "CFastNVMetricsShims", "CFastNVMetrics"],
      exclude: ["abi", "fastnvmetrics.map"],
      swiftSettings: settings),
  ]
    + (embedded
      ? []
      : [
        .testTarget(
          name: "FastNVMetricsTests", dependencies: ["FastNVMetrics"], swiftSettings: settings)
      ])
)
