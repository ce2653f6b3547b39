import Testing

@testable import FastNVMetrics

/// What sensors say about how often they measure.
@Suite struct SensorRefreshTests {
  /// What the user is told of a board whose sensor has that `update_interval`.
  private func notice(_ interval: String?, mediumHz: UInt32) throws -> String? {
    try withFixture { tree in
      if let interval { try tree.write("sys/chip/update_interval", interval) }
      let rail = PowerRailConfig(
        label: "VDD_IN", voltagePath: tree.path("sys/chip/in1_input"),
        currentPath: tree.path("sys/chip/curr1_input"))
      let board = BoardConfig(boardName: "own", cpuCoreCount: 1, powerRails: [rail])
      return SensorRefresh.notice(for: board, hz: mediumHz)
    }
  }

  @Test func aRateAboveTheSensorsIsNoticed() throws {
    let notice = try notice("36\n", mediumHz: 100)
    #expect(notice?.contains("100 Hz") == true)
    #expect(notice?.contains("every 36 ms") == true)
  }

  @Test(
    arguments: [
      ("10\n", 100), ("36\n", 27), ("0\n", 1000), ("-5\n", 1000), ("junk", 1000), (nil, 1000),
    ]
      as [(String?, UInt32)])
  func aRateThatTheSensorKeepsUpWithIsNot(interval: String?, mediumHz: UInt32) throws {
    let notice = try notice(interval, mediumHz: mediumHz)
    #expect(notice == nil)
  }

  @Test(arguments: [1, 1000, UInt32.max])
  func aSensorThatClaimsToTakeForEverIsNoticed(mediumHz: UInt32) throws {
    let notice = try notice("99999999999999999999\n", mediumHz: mediumHz)
    #expect(notice?.contains("every 9223372036854775807 ms") == true)
  }
}
