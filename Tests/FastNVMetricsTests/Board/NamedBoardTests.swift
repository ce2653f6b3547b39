import FastNVMetrics
import Testing

/// Boards asked for by name.
@Suite struct NamedBoardTests {
  private let socZones = [
    "cpu-thermal", "gpu-thermal", "cv0-thermal", "cv1-thermal", "cv2-thermal", "soc0-thermal",
    "soc1-thermal", "soc2-thermal", "tj-thermal",
  ]

  @Test func anAGXOrinHasItsNominalNodes() throws {
    let board = try BoardConfig.named("agx_orin", root: "/")
    #expect(board.boardName == "agx_orin")
    #expect(board.cpuCoreCount == 12)
    #expect(
      board.powerRails.map(\.label)
        == ["VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0", "VDDQ_VDD2_1V8AO"])
    #expect(board.thermalZones.map(\.name) == socZones + ["tboard-thermal", "tdiode-thermal"])
  }

  @Test(arguments: [("orin_nx", 8), ("orin_nano", 6)])
  func theSmallModulesHaveTheirNominalNodes(name: String, cores: Int) throws {
    let board = try BoardConfig.named(name, root: "/")
    #expect(board.boardName == name)
    #expect(board.cpuCoreCount == cores)
    #expect(board.powerRails.map(\.label) == ["VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC"])
    #expect(board.thermalZones.map(\.name) == socZones + ["tboard-thermal"])
  }

  @Test(arguments: ["agx_orin", "orin_nx", "orin_nano"])
  func nominalPathsAreAllFilledAndUnderTheRoot(name: String) throws {
    let board = try BoardConfig.named(name, root: "/nowhere")
    let paths =
      [board.gpuLoadPath, board.emcActmonPath, board.emcClkRatePath]
      + board.powerRails.flatMap { [$0.voltagePath, $0.currentPath] }
      + board.thermalZones.map(\.tempPath)
    for path in paths { #expect(path.description.hasPrefix("/nowhere/sys/")) }
    #expect(Set(paths.map(\.description)).count == paths.count)
    #expect(!board.isDetected)
  }

  @Test(arguments: ["agx", "AGX_ORIN", "", "orin_nano ", "généric"])
  func anUnknownNameIsRefused(name: String) throws {
    let error = try #require(
      FNVMError.from { () throws(FNVMError) in try BoardConfig.named(name, root: "/") })
    #expect(error.code == .unknownBoard)
    #expect(error.message.hasPrefix("Unknown board: \(name)"))
  }
}
