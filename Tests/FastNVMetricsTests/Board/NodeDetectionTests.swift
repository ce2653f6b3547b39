import FastNVMetrics
import Testing

/// Where the GPU, the memory controller, the zones and the cores are looked for.
@Suite struct NodeDetectionTests {
  private func detect(
    _ fixture: OrinFixture = OrinFixture(.agx),
    _ change: (FixtureTree) throws -> Void
  ) throws -> (board: BoardConfig, root: String) {
    try withFixture { tree in
      try fixture.build(on: tree)
      try change(tree)
      return (try BoardConfig.detect(root: tree.root), tree.root.description)
    }
  }

  @Test(arguments: [
    "sys/devices/platform/17000000.gpu", "sys/devices/platform/17000000.ga10b",
    "sys/devices/17000000.ga10b", "sys/devices/platform/gpu.0", "sys/devices/gpu.0",
  ])
  func theGPUIsFoundAtItsKnownPlaces(place: String) throws {
    let (board, root) = try detect { tree in
      try tree.remove("sys/class/devfreq")
      try tree.remove("sys/devices/platform/bus@0/17000000.gpu")
      try tree.write(place + "/load", "1\n")
    }
    #expect(board.gpuLoadPath.description == root + "/" + place + "/load")
  }

  @Test(arguments: ["gpu", "ga10b", "gv11b", "gp10b", "gb10b"])
  func theGPUIsKnownByItsNameInTheDeviceTree(name: String) throws {
    let (board, root) = try detect { tree in
      try tree.remove("sys/class/devfreq")
      try tree.remove("sys/devices/platform/bus@0/17000000.gpu")
      let device = "sys/devices/somewhere/else.gpu"
      try tree.write(device + "/load", "1\n")
      try tree.writeDevfreq("else.gpu", device: device, ofNode: name, links: .relative)
    }
    #expect(board.gpuLoadPath.description == root + "/sys/devices/somewhere/else.gpu/load")
  }

  @Test func aDevfreqEntryOfAnotherEngineIsNotTheGPU() throws {
    let (board, _) = try detect { tree in
      try tree.remove("sys/class/devfreq/17000000.gpu")
      try tree.remove("sys/devices/platform/bus@0/17000000.gpu")
      try tree.write("sys/devices/platform/bus@0/13e00000.host1x/154c0000.nvenc/load", "1\n")
    }
    #expect(board.gpuLoadPath.isEmpty)
  }

  @Test func anEMCNodeThatCannotBeReadIsLeftOut() throws {
    let fixture = OrinFixture(.agx)
    let (board, _) = try detect(fixture) { tree in
      try tree.remove(fixture.actmonPath)
      try tree.write(fixture.emcRatePath, "0\n")
    }
    #expect(board.emcActmonPath.isEmpty)
    #expect(board.emcClkRatePath.isEmpty)
  }

  @Test func theClockFrameworkStandsInForTheFirmware() throws {
    let fixture = OrinFixture(.agx)
    let (board, root) = try detect(fixture) { tree in
      try tree.remove(fixture.emcRatePath)
      try tree.write("sys/kernel/debug/clk/emc/clk_rate", "3199000000\n")
    }
    #expect(board.emcClkRatePath.description == root + "/sys/kernel/debug/clk/emc/clk_rate")
  }

  @Test func foreignZonesAreNeverTaken() throws {
    let (board, _) = try detect { tree in
      for (number, type) in ["nvme", "iwlwifi_1", "cpu", "gpu-thermal-x", "x-gpu"].enumerated() {
        try tree.writeZone(40 + number, type: type, millidegrees: 99_000)
      }
      try tree.remove("sys/devices/virtual/thermal/thermal_zone0")
    }
    // Zone 0 was tdiode-thermal; nothing came in its place.
    #expect(board.thermalZones.map(\.name) == Array(OrinFixture(.agx).zoneNames.dropLast()))
  }

  @Test func aZoneWithoutATemperatureIsLeftOut() throws {
    let (board, _) = try detect { tree in
      try tree.remove("sys/devices/virtual/thermal/thermal_zone0/temp")
    }
    #expect(board.thermalZones.map(\.name) == Array(OrinFixture(.agx).zoneNames.dropLast()))
  }

  @Test func coresThatAreOfflineCount() throws {
    let (board, _) = try detect { try $0.writeStat(cores: [0, 1, 4, 5]) }
    #expect(board.cpuCoreCount == 12)
  }

  @Test(arguments: [("0-11\n", 12), ("0-7\n", 8), ("0\n", 1), ("0-15\n", 16), ("0-63\n", 16)])
  func thePossibleCPUsAreCountedUpToSixteen(possible: String, count: Int) throws {
    let (board, _) = try detect { try $0.write("sys/devices/system/cpu/possible", possible) }
    #expect(board.cpuCoreCount == count)
  }

  @Test func theLinesOfStatAreCountedWhereNothingElseIs() throws {
    let (board, _) = try detect { tree in
      try tree.remove("sys/devices/system/cpu/possible")
      try tree.writeStat(cores: [0, 1, 5])
    }
    #expect(board.cpuCoreCount == 6)
  }
}
