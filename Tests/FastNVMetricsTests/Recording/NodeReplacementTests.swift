import FastNVMetrics
import Testing

/// Nodes that go, come, and come back while a board is recorded.
@Suite struct NodeReplacementTests {
  private let fixture = OrinFixture(.agx)

  /// Waits until failed reads are counted, or no longer counted.
  private func waitForFailures(_ engine: Engine, _ areExpected: Bool) throws {
    let isReached = eventually {
      let before = engine.counts
      guard let _ = try? engine.waitForSamples(medium: before.mediumSamples + 8) else {
        return false
      }
      return (engine.counts.readErrors > before.readErrors) == areExpected
    }
    try #require(isReached)
  }

  @Test func aRailThatIsMadeAnewIsReadAgain() throws {
    try withFixture { tree in
      try fixture.build(on: tree)
      let directory = fixture.firstChip.directory
      var after = 0..<0
      let recorded = try tree.record(try .detect(root: tree.root)) { engine in
        try engine.waitForSamples(medium: 3)
        try tree.remove(directory + "/in1_input")
        try waitForFailures(engine, true)
        try tree.write(directory + "/in1_input", "20000\n")
        try waitForFailures(engine, false)
        after = try engine.samples(of: \.mediumSamples)
      }
      let medium = recorded.trace.medium
      #expect(medium[0].voltageMV[0] == 19_680)
      let gap = medium.filter { $0.powerMW[0].isNaN }
      #expect(!gap.isEmpty)
      #expect(gap.allSatisfy { $0.voltageMV[0] == 19_680 && $0.currentMA[0] == 1640 })
      #expect(after.allSatisfy { medium[$0].voltageMV[0] == 20_000 })
      #expect(after.allSatisfy { medium[$0].powerMW[0] == 32_800 })
      #expect(medium.allSatisfy { $0.powerMW[1] == 15_737.6 })
    }
  }

  @Test func aRailIsFoundAgainUnderAnotherHwmonNumber() throws {
    try withFixture { tree in
      try fixture.build(on: tree)
      var after = 0..<0
      let recorded = try tree.record(try .detect(root: tree.root)) { engine in
        try engine.waitForSamples(medium: 3)
        // Unbound, and bound again after other drivers took its number.
        try tree.remove("sys/class/hwmon/hwmon2")
        try tree.remove(fixture.secondChip.directory)
        try waitForFailures(engine, true)
        let chip = INA3221Fixture(address: "1-0041", hwmon: 9)
        try tree.remove("sys/bus/i2c/drivers/ina3221/1-0041")
        try chip.build(on: tree)
        try chip.writeChannel(
          2, label: "VDDQ_VDD2_1V8AO", voltageMV: 1800, currentMA: 500, on: tree)
        try tree.writeHwmon(2, name: "nvme", in: "sys/devices/pci0005:00/nvme/nvme1")
        try waitForFailures(engine, false)
        after = try engine.samples(of: \.mediumSamples)
      }
      #expect(after.allSatisfy { recorded.trace.medium[$0].powerMW[3] == 900 })
    }
  }

  @Test func aZoneIsFoundAgainUnderAnotherNumber() throws {
    try withFixture { tree in
      try fixture.build(on: tree)
      var after = 0..<0
      let recorded = try tree.record(try .detect(root: tree.root)) { engine in
        try engine.waitForSamples(slow: 2)
        // Zone 0 is tdiode-thermal, the last of the catalogue.
        try tree.remove("sys/class/thermal/thermal_zone0")
        try tree.remove("sys/devices/virtual/thermal/thermal_zone0")
        try waitForFailures(engine, true)
        try tree.writeZone(0, type: "nvme", millidegrees: 99_000)
        try tree.writeZone(60, type: "tdiode-thermal", millidegrees: 51_000)
        try waitForFailures(engine, false)
        after = try engine.samples(of: \.slowSamples)
      }
      let slow = recorded.trace.slow
      #expect(slow[0].temperatureC[10] == fixture.temperatureC(10))
      #expect(slow.contains { $0.temperatureC[10].isNaN })
      #expect(after.allSatisfy { slow[$0].temperatureC[10] == 51 })
      #expect(slow.allSatisfy { $0.temperatureC[10] != 99 })
    }
  }

  @Test func aNodeOfAHandMadeBoardIsReadAgainAtItsPath() throws {
    try withFixture { tree in
      try fixture.build(on: tree)
      try tree.write("sys/mine/load", "100\n")
      let board = BoardConfig(
        boardName: "mine", cpuCoreCount: 1, gpuLoadPath: tree.path("sys/mine/load"), root: tree.root
      )
      var gap = 0..<0
      var after = 0..<0
      let recorded = try tree.record(board) { engine in
        try engine.waitForSamples(fast: 15)
        try tree.remove("sys/mine/load")
        try waitForFailures(engine, true)
        gap = try engine.samples(of: \.fastSamples)
        try tree.write("sys/mine/load", "900\n")
        #expect(eventually { (try? tree.newestSample())?.gpuLoad == 900 })
        after = try engine.samples(of: \.fastSamples)
      }
      #expect(gap.allSatisfy { recorded.trace.fast[$0].gpuLoad == 100 })
      #expect(after.allSatisfy { recorded.trace.fast[$0].gpuLoad == 900 })
    }
  }

