// swift-tools-version:6.2
import PackageDescription

let package = Package(
  name: "phases",
  dependencies: [
    // Elsewhere: .package(url: "https://…/fastnvmetrics.git", branch: "main")
    .package(name: "fastnvmetrics", path: "../..")
  ],
  targets: [
    .executableTarget(
      name: "phases",
      dependencies: [.product(name: "FastNVMetrics", package: "fastnvmetrics")])
  ]
)
