import FastNVMetrics
import Testing

/// What a user is told where no board is recognised.
@Suite struct UnrecognisedBoardTests {
  private func error(_ compatible: [String]?) throws -> FNVMError {
    try withFixture { tree in
      if let compatible { try tree.writeCompatible(compatible) }
      return try #require(
        FNVMError.from { () throws(FNVMError) in
          try BoardConfig.detect(root: tree.root)
        })
    }
  }

  @Test(arguments: [
    ["nvidia,p3971-0050+p3834-0008", "nvidia,p3834-0008", "nvidia,tegra264"],
    ["vendor,box", "nvidia,tegra264"],
  ])
  func thorIsRefusedByName(compatible: [String]) throws {
    let error = try error(compatible)
    #expect(error.code == .noBoard)
    #expect(error.message.contains("Thor"))
    #expect(error.message.contains("not supported"))
    #expect(error.message.contains("generic_linux"))
  }

  @Test func theCompatibleStringsFoundAreNamed() throws {
    let error = try error(["raspberrypi,5-model-b", "brcm,bcm2712"])
    #expect(error.code == .noBoard)
    #expect(error.message.contains("raspberrypi,5-model-b"))
    #expect(error.message.contains("brcm,bcm2712"))
    #expect(error.message.contains("generic_linux"))
  }

  @Test func aMachineWithoutDeviceTreeIsToldSo() throws {
    let error = try error(nil)
    #expect(error.code == .noBoard)
    #expect(error.message.contains("no device tree"))
    #expect(error.message.contains("agx_orin"))
  }

  @Test func anUnknownModuleOfAKnownChipIsNoBoard() throws {
    #expect(try error(["nvidia,p9999-0000", "nvidia,tegra234"]).code == .noBoard)
  }
}
