import FastNVMetrics
import Testing

/// Boards that the caller described: used as they are.
@Suite struct HandMadeBoardTests {
  @Test func badPathsAreMissingValuesAndCounted() throws {
    try withFixture { tree in
      try OrinFixture(.nx).build(on: tree)
      let nowhere = tree.path("sys/nowhere")
      let board = BoardConfig(
        boardName: "mine", cpuCoreCount: 2, gpuLoadPath: nowhere, emcActmonPath: nowhere,
        emcClkRatePath: nowhere,
        powerRails: [PowerRailConfig(label: "A", voltagePath: nowhere, currentPath: nowhere)],
        thermalZones: [ThermalZoneConfig(name: "z", tempPath: nowhere)], root: tree.root)
      let recorded = try tree.record(board)
      for sample in recorded.trace.fast {
        #expect(sample.gpuLoad == 0)
        #expect(sample.emcUtilization == -1)
        #expect(sample.ramAvailableKB == OrinFixture.availableKB)
      }
      for sample in recorded.trace.medium {
        #expect(sample.voltageMV == [0])
        #expect(sample.currentMA == [0])
        #expect(sample.powerMW[0].isNaN)
      }
      #expect(recorded.trace.slow.allSatisfy { $0.temperatureC[0].isNaN })
      #expect(!recorded.trace.header.isGPUAvailable)
      #expect(!recorded.trace.header.isEMCAvailable)
      let counts = recorded.counts
      // A GPU and an EMC failure for each fast sample, two for each medium one, one for each slow one.
      #expect(
        counts.readErrors
          >= 2 * counts.fastSamples + 2 * counts.mediumSamples + counts.slowSamples)
    }
  }

  @Test func badPathsAreNotReplacedByWhatTheMachineHas() throws {
    try withFixture { tree in
      let fixture = OrinFixture(.nx)
      try fixture.build(on: tree)
      var board = try BoardConfig.detect(root: tree.root)
      board.isDetected = false
      board.gpuLoadPath = ""
      board.emcActmonPath = ""
      let recorded = try tree.record(board)
      #expect(recorded.trace.fast.allSatisfy { $0.gpuLoad == 0 && $0.emcUtilization == -1 })
      #expect(!recorded.trace.header.isGPUAvailable)
      #expect(recorded.counts.readErrors == 0)
    }
  }

  @Test func aDirectoryOrAnEndlessFileAsANodeIsAMissingValue() throws {
    try withFixture { tree in
      try OrinFixture(.nx).build(on: tree)
      let board = BoardConfig(
        boardName: "mine", cpuCoreCount: 1, gpuLoadPath: tree.path("sys"),
        thermalZones: [
          ThermalZoneConfig(name: "directory", tempPath: tree.path("sys")),
          ThermalZoneConfig(name: "zeros", tempPath: "/dev/zero"),
          ThermalZoneConfig(name: "empty", tempPath: "/dev/null"),
        ], root: tree.root)
      let recorded = try tree.record(board)
      #expect(recorded.trace.slow.allSatisfy { $0.temperatureC.allSatisfy { $0.isNaN } })
      #expect(recorded.trace.fast.allSatisfy { $0.gpuLoad == 0 })
      #expect(recorded.counts.readErrors > 0)
    }
  }

  @Test func aRecordingWithoutProcIsMadeAllTheSame() throws {
    try withFixture { tree in
      let board = BoardConfig(boardName: "bare", cpuCoreCount: 2, root: tree.root)
      let recorded = try tree.record(board)
      for sample in recorded.trace.fast {
        #expect(sample.ramUsedKB == 0)
        #expect(sample.cpuUtilization.allSatisfy { $0.isNaN })
      }
      #expect(recorded.counts.readErrors > 0)
    }
  }
}
