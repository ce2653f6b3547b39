/// Finds thermal zones by type; their numbers follow registration order and mean nothing.
enum ThermalZones {
  struct Zone {
    let type: [UInt8]
    let tempPath: SystemPath
  }

  /// The zones whose temperature this process may read, by number. A zone that is powered down now
  /// (EAGAIN, ENODATA) is one of them.
  ///
  /// - Parameter readableOnly: false adds those that this process may not read.
  static func all(root: Root, readableOnly: Bool = true) -> [Zone] {
    var zones: [Zone] = []
    for entry in Directory.names(in: root.path("/sys/class/thermal")) {
      guard entry.starts(with: Array("thermal_zone".utf8)),
        let zone = root.resolve(SystemPath("/sys/class/thermal").appending(bytes: entry)),
        let type = TextFile.line(zone.path.appending("type"))
      else { continue }
      let temp = zone.path.appending("temp")
      if !readableOnly || NodeAccess.check(temp) == 0 {
        zones.append(Zone(type: type, tempPath: temp))
      }
    }
    return zones
  }

  /// Whether two types name the same sensor: L4T 35 writes `CPU-therm` and `Tboard_tegra` for what
  /// L4T 36 calls `cpu-thermal` and `tboard-thermal`.
  static func isSame(_ a: [UInt8], _ b: [UInt8]) -> Bool {
    guard let sensorA = sensor(a), let sensorB = sensor(b) else { return a == b }
    return sensorA == sensorB
  }

  /// The type without its ending, in small letters; nil where it has none of the endings of NVIDIA's zones:
  /// a zone called `cpu` is another driver's.
  private static func sensor(_ type: [UInt8]) -> [UInt8]? {
    let lower = type.map { $0 >= 0x41 && $0 <= 0x5A ? $0 + 0x20 : $0 }
    for ending in ["-thermal", "-therm", "_tegra"] {
      let bytes = Array(ending.utf8)
      if lower.count > bytes.count, lower.suffix(bytes.count).elementsEqual(bytes) {
        return Array(lower.dropLast(bytes.count))
      }
    }
    return nil
  }
}
