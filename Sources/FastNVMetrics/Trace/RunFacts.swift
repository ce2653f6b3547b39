/// What the machine, the board and its sensors say about themselves, for `RunMetadata`.
enum RunFacts {
  /// What the machine says.
  static func write(machine root: Root, to json: inout JSONWriter) {
    func line(_ path: String) -> [UInt8]? {
      guard let place = root.resolve(path), let line = TextFile.line(place.path) else { return nil }
      return line.isEmpty ? nil : line
    }
    func deviceTree(_ name: String) -> [UInt8]? {
      line("/proc/device-tree/" + name) ?? line("/sys/firmware/devicetree/base/" + name)
    }
    json.text("host", bytes: line("/proc/sys/kernel/hostname"))
    json.array("compatible") { json in
      for string in DeviceTree(root: root).compatible { json.text(nil, bytes: string) }
    }
    json.text("model", bytes: deviceTree("model"))
    json.text("serial", bytes: deviceTree("serial-number"))
    json.text("l4t_release", bytes: line("/etc/nv_tegra_release"))
    json.text("kernel_release", bytes: line("/proc/sys/kernel/osrelease"))
    // What nvpmodel last set: "pmode:0002".
    let powerMode = line("/var/lib/nvpmodel/status")
    json.text("power_mode", bytes: powerMode)
    json.text(
      "power_mode_name", bytes: powerMode.flatMap { PowerModes.name(of: $0, root: root) })
  }

  /// The rails and where they come from, then the sensors with the settings that they have for the recording,
  /// each once.
  static func write(railsOf board: BoardConfig, root: Root, to json: inout JSONWriter) {
    let total = board.totalPowerRails
    var sensors: [(directory: SystemPath, chip: [UInt8]?)] = []
    json.array("rails") { json in
      for (index, rail) in board.powerRails.enumerated() {
        let parent = rail.currentPath.isEmpty ? SystemPath() : rail.currentPath.parent
        // Links are followed where it lies under the root.
        let resolved = root.inside(parent).flatMap { root.resolve($0) }
        let directory = resolved?.path ?? parent
        let chip = HwmonChip.busAddress(in: resolved?.inRoot ?? parent)
        let channel = channel(rail.currentPath.lastComponent)
        json.object { json in
          json.text("label", rail.label)
          json.path("voltage_path", rail.voltagePath)
          json.path("current_path", rail.currentPath)
          json.text("chip", bytes: chip)
          json.number("channel", channel)
          json.number(
            "shunt_uohm",
            channel.flatMap {
              TextFile.integer(directory.appending(joined("shunt", decimal($0), "_resistor")))
            })
          // Null where it is not known which rails add up to the module's power.
          json.flag("in_total", total.isEmpty ? nil : total.contains(index))
        }
        if !directory.isEmpty && !sensors.contains(where: { $0.directory == directory }) {
          sensors.append((directory, chip))
        }
      }
    }
    json.array("sensors") { json in
      for sensor in sensors {
        let refresh = SensorRefresh(besides: sensor.directory.appending("in1_input"))
        json.object { json in
          json.text("chip", bytes: sensor.chip)
          json.path("path", sensor.directory)
          json.number("update_interval_ms", refresh.milliseconds)
          json.number("samples", refresh.samples)
        }
      }
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
}
