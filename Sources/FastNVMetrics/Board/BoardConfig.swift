/// A description of a board: which files to sample, and under which names.
///
/// Paths are complete, root included, and opened as they are. An empty path means that the node is
/// not available. The corresponding C type is `fnvm_board`.
public struct BoardConfig: Equatable, Sendable {
  /// The most cores, rails and zones that a trace holds.
  public static let maxCPUCores = 16, maxPowerRails = 8, maxThermalZones = 16

  /// The name in the trace, such as "agx_orin"; at most 31 bytes are stored.
  public var boardName: String
  /// CPU cores with a column of their own, 1 to 16.
  public var cpuCoreCount: Int
  /// GPU load in per mille.
  public var gpuLoadPath: SystemPath
  /// Active EMC clocks in kHz (`mc_all`).
  public var emcActmonPath: SystemPath
  /// The EMC clock in Hz.
  public var emcClkRatePath: SystemPath
  /// At most 8 rails.
  public var powerRails: [PowerRailConfig]
  /// At most 16 zones.
  public var thermalZones: [ThermalZoneConfig]
  /// What is put before /proc, /sys and /etc for everything that the board does not name; empty:
  /// the machine itself.
  public var root: SystemPath
  /// Whether empty paths are looked for again while recording: true for a board that was detected,
  /// false for one that the caller described.
  public var isDetected: Bool

  /// A board of your own; what is not given is not available.
  public init(
    boardName: String, cpuCoreCount: Int, gpuLoadPath: SystemPath = "",
    emcActmonPath: SystemPath = "", emcClkRatePath: SystemPath = "",
    powerRails: [PowerRailConfig] = [], thermalZones: [ThermalZoneConfig] = [],
    root: SystemPath = "", isDetected: Bool = false
  ) {
    self.boardName = boardName
    self.cpuCoreCount = cpuCoreCount
    self.gpuLoadPath = gpuLoadPath
    self.emcActmonPath = emcActmonPath
    self.emcClkRatePath = emcClkRatePath
    self.powerRails = powerRails
    self.thermalZones = thermalZones
    self.root = root
    self.isDetected = isDetected
  }

  /// The rails, by position in `powerRails`, whose sum is the power of the module, each watt counted
  /// once; empty where that is not known, because the board is not in the catalogue or lacks one of
  /// those rails.
  public var totalPowerRails: [Int] {
    BoardCatalog.totalRails(of: boardName, in: powerRails.lazy.map { $0.label })
  }

  /// - Throws: `.invalid` where the board does not fit into a trace.
  func validate() throws(FNVMError) {
    guard (1...Self.maxCPUCores).contains(cpuCoreCount) else {
      throw FNVMError(
        .invalid,
        joined(
          "a board has 1 to ", decimal(Self.maxCPUCores), " CPU cores, not ", decimal(cpuCoreCount))
      )
    }
    guard powerRails.count <= Self.maxPowerRails else {
      throw FNVMError(
        .invalid,
        joined(
          "a trace holds at most ", decimal(Self.maxPowerRails), " power rails, not ",
          decimal(powerRails.count))
      )
    }
    guard thermalZones.count <= Self.maxThermalZones else {
      throw FNVMError(
        .invalid,
        joined(
          "a trace holds at most ", decimal(Self.maxThermalZones), " thermal zones, not ",
          decimal(thermalZones.count)))
    }
    var paths = [gpuLoadPath, emcActmonPath, emcClkRatePath, root]
    for rail in powerRails { paths += [rail.voltagePath, rail.currentPath] }
    for zone in thermalZones { paths.append(zone.tempPath) }
    for path in paths where path.containsNUL {
      throw FNVMError(
        .invalid, path: path, joined("a path of the board contains a NUL byte: ", path.description))
    }
  }
}

/// A power rail: a label and the two files it is read from.
public struct PowerRailConfig: Equatable, Sendable {
  /// The name in the trace; at most 23 bytes are stored.
  public var label: String
  /// Millivolts.
  public var voltagePath: SystemPath
  /// Milliamperes, signed.
  public var currentPath: SystemPath

  /// A rail read from these two files.
  public init(label: String, voltagePath: SystemPath, currentPath: SystemPath) {
    self.label = label
    self.voltagePath = voltagePath
    self.currentPath = currentPath
  }
}

/// A thermal zone: a name and the file it is read from.
public struct ThermalZoneConfig: Equatable, Sendable {
  /// The name in the trace; at most 23 bytes are stored.
  public var name: String
  /// Millidegrees Celsius.
  public var tempPath: SystemPath

  /// A zone read from this file.
  public init(name: String, tempPath: SystemPath) {
    self.name = name
    self.tempPath = tempPath
  }
}
