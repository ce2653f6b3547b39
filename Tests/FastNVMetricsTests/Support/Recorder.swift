import FastNVMetrics
import Foundation
import Testing

extension EngineConfiguration {
  /// Fast enough for short tests, slow enough for a busy machine.
  static let forTests = EngineConfiguration(fastHz: 500, mediumHz: 100, slowHz: 50)
}

/// A recording that was stopped.
struct Recorded {
  var trace: Trace
  var counts: EngineCounts
  var notices: [String]
}

extension FixtureTree {
  /// Records a board while the body runs.
  func record(
    _ board: BoardConfig, _ configuration: EngineConfiguration = .forTests,
    to name: String = "run.bin", while body: (Engine) throws -> Void
  ) throws -> Recorded {
    let engine = try Engine(outputPath: output(name), board: board, configuration: configuration)
    try engine.start()
    try engine.waitForWarmUp()
    try body(engine)
    try engine.stop()
    return Recorded(
      trace: try Trace(path: output(name)), counts: engine.counts, notices: engine.notices)
  }

  /// Records a few samples of each tier.
  func record(
    _ board: BoardConfig, _ configuration: EngineConfiguration = .forTests,
    to name: String = "run.bin"
  ) throws -> Recorded {
    try record(board, configuration, to: name) { engine in
      try engine.waitForSamples(fast: 20, medium: 4, slow: 3)
    }
  }
}

extension Engine {
  /// Waits until so many samples exist.
  func waitForSamples(fast: UInt64 = 0, medium: UInt64 = 0, slow: UInt64 = 0) throws {
    let isEnough = eventually {
      let counts = self.counts
      return counts.fastSamples >= fast && counts.mediumSamples >= medium
        && counts.slowSamples >= slow
    }
    try #require(isEnough, "the tiers do not advance: \(counts)")
  }

  /// The places of at least `count` samples that were begun after this call and taken before its return:
  /// all of them have seen what was written before it.
  func samples(
    of tier: KeyPath<EngineCounts, UInt64> & Sendable, atLeast count: UInt64 = 4
  ) throws -> Range<Int> {
    // The one that is being taken now may have read its nodes already.
    let first = counts[keyPath: tier] + 1
    let isEnough = eventually { self.counts[keyPath: tier] >= first + count }
    try #require(isEnough, "the tier does not advance: \(counts)")
    return Int(first)..<Int(counts[keyPath: tier])
  }
}

extension FixtureTree {
  /// A recording of a simulated board, which the caller stops.
  func startedEngine() throws -> Engine {
    try OrinFixture(.nx).build(on: self)
    let engine = try Engine(
      outputPath: output(), board: .detect(root: root), configuration: .forTests)
    try engine.start()
    try engine.waitForWarmUp()
    return engine
  }
}

/// Waits for a state by looking again and again, ten seconds at most.
func eventually(_ condition: () throws -> Bool) rethrows -> Bool {
  for _ in 0..<5000 {
    if try condition() { return true }
    usleep(2000)
  }
  return try condition()
}
