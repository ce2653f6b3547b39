import Testing

@testable import FastNVMetrics

/// What an engine can be made of.
@Suite struct EngineConfigurationTests {
  private func error(
    _ board: BoardConfig = BoardConfig(boardName: "b", cpuCoreCount: 1),
    _ configuration: EngineConfiguration = EngineConfiguration(), path: SystemPath = "run.bin"
  ) -> FNVMError? {
    FNVMError.from { () throws(FNVMError) in
      try Engine(outputPath: path, board: board, configuration: configuration)
    }
  }

  @Test func theUsualRatesAreThoseOfTheReference() {
    #expect(
      EngineConfiguration() == EngineConfiguration(fastHz: 1000, mediumHz: 100, slowHz: 10))
  }

  @Test(arguments: [0, 20_001, .max] as [UInt32])
  func aRateOutsideOfItsRangeIsRefused(rate: UInt32) {
    for configuration in [
      EngineConfiguration(fastHz: rate), EngineConfiguration(mediumHz: rate),
      EngineConfiguration(slowHz: rate),
    ] {
      #expect(error(BoardConfig(boardName: "b", cpuCoreCount: 1), configuration)?.code == .invalid)
    }
  }

  @Test func theLimitsOfTheRatesAreRates() {
    let board = BoardConfig(boardName: "b", cpuCoreCount: 1)
    for rate in [1, 20_000] as [UInt32] {
      #expect(
        error(board, EngineConfiguration(fastHz: rate, mediumHz: rate, slowHz: rate)) == nil)
    }
  }

  @Test(arguments: [-1, 0, 17, .max])
  func aCountOfCoresThatNoTraceHoldsIsRefused(cores: Int) {
    #expect(error(BoardConfig(boardName: "b", cpuCoreCount: cores))?.code == .invalid)
  }

  @Test func moreRailsOrZonesThanATraceHoldsAreRefused() {
    let rail = PowerRailConfig(label: "r", voltagePath: "/v", currentPath: "/c")
    let zone = ThermalZoneConfig(name: "z", tempPath: "/t")
    var board = BoardConfig(
      boardName: "b", cpuCoreCount: 16, powerRails: Array(repeating: rail, count: 8),
      thermalZones: Array(repeating: zone, count: 16))
    #expect(error(board) == nil)
    board.powerRails.append(rail)
    #expect(error(board)?.code == .invalid)
    board.powerRails = []
    board.thermalZones.append(zone)
    #expect(error(board)?.code == .invalid)
  }

  @Test func aPathWithANULIsRefused() {
    let path = SystemPath(bytes: Array("a\0b".utf8))
    #expect(error(path: path)?.code == .invalid)
    #expect(error(path: "")?.code == .invalid)
    #expect(
      error(BoardConfig(boardName: "b", cpuCoreCount: 1, gpuLoadPath: path))?.code == .invalid)
    #expect(error(BoardConfig(boardName: "b", cpuCoreCount: 1, root: path))?.code == .invalid)
    let rail = PowerRailConfig(label: "r", voltagePath: "/v", currentPath: path)
    #expect(
      error(BoardConfig(boardName: "b", cpuCoreCount: 1, powerRails: [rail]))?.code == .invalid)
  }
}

@Suite struct RailRateTests {
  @Test(
    arguments: [
      (100, 0, nil, 100), (1000, 0, nil, 1000), (2000, 0, nil, nil), (2000, 0, false, 2000),
      (100, 0, true, nil), (100, 50, true, 50), (100, 500, nil, 100),
    ] as [(UInt32, UInt32, Bool?, UInt32?)])
  func railsAreReadAtARateOfTheUsersUnlessTheirSensorsDecide(
    mediumHz: UInt32, currentHz: UInt32, native: Bool?, expected: UInt32?
  ) {
    var configuration = EngineConfiguration(mediumHz: mediumHz)
    configuration.sources.currentHz = currentHz
    configuration.sources.native = native
    #expect(configuration.railHz == expected)
  }
}
