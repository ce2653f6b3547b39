import FastNVMetrics
import Testing

/// What detection makes of whole boards.
@Suite struct DetectionTests {
  @Test(arguments: OrinFixture.all)
  func everyBoardIsRecognisedWithItsNodes(fixture: OrinFixture) throws {
    try withFixture { tree in
      try fixture.build(on: tree)
      let board = try BoardConfig.detect(root: tree.root)
      #expect(board.boardName == fixture.module.rawValue)
      #expect(board.cpuCoreCount == fixture.cores.count)
      #expect(board.gpuLoadPath == tree.path(fixture.gpuDirectory + "/load"))
      #expect(board.emcActmonPath == tree.path(fixture.actmonPath))
      #expect(board.emcClkRatePath == tree.path(fixture.emcRatePath))
      #expect(board.root == tree.root)
      #expect(board.isDetected)
    }
  }

  @Test(arguments: OrinFixture.all)
  func railsComeInTheCataloguesOrder(fixture: OrinFixture) throws {
    try withFixture { tree in
      try fixture.build(on: tree)
      let rails = try BoardConfig.detect(root: tree.root).powerRails
      #expect(rails.map(\.label) == fixture.railNames)
      let first = fixture.firstChip.directory
      for channel in 1...3 {
        #expect(rails[channel - 1].voltagePath == tree.path(first + "/in\(channel)_input"))
        #expect(rails[channel - 1].currentPath == tree.path(first + "/curr\(channel)_input"))
      }
      if fixture.module == .agx {
        #expect(rails[3].voltagePath == tree.path(fixture.secondChip.directory + "/in2_input"))
      }
    }
  }

  @Test(arguments: OrinFixture.all)
  func zonesHaveTheCataloguesNamesAndOrder(fixture: OrinFixture) throws {
    try withFixture { tree in
      try fixture.build(on: tree)
      let zones = try BoardConfig.detect(root: tree.root).thermalZones
      #expect(zones.map(\.name) == fixture.zoneNames)
      for (place, zone) in zones.enumerated() {
        let text = String(decoding: try TraceBytes.read(zone.tempPath), as: UTF8.self)
        #expect(text == "\(42_000 + 500 * place)\n")
      }
    }
  }

  @Test(arguments: [
    ("nvidia,p3737-0000+p3701-0005-super", "agx_orin"),
    ("nvidia,p3737-0000+p3701-0000", "agx_orin"),
    ("nvidia,p3737-0000+p3701-0004", "agx_orin"),
    ("nvidia,p3737-0000+p3701-0008", "agx_orin"),
    ("nvidia,p3737-0000+p3701-0005-as-p3767-0001", "agx_orin"),
    ("nvidia,p3701-0000-as-p3767-0003", "agx_orin"),
    ("nvidia,p3768-0000+p3767-0000-super", "orin_nx"),
    ("nvidia,p3509-0000+p3767-0001", "orin_nx"),
    ("nvidia,p3768-0000+p3767-0003", "orin_nano"),
    ("nvidia,p3768-0000+p3767-0004", "orin_nano"),
    ("nvidia,p3768-0000+p3767-0005-super", "orin_nano"),
  ])
  func theModuleIsFoundInEachFormOfTheCompatibleString(string: String, name: String) throws {
    try withFixture { tree in
      try tree.writeCompatible([string, "nvidia,tegra234"])
      #expect(try BoardConfig.detect(root: tree.root).boardName == name)
    }
  }

  @Test func allCompatibleStringsAreSearched() throws {
    try withFixture { tree in
      try tree.writeCompatible(["vendor,carrier", "nvidia,tegra234", "nvidia,p3767-0000"])
      #expect(try BoardConfig.detect(root: tree.root).boardName == "orin_nx")
    }
  }

  @Test func theDeviceTreeIsFoundWithoutItsLinkInProc() throws {
    try withFixture { tree in
      try tree.write("sys/firmware/devicetree/base/compatible", "nvidia,p3701-0005\0")
      #expect(try BoardConfig.detect(root: tree.root).boardName == "agx_orin")
    }
  }

  @Test func aBoardWithoutAnyReadableNodeIsABoard() throws {
    try withFixture { tree in
      try tree.writeCompatible(OrinFixture.compatible(of: .agx))
      let board = try BoardConfig.detect(root: tree.root)
      #expect(board.boardName == "agx_orin")
      #expect(board.gpuLoadPath.isEmpty)
      #expect(board.emcActmonPath.isEmpty)
      #expect(board.emcClkRatePath.isEmpty)
      #expect(board.powerRails.isEmpty)
      #expect(board.thermalZones.isEmpty)
      #expect(board.cpuCoreCount >= 1)
    }
  }

  @Test func aRootMayEndInSlashes() throws {
    try withFixture { tree in
      try OrinFixture(.nx).build(on: tree)
      let board = try BoardConfig.detect(root: SystemPath(tree.root.description + "//"))
      #expect(board.powerRails == (try BoardConfig.detect(root: tree.root)).powerRails)
      #expect(board.powerRails.count == 3)
    }
  }
}