  @Test func procIsReadAgainAfterItWasReplaced() throws {
    try withFixture { tree in
      try fixture.build(on: tree)
      let recorded = try tree.record(try .detect(root: tree.root)) { engine in
        try engine.waitForSamples(fast: 15)
        try tree.remove("proc/meminfo")
        try tree.writeMemory(totalKB: 1000, availableKB: 600)
        #expect(eventually { (try? tree.newestSample())?.ramUsedKB == 400 })
      }
      #expect(recorded.trace.fast.last?.ramUsedKB == 400)
    }
  }

  @Test func aGPUThatAppearsLaterIsFound() throws {
    try withFixture { tree in
      try fixture.build(on: tree)
      try tree.remove(fixture.gpuDirectory)
      try tree.remove("sys/class/devfreq/17000000.gpu")
      let board = try BoardConfig.detect(root: tree.root)
      #expect(board.gpuLoadPath.isEmpty)
      let recorded = try tree.record(board) { engine in
        try engine.waitForSamples(fast: 20)
        try tree.write(fixture.gpuDirectory + "/load", "650\n")
        #expect(eventually { (try? tree.newestSample())?.gpuLoad == 650 })
      }
      #expect(recorded.trace.fast[0].gpuLoad == 0)
      #expect(recorded.trace.header.isGPUAvailable)
      #expect(recorded.counts.readErrors == 0)
    }
  }

  @Test func aGPUThatAppearsBeforeTheStartIsFound() throws {
    try withFixture { tree in
      try fixture.build(on: tree)
      try tree.remove(fixture.gpuDirectory)
      try tree.remove("sys/class/devfreq/17000000.gpu")
      let board = try BoardConfig.detect(root: tree.root)
      try tree.write(fixture.gpuDirectory + "/load", "650\n")
      let recorded = try tree.record(board)
      #expect(recorded.trace.fast.allSatisfy { $0.gpuLoad == 650 })
    }
  }

  @Test func theMemoryControllerThatAppearsLaterIsFound() throws {
    try withFixture { tree in
      try fixture.build(on: tree)
      try tree.remove(fixture.actmonPath)
      let recorded = try tree.record(try .detect(root: tree.root)) { engine in
        try engine.waitForSamples(fast: 20)
        try tree.write(fixture.actmonPath, "799750\n")
        #expect(eventually { (try? tree.newestSample())?.emcUtilization == 25 })
      }
      #expect(recorded.trace.fast[0].emcUtilization == -1)
      #expect(recorded.trace.header.isEMCAvailable)
    }
  }

  /// A load node that is asked keeps its GPU awake: one that sleeps must not be, however it got here.
  @Test func aSuspendedGPUThatAppearsLaterIsNotAsked() throws {
    try withFixture { tree in
      try fixture.build(on: tree)
      try tree.remove(fixture.gpuDirectory)
      try tree.remove("sys/class/devfreq/17000000.gpu")
      let recorded = try tree.record(try .detect(root: tree.root)) { engine in
        try engine.waitForSamples(fast: 20)
        try tree.write(fixture.gpuDirectory + "/power/runtime_status", "suspended\n")
        try tree.write(fixture.gpuDirectory + "/load", "650\n")
        // Longer than the search for nodes that have never been there takes.
        try engine.waitForSamples(fast: engine.counts.fastSamples + 800)
      }
      #expect(recorded.trace.fast.last?.gpuLoad == 0)
    }
  }

  @Test func aGPUThatComesBackSuspendedIsNotAsked() throws {
    try withFixture { tree in
      try fixture.build(on: tree)
      let recorded = try tree.record(try .detect(root: tree.root)) { engine in
        try engine.waitForSamples(fast: 20)
        try tree.remove(fixture.gpuDirectory + "/load")
        try tree.remove(fixture.gpuDirectory + "/power")
        try waitForFailures(engine, true)
        try tree.write(fixture.gpuDirectory + "/power/runtime_status", "suspended\n")
        try engine.waitForSamples(fast: engine.counts.fastSamples + 300)
        try tree.write(fixture.gpuDirectory + "/load", "650\n")
        try engine.waitForSamples(fast: engine.counts.fastSamples + 300)
      }
      #expect(recorded.trace.fast.last?.gpuLoad == 0)
    }
  }
}
