import FastNVMetrics
import Testing

/// Which channels of the power monitors are rails.
@Suite struct RailDetectionTests {
  /// The labels that detection finds on an AGX whose second chip was changed.
  private func labels(
    _ change: (FixtureTree, OrinFixture) throws -> Void
  ) throws -> [String] {
    try withFixture { tree in
      let fixture = OrinFixture(.agx)
      try fixture.build(on: tree)
      try change(tree, fixture)
      return try BoardConfig.detect(root: tree.root).powerRails.map(\.label)
    }
  }

  private let known = ["VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0", "VDDQ_VDD2_1V8AO"]

  @Test func unknownLabelsFollowTheCataloguesByAddressAndChannel() throws {
    let labels = try labels { tree, fixture in
      // hwmon numbers run against the addresses.
      let later = INA3221Fixture(address: "1-0042", hwmon: 0x7)
      try later.build(on: tree)
      try later.writeChannel(3, label: "VDD_Z", voltageMV: 1, currentMA: 1, on: tree)
      try later.writeChannel(1, label: "VDD_LATER", voltageMV: 1, currentMA: 1, on: tree)
      let chip = INA3221Fixture(address: "1-0041", hwmon: fixture.secondChip.hwmon)
      try chip.writeChannel(3, label: "VDD_MINE", voltageMV: 1, currentMA: 1, on: tree)
      let other = INA3221Fixture(address: "1-0043", hwmon: 4)
      try other.build(on: tree)
      try other.writeChannel(2, label: "AAA", voltageMV: 1, currentMA: 1, on: tree)
    }
    #expect(labels == known + ["VDD_MINE", "VDD_LATER", "VDD_Z", "AAA"])
  }

  @Test func aTraceTakesTheFirstEightRails() throws {
    let labels = try labels { tree, _ in
      for chip in 0..<2 {
        let more = INA3221Fixture(address: "1-004\(4 + chip)", hwmon: 7 + chip)
        try more.build(on: tree)
        for channel in 1...3 {
          try more.writeChannel(
            channel, label: "X\(chip)\(channel)", voltageMV: 1, currentMA: 1, on: tree)
        }
      }
    }
    #expect(labels == known + ["X01", "X02", "X03", "X11"])
  }

  @Test func aChannelLabelledNCIsNoRail() throws {
    let labels = try labels { tree, fixture in
      try fixture.firstChip.writeChannel(1, label: "NC", voltageMV: 8, currentMA: 0, on: tree)
    }
    #expect(labels == Array(known.dropFirst()))
  }

  @Test func theSumOfShuntVoltagesIsNoRail() throws {
    let labels = try labels { tree, fixture in
      try tree.write(fixture.firstChip.directory + "/curr7_input", "100\n")
      try tree.write(fixture.firstChip.directory + "/in7_enable", "1\n")
    }
    #expect(labels == known)
  }

  @Test func aChannelWithoutALabelIsNoRail() throws {
    let labels = try labels { tree, fixture in
      try tree.remove(fixture.firstChip.directory + "/in2_label")
    }
    #expect(labels == ["VDD_GPU_SOC", "VIN_SYS_5V0", "VDDQ_VDD2_1V8AO"])
  }

  @Test func aDisabledChannelIsNoRail() throws {
    let labels = try labels { tree, fixture in
      try tree.write(fixture.firstChip.directory + "/in3_enable", "0\n")
    }
    #expect(labels == ["VDD_GPU_SOC", "VDD_CPU_CV", "VDDQ_VDD2_1V8AO"])
  }

  @Test(arguments: ["in1_input", "curr1_input"])
  func aRailNeedsBothOfItsNodes(missing: String) throws {
    let labels = try labels { tree, fixture in
      try tree.remove(fixture.firstChip.directory + "/" + missing)
    }
    #expect(labels == Array(known.dropFirst()))
  }

  @Test func aChannelWithoutAnEnableNodeIsARail() throws {
    let labels = try labels { tree, fixture in
      try tree.remove(fixture.firstChip.directory + "/in1_enable")
    }
    #expect(labels == known)
  }

  @Test func chipsAreFoundThroughTheirDriverWhereTheClassIsMissing() throws {
    #expect(try labels { tree, _ in try tree.remove("sys/class/hwmon") } == known)
  }

  @Test func chipsAreFoundThroughTheClassWhereTheDriverIsMissing() throws {
    #expect(try labels { tree, _ in try tree.remove("sys/bus") } == known)
  }

  @Test func labelsDecideAndNotTheChannelNumbers() throws {
    try withFixture { tree in
      let fixture = OrinFixture(.nx)
      try fixture.build(on: tree)
      let chip = fixture.firstChip
      for (channel, label) in [(1, "VDD_SOC"), (2, "VDD_IN"), (3, "VDD_CPU_GPU_CV")] {
        try chip.writeChannel(channel, label: label, voltageMV: 5000, currentMA: 1, on: tree)
      }
      let rails = try BoardConfig.detect(root: tree.root).powerRails
      #expect(rails.map(\.label) == ["VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC"])
      #expect(rails[0].voltagePath == tree.path(chip.directory + "/in2_input"))
      #expect(rails[2].currentPath == tree.path(chip.directory + "/curr1_input"))
    }
  }
}
