/// Finds out which board this is and which of its nodes can be read.
enum BoardDetector {
  /// - Throws: `.noBoard`, naming the compatible strings found and how to go on.
  static func detect(root: Root) throws(FNVMError) -> BoardConfig {
    let tree = DeviceTree(root: root)
    guard let board = tree.board() else { throw unrecognised(tree, root: root) }
    return BoardConfig(
      boardName: board.name, cpuCoreCount: coreCount(root: root),
      gpuLoadPath: GPUNode.find(root: root),
      emcActmonPath: EMCNodes.findActmon(root: root), emcClkRatePath: EMCNodes.findRate(root: root),
      powerRails: rails(of: board, root: root), thermalZones: zones(of: board, root: root),
      root: root.name, isDetected: true)
  }

  /// What this machine has, whatever it is.
  static func generic(root: Root) -> BoardConfig {
    let rails = HwmonChip.all(root: root).flatMap { $0.rails(requireLabel: $0.isINA3221) }
    let zones = ThermalZones.all(root: root).map {
      ThermalZoneConfig(name: String(decoding: $0.type, as: UTF8.self), tempPath: $0.tempPath)
    }
    return BoardConfig(
      boardName: BoardCatalog.genericName, cpuCoreCount: coreCount(root: root),
      gpuLoadPath: GPUNode.find(root: root),
      emcActmonPath: EMCNodes.findActmon(root: root), emcClkRatePath: EMCNodes.findRate(root: root),
      powerRails: Array(rails.prefix(BoardConfig.maxPowerRails)),
      thermalZones: Array(zones.prefix(BoardConfig.maxThermalZones)),
      root: root.name)
  }

  private static func rails(of board: CatalogBoard, root: Root) -> [PowerRailConfig] {
    let chips = HwmonChip.all(root: root).filter { $0.isINA3221 }
    let rails = inOrder(chips.flatMap { $0.rails(requireLabel: true) }, of: board)
    return Array(rails.prefix(BoardConfig.maxPowerRails))
  }

  /// Rails by label in the catalogue's order, then those it does not know by address and channel.
  static func inOrder(_ rails: [PowerRailConfig], of board: CatalogBoard) -> [PowerRailConfig] {
    var rest = rails
    var ordered: [PowerRailConfig] = []
    for known in board.rails {
      let label = Array(known.label.utf8)
      guard let index = rest.firstIndex(where: { Array($0.label.utf8) == label }) else { continue }
      ordered.append(rest.remove(at: index))
    }
    return ordered + rest
  }

  /// The catalogue's zones that are here, under the catalogue's names and in its order.
  private static func zones(of board: CatalogBoard, root: Root) -> [ThermalZoneConfig] {
    let found = ThermalZones.all(root: root)
    var zones: [ThermalZoneConfig] = []
    for name in board.zones {
      let wanted = Array(name.utf8)
      if let zone = found.first(where: { ThermalZones.isSame($0.type, wanted) }) {
        zones.append(ThermalZoneConfig(name: name, tempPath: zone.tempPath))
      }
    }
    return zones
  }

  private static func coreCount(root: Root) -> Int {
    min(CPUList.possibleCount(root: root), BoardConfig.maxCPUCores)
  }

  private static func unrecognised(_ tree: DeviceTree, root: Root) -> FNVMError {
    var found = ""
    for string in tree.compatible {
      found += (found.isEmpty ? "" : ", ") + String(decoding: string, as: UTF8.self)
    }
    let place = root.prefix.isEmpty ? "" : joined(" under ", root.prefix.description)
    let what =
      found.isEmpty
      ? joined("there is no device tree", place)
      : joined("compatible strings found", place, ": ", found)
    if let product = tree.unsupportedProduct() {
      return FNVMError(
        .noBoard,
        joined(
          product, " is not supported, it has no GPU load node: ", what,
          ". Ask for the board \"generic_linux\" by name to record CPU, RAM, rails and zones.")
      )
    }
    return FNVMError(
      .noBoard,
      joined(
        "no supported Jetson board: ", what,
        ". Ask for a board by name (\"agx_orin\", \"orin_nx\", \"orin_nano\", or \"generic_linux\" for any Linux machine), describe one yourself, or set FASTNVMETRICS_ROOT to where the board's /proc and /sys are mounted."
      )
    )
  }
}

extension BoardConfig {
  /// The root that FASTNVMETRICS_ROOT names, empty where it is unset.
  package static var environmentRoot: SystemPath { Root(nil).name }

  /// The board this program runs on, with the nodes that can be read.
  ///
  /// - Parameter root: what is put before /proc, /sys and /etc; nil: FASTNVMETRICS_ROOT.
  /// - Throws: `.noBoard`, naming the compatible strings found and how to go on.
  ///
  /// Thread-safe. The corresponding C function is `fnvm_board_detect`.
  public static func detect(root: SystemPath? = nil) throws(FNVMError) -> BoardConfig {
    try BoardDetector.detect(root: Root(root))
  }

  /// The board of that name: nominal paths for a Jetson, what this machine has for "generic_linux".
  ///
  /// - Throws: `.unknownBoard`.
  ///
  /// Thread-safe. The corresponding C function is `fnvm_board_named`.
  public static func named(_ name: String, root: SystemPath? = nil) throws(FNVMError) -> BoardConfig
  {
    let root = Root(root)
    if Array(name.utf8) == Array(BoardCatalog.genericName.utf8) {
      return BoardDetector.generic(root: root)
    }
    if let board = BoardCatalog.board(named: name) { return board.nominalConfig(root: root) }
    throw FNVMError(
      .unknownBoard,
      joined("Unknown board: ", name, ". There are agx_orin, orin_nx, orin_nano and generic_linux.")
    )
  }
}
