import FastNVMetrics
import Testing

/// Power rails and thermal zones as a trace has them.
@Suite struct RailAndZoneValueTests {
  private let fixture = OrinFixture(.agx)

  @Test func aNegativeCurrentIsZeroAndCounted() throws {
    try withFixture { tree in
      try fixture.build(on: tree)
      try tree.write(fixture.firstChip.directory + "/curr2_input", "-20\n")
      let recorded = try tree.record(try .detect(root: tree.root))
      for sample in recorded.trace.medium {
        #expect(sample.currentMA == [1640, 0, 1906, 320])
        #expect(sample.powerMW[1] == 0)
      }
      #expect(recorded.counts.negativeCurrents == recorded.counts.mediumSamples)
      #expect(recorded.counts.readErrors == 0)
    }
  }

  @Test func aRailThatCannotBeReadHoldsItsIntegersWithoutPower() throws {
    try withFixture { tree in
      try fixture.build(on: tree)
      let current = fixture.firstChip.directory + "/curr1_input"
      var gap = 0..<0
      var after = 0..<0
      let recorded = try tree.record(try .detect(root: tree.root)) { engine in
        _ = try engine.samples(of: \.mediumSamples)
        // What a node answers that has no number.
        try tree.rewrite(current, "????")
        gap = try engine.samples(of: \.mediumSamples)
        try tree.rewrite(current, "2000")
        after = try engine.samples(of: \.mediumSamples)
      }
      for i in gap {
        let sample = recorded.trace.medium[i]
        #expect(sample.currentMA[0] == 1640)
        #expect(sample.voltageMV[0] == 19_680)
        #expect(sample.powerMW[0].isNaN)
        #expect(sample.powerMW[1] == 15_737.6)
      }
      for i in after {
        #expect(recorded.trace.medium[i].currentMA[0] == 2000)
        #expect(recorded.trace.medium[i].powerMW[0] == 39_360)
      }
      #expect(recorded.counts.readErrors >= UInt64(gap.count))
      #expect(recorded.trace.header.readErrors == recorded.counts.readErrors)
    }
  }

  @Test func aZoneThatIsPoweredDownIsNaNAndNoFailure() throws {
    try withFixture { tree in
      try fixture.build(on: tree)
      let board = try BoardConfig.detect(root: tree.root)
      let zone = board.thermalZones[2].tempPath.description
      let inside = String(zone.dropFirst(tree.root.description.utf8.count + 1))
      try tree.write(inside, "-256000\n")
      var awake = 0..<0
      let recorded = try tree.record(board) { engine in
        try engine.waitForSamples(slow: 3)
        try tree.rewrite(inside, "-1500")
        awake = try engine.samples(of: \.slowSamples)
      }
      #expect(recorded.trace.slow[0].temperatureC[2].isNaN)
      #expect(recorded.trace.slow[0].temperatureC[1] == fixture.temperatureC(1))
      #expect(awake.allSatisfy { recorded.trace.slow[$0].temperatureC[2] == -1.5 })
      #expect(recorded.counts.readErrors == 0)
    }
  }

  @Test func aZoneWithoutANumberIsNaNAndCounted() throws {
    try withFixture { tree in
      try fixture.build(on: tree)
      let board = try BoardConfig.detect(root: tree.root)
      let zone = board.thermalZones[0].tempPath.description
      try tree.write(String(zone.dropFirst(tree.root.description.utf8.count + 1)), "\n")
      let recorded = try tree.record(board)
      #expect(recorded.trace.slow.allSatisfy { $0.temperatureC[0].isNaN })
      #expect(recorded.counts.readErrors == recorded.counts.slowSamples)
    }
  }
}
