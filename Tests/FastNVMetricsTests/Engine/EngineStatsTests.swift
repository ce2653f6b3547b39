import Foundation
import Testing

@testable import FastNVMetrics

@Suite struct EngineStatsTests {
  @Test func anEngineThatNeverRanHasNone() throws {
    try withFixture { tree in
      try OrinFixture(.nx).build(on: tree)
      let engine = try Engine(outputPath: tree.output(), board: .detect(root: tree.root))
      #expect(engine.stats.tiers.isEmpty && engine.stats.sources.isEmpty)
      #expect(engine.stats.cpuShare == 0)
    }
  }

  @Test func everySourceOfTheBoardIsThereByName() throws {
    try withFixture { tree in
      try OrinFixture(.nx).build(on: tree)
      let board = try BoardConfig.detect(root: tree.root)
      let engine = try Engine(outputPath: tree.output(), board: board, configuration: .forTests)
      try engine.start()
      try engine.waitForSamples(fast: 60, medium: 5, slow: 3)
      let running = engine.stats
      try engine.stop()
      let stats = engine.stats
      #expect(
        stats.sources.map(\.name) == ["cpu", "gpu", "ram", "emc"] + board.powerRails.map(\.label)
          + board.thermalZones.map(\.name))
      #expect(stats.tiers.map(\.rateHz) == [500, 100, 50])
      #expect(stats.tiers[0].samples == engine.counts.fastSamples)
      #expect(stats.sources.allSatisfy { $0.reads > 0 && !$0.hasOwnThread })
      #expect(stats.elapsedNanoseconds > running.elapsedNanoseconds)
      #expect(stats.cpuNanoseconds >= running.cpuNanoseconds && running.cpuNanoseconds > 0)
      // The closing sample is not late, the ten of the warm-up have no grid.
      #expect(stats.tiers[0].lateness.ticks == stats.tiers[0].samples - 11)
    }
  }

  @Test func aRateOfItsOwnHoldsWhatWasReadLast() throws {
    try withFixture { tree in
      try OrinFixture(.nx).build(on: tree)
      var configuration = EngineConfiguration(fastHz: 1000, mediumHz: 100, slowHz: 10)
      configuration.sources.ramHz = 50
      let recorded = try tree.record(try .detect(root: tree.root), configuration) { engine in
        var available = 1_000_000
        for _ in 0..<40 {
          available += 1000
          try tree.rewrite(
            "proc/meminfo",
            "MemTotal:       16000000 kB\nMemFree:          100 kB\nMemAvailable:   \(available) kB\n"
          )
          try engine.waitForSamples(fast: engine.counts.fastSamples + 5)
        }
      }
      // However often it changed: it was read 50 times a second, and in between held.
      var values = 0
      var last: UInt64?
      for sample in recorded.trace.fast where sample.ramAvailableKB != last {
        values += 1
        last = sample.ramAvailableKB
      }
      let seconds = try #require(recorded.trace.fast.last).timeSeconds
      #expect(values > 4 && Double(values) <= seconds * 50 + 2)
    }
  }
}
