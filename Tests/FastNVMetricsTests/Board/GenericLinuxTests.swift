import FastNVMetrics
import Testing

/// The board that takes what a machine has.
@Suite struct GenericLinuxTests {
  private func chip(
    _ number: Int, name: String, channels: ClosedRange<Int>, on tree: FixtureTree
  ) throws {
    let device = "sys/devices/i2c-\(number)/\(number)-0040"
    try tree.writeHwmon(number, name: name, in: device)
    for channel in channels {
      try tree.write(device + "/hwmon/hwmon\(number)/in\(channel)_input", "12000\n")
      try tree.write(device + "/hwmon/hwmon\(number)/curr\(channel)_input", "\(100 * channel)\n")
    }
  }

  @Test func aPowerMonitorWithoutLabelsIsNamedAfterItsChip() throws {
    try withFixture { tree in
      try chip(3, name: "ina226", channels: 1...1, on: tree)
      try tree.write("sys/devices/i2c-3/3-0040/hwmon/hwmon3/in0_input", "1\n")
      let board = try BoardConfig.named("generic_linux", root: tree.root)
      #expect(board.boardName == "generic_linux")
      #expect(board.powerRails.map(\.label) == ["ina226_1"])
      #expect(
        board.powerRails[0].voltagePath
          == tree.path("sys/devices/i2c-3/3-0040/hwmon/hwmon3/in1_input"))
      #expect(board.gpuLoadPath.isEmpty)
    }
  }

  @Test func itsRailsAndZonesAreRecorded() throws {
    try withFixture { tree in
      try chip(0, name: "ina226", channels: 1...1, on: tree)
      try tree.writeZone(0, type: "acpitz", millidegrees: 27_800)
      try tree.writeStat(cores: [0, 1])
      try tree.writeMemory(totalKB: 100, availableKB: 40)
      try tree.write("sys/devices/system/cpu/possible", "0-1\n")
      let recorded = try tree.record(try BoardConfig.named("generic_linux", root: tree.root))
      #expect(recorded.trace.header.boardName == "generic_linux")
      #expect(recorded.trace.header.thermalZoneNames == ["acpitz"])
      #expect(recorded.trace.medium.allSatisfy { $0.powerMW == [1200] })
      #expect(recorded.trace.slow.allSatisfy { $0.temperatureC == [27.8] })
      #expect(recorded.counts.readErrors == 0)
    }
  }

  @Test func aTraceTakesTheFirstEightRailsAndSixteenZones() throws {
    try withFixture { tree in
      for number in 1...3 { try chip(number, name: "ina226", channels: 1...4, on: tree) }
      for number in 0..<20 {
        try tree.writeZone(number, type: "zone\(number)", millidegrees: 1000 * number)
      }
      let board = try BoardConfig.named("generic_linux", root: tree.root)
      #expect(
        board.powerRails.map(\.voltagePath)
          == (0..<8).map {
            let number = 1 + $0 / 4
            return tree.path(
              "sys/devices/i2c-\(number)/\(number)-0040/hwmon/hwmon\(number)/in\(1 + $0 % 4)_input")
          })
      #expect(board.thermalZones.map(\.name) == (0..<16).map { "zone\($0)" })
    }
  }

  @Test func aJetsonsRailsKeepTheirLabels() throws {
    try withFixture { tree in
      let fixture = OrinFixture(.agx, .l4t35)
      try fixture.build(on: tree)
      let board = try BoardConfig.named("generic_linux", root: tree.root)
      #expect(Set(board.powerRails.map(\.label)) == Set(fixture.railNames))
      #expect(board.gpuLoadPath == tree.path(fixture.gpuDirectory + "/load"))
      // Under the kernel's own names, foreign zones included.
      #expect(board.thermalZones.contains { $0.name == "nvme" })
      #expect(board.thermalZones.contains { $0.name == "CPU-therm" })
    }
  }
}
