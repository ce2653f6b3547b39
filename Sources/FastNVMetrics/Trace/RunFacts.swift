/// What the machine says about itself.
struct MachineFacts {
  private let compatible: [[UInt8]]
  private let model: [UInt8]?
  private let l4tRelease: [UInt8]?
  private let kernelRelease: [UInt8]?
  private let powerMode: [UInt8]?

  init(root: Root) {
    func line(_ path: String) -> [UInt8]? {
      guard let place = root.resolve(path), let line = TextFile.line(place.path) else { return nil }
      return line.isEmpty ? nil : line
    }
    compatible = DeviceTree(root: root).compatible
    model = line("/proc/device-tree/model") ?? line("/sys/firmware/devicetree/base/model")
    l4tRelease = line("/etc/nv_tegra_release")
    kernelRelease = line("/proc/sys/kernel/osrelease")
    // What nvpmodel last set: "pmode:0002".
    powerMode = line("/var/lib/nvpmodel/status")
  }

  func write(to json: inout JSONWriter) {
    json.array("compatible") { json in
      for string in compatible { json.text(nil, bytes: string) }
    }
    json.text("model", bytes: model)
    json.text("l4t_release", bytes: l4tRelease)
    json.text("kernel_release", bytes: kernelRelease)
    json.text("power_mode", bytes: powerMode)
  }
}

/// A power rail and where it comes from.
struct RailFacts {
  private let rail: PowerRailConfig
  /// The directory of the sensor's nodes, its links followed where it lies under the root.
  let directory: SystemPath
  /// The sensor's address on its bus.
  let chip: [UInt8]?
  private let channel: Int64?
  private let shuntMicroOhm: Int64?
  /// nil where it is not known which rails add up to the module's power.
  private let isInTotal: Bool?

  static func all(of board: BoardConfig, root: Root) -> [RailFacts] {
    let total = board.totalPowerRails
    return board.powerRails.enumerated().map { index, rail in
      RailFacts(rail, root: root, isInTotal: total.isEmpty ? nil : total.contains(index))
    }
  }

  private init(_ rail: PowerRailConfig, root: Root, isInTotal: Bool?) {
    self.rail = rail
    self.isInTotal = isInTotal
    let parent = rail.currentPath.isEmpty ? SystemPath() : rail.currentPath.parent
    let resolved = root.inside(parent).flatMap { root.resolve($0) }
    directory = resolved?.path ?? parent
    chip = HwmonChip.busAddress(in: resolved?.inRoot ?? parent)
    channel = Self.channel(rail.currentPath.lastComponent)
    shuntMicroOhm = channel.flatMap { [directory] in
      TextFile.integer(directory.appending("shunt\($0)_resistor"))
    }
  }

  /// 2 for "curr2_input".
  private static func channel(_ name: [UInt8]) -> Int64? {
    name.withUnsafeBytes { buffer in
      guard let base = buffer.baseAddress else { return nil }
      var scanner = ByteScanner(base, count: buffer.count)
      return scanner.consume("curr") && scanner.isAtDigit ? scanner.integer() : nil
    }
  }

  func write(to json: inout JSONWriter) {
    json.object { json in
      json.text("label", rail.label)
      json.path("voltage_path", rail.voltagePath)
      json.path("current_path", rail.currentPath)
      json.text("chip", bytes: chip)
      json.number("channel", channel)
      json.number("shunt_uohm", shuntMicroOhm)
      json.flag("in_total", isInTotal)
    }
  }
}

/// A power sensor with the settings that it has for the recording.
struct SensorFacts {
  private let directory: SystemPath
  private let chip: [UInt8]?
  private let refresh: SensorRefresh

  /// Those that rails are read from, each once.
  static func all(of rails: [RailFacts]) -> [SensorFacts] {
    var sensors: [SensorFacts] = []
    for rail in rails where !rail.directory.isEmpty {
      if sensors.contains(where: { $0.directory == rail.directory }) { continue }
      sensors.append(
        SensorFacts(
          directory: rail.directory, chip: rail.chip,
          refresh: SensorRefresh(besides: rail.directory.appending("in1_input"))))
    }
    return sensors
  }

  func write(to json: inout JSONWriter) {
    json.object { json in
      json.text("chip", bytes: chip)
      json.path("path", directory)
      json.number("update_interval_ms", refresh.milliseconds)
      json.number("samples", refresh.samples)
    }
  }
}

/// The clocks of the board at one moment.
struct RunClocks {
  private var policies: [Policy] = []
  private let gpuHz: Int64?
  private let emcHz: Int64?

  private struct Policy {
    let name: [UInt8]
    let cpus: [UInt8]?
    let kHz: Int64?
  }

  init(board: BoardConfig, root: Root) {
    let cpufreq = SystemPath("/sys/devices/system/cpu/cpufreq")
    for name in Directory.names(in: root.path(cpufreq))
    where name.starts(with: Array("policy".utf8)) {
      let policy = root.path(cpufreq.appending(bytes: name))
      policies.append(
        Policy(
          name: name, cpus: TextFile.line(policy.appending("related_cpus")),
          // cpuinfo_cur_freq would stall the core for half a millisecond.
          kHz: TextFile.integer(policy.appending("scaling_cur_freq"))))
    }
    gpuHz = Self.gpuClock(besides: board.gpuLoadPath)
    emcHz = board.emcClkRatePath.isEmpty ? nil : TextFile.integer(board.emcClkRatePath)
  }

  /// The devfreq entry is below the device that `load` belongs to.
  private static func gpuClock(besides load: SystemPath) -> Int64? {
    if load.isEmpty { return nil }
    let devfreq = load.parent.appending("devfreq")
    guard let entry = Directory.names(in: devfreq).first else { return nil }
    return TextFile.integer(devfreq.appending(bytes: entry).appending("cur_freq"))
  }

  func write(_ name: StaticString, to json: inout JSONWriter) {
    json.object(name) { json in
      json.array("cpu") { json in
        for policy in policies {
          json.object { json in
            json.text("policy", bytes: policy.name)
            json.text("cpus", bytes: policy.cpus)
            json.number("khz", policy.kHz)
          }
        }
      }
      json.number("gpu_hz", gpuHz)
      json.number("emc_hz", emcHz)
    }
  }
}
