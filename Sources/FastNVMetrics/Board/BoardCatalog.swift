/// The boards we know, as data. A new board is a new entry; docs/adding_a_board.md.
///
/// Sources: NVIDIA's L4T 35 and 36 device trees for module ids, rails and zones.
struct CatalogBoard: Sendable {
  /// The name in traces and in the API.
  var name: String
  /// The product, for people.
  var product: String
  /// How the ids of its modules begin in the device tree's `compatible` strings.
  var moduleIDs: [String]
  var cpuCoreCount: Int
  /// Rails in the order of the trace.
  var rails: [CatalogRail]
  /// The rails whose sum is the module's power. No rail measures the carrier board.
  var totalRails: [String]
  /// Thermal zone types in the order of the trace, as L4T 36 writes them.
  var zones: [String]
}

struct CatalogRail: Sendable {
  var label: String
  /// The chip's name on the I2C bus, and its channel from 1: where the rail is by design. On a
  /// machine, rails are found by label.
  var chip: String
  var channel: Int
  /// The hwmon number seen on NVIDIA's own images: only for nominal paths, since it differs between
  /// boots.
  var nominalHwmon: Int
}

enum BoardCatalog {
  /// The name that works on any Linux machine.
  static let genericName = "generic_linux"

  static func board(named name: String) -> CatalogBoard? {
    for board in all where Array(board.name.utf8) == Array(name.utf8) { return board }
    return nil
  }

  /// The positions of the rails whose sum is a board's power; empty where that is not known.
  static func totalRails<Labels: RandomAccessCollection<String>>(
    of boardName: String, in labels: Labels
  ) -> [Int] where Labels.Index == Int {
    guard let known = board(named: boardName) else { return [] }
    var positions: [Int] = []
    for label in known.totalRails {
      let wanted = Array(label.utf8)
      guard let position = labels.firstIndex(where: { Array($0.utf8) == wanted }) else { return [] }
      positions.append(position)
    }
    return positions
  }

  static var all: [CatalogBoard] {
    [
      CatalogBoard(
        name: "agx_orin", product: "Jetson AGX Orin", moduleIDs: ["p3701-"], cpuCoreCount: 12,
        rails: [
          CatalogRail(label: "VDD_GPU_SOC", chip: "1-0040", channel: 1, nominalHwmon: 3),
          CatalogRail(label: "VDD_CPU_CV", chip: "1-0040", channel: 2, nominalHwmon: 3),
          CatalogRail(label: "VIN_SYS_5V0", chip: "1-0040", channel: 3, nominalHwmon: 3),
          CatalogRail(label: "VDDQ_VDD2_1V8AO", chip: "1-0041", channel: 2, nominalHwmon: 4),
        ],
        // VDDQ_VDD2_1V8AO, the DRAM, is fed from VIN_SYS_5V0: adding it would count it twice.
        totalRails: ["VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"],
        zones: socZones + ["tboard-thermal", "tdiode-thermal"]),
      CatalogBoard(
        name: "orin_nx", product: "Jetson Orin NX", moduleIDs: ["p3767-0000", "p3767-0001"],
        cpuCoreCount: 8, rails: p3767Rails, totalRails: ["VDD_IN"],
        zones: socZones + ["tboard-thermal"]),
      CatalogBoard(
        name: "orin_nano", product: "Jetson Orin Nano",
        moduleIDs: ["p3767-0003", "p3767-0004", "p3767-0005"],
        cpuCoreCount: 6, rails: p3767Rails, totalRails: ["VDD_IN"],
        zones: socZones + ["tboard-thermal"]),
    ]
  }

  /// Modules that we recognise only to say that they are not supported.
  static var unsupported: [(id: String, product: String)] {
    [("p3834-", "Jetson AGX Thor"), ("tegra264", "Jetson AGX Thor")]
  }

  private static var p3767Rails: [CatalogRail] {
    [
      CatalogRail(label: "VDD_IN", chip: "1-0040", channel: 1, nominalHwmon: 3),
      CatalogRail(label: "VDD_CPU_GPU_CV", chip: "1-0040", channel: 2, nominalHwmon: 3),
      CatalogRail(label: "VDD_SOC", chip: "1-0040", channel: 3, nominalHwmon: 3),
    ]
  }

  private static var socZones: [String] {
    [
      "cpu-thermal", "gpu-thermal", "cv0-thermal", "cv1-thermal", "cv2-thermal", "soc0-thermal",
      "soc1-thermal", "soc2-thermal", "tj-thermal",
    ]
  }
}

extension CatalogBoard {
  /// The board with the paths that it has by design, whether they exist or not.
  func nominalConfig(root: Root) -> BoardConfig {
    BoardConfig(
      boardName: name, cpuCoreCount: cpuCoreCount,
      gpuLoadPath: root.path(GPUNode.loadPaths[0]),
      emcActmonPath: root.path(EMCNodes.actmonPaths[0]),
      emcClkRatePath: root.path(EMCNodes.ratePaths[0]),
      powerRails: rails.map { rail in
        let chip = root.path(
          joined(
            "/sys/bus/i2c/drivers/ina3221/", rail.chip, "/hwmon/hwmon", decimal(rail.nominalHwmon)))
        return PowerRailConfig(
          label: rail.label,
          voltagePath: chip.appending(joined("in", decimal(rail.channel), "_input")),
          currentPath: chip.appending(joined("curr", decimal(rail.channel), "_input")))
      },
      thermalZones: zones.enumerated().map { index, zone in
        ThermalZoneConfig(
          name: zone,
          tempPath: root.path(joined("/sys/class/thermal/thermal_zone", decimal(index), "/temp")))
      },
      root: root.name)
  }
}
