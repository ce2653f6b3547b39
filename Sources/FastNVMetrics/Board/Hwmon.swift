/// A power sensor of the kernel's hwmon class, and the rails on it.
struct HwmonChip {
  /// The chip's name on its bus, such as "1-0040"; its hwmon name where it is on none.
  let address: [UInt8]
  /// The hwmon name, such as "ina3221".
  let name: [UInt8]
  /// The directory with `in1_input` and so on, every link followed.
  let directory: SystemPath

  /// The power sensors of the machine, by address. hwmon numbers differ between boots and mean
  /// nothing.
  static func all(root: Root) -> [HwmonChip] {
    var chips: [HwmonChip] = []
    var candidates = Directory.names(in: root.path("/sys/class/hwmon")).map {
      SystemPath("/sys/class/hwmon").appending(bytes: $0)
    }
    // The class can be missing in a mounted tree; the driver's own directory leads there as well.
    let driver = SystemPath("/sys/bus/i2c/drivers/ina3221")
    for device in Directory.names(in: root.path(driver)) where device.contains(UInt8(ascii: "-")) {
      guard let hwmon = root.resolve(driver.appending(bytes: device).appending("hwmon")) else {
        continue
      }
      candidates += Directory.names(in: hwmon.path).map { hwmon.inRoot.appending(bytes: $0) }
    }
    for candidate in candidates {
      guard let chip = HwmonChip(candidate, root: root),
        !chips.contains(where: { $0.directory == chip.directory })
      else { continue }
      chips.append(chip)
    }
    chips.sort { $0.address.lexicographicallyPrecedes($1.address) }
    return chips
  }

  private init?(_ candidate: SystemPath, root: Root) {
    guard let resolved = root.resolve(candidate) else { return nil }
    // Some older drivers put the attributes beside the device instead of into its hwmon directory.
    var directory = resolved.path
    var name = TextFile.line(directory.appending("name"))
    let device = root.resolve(resolved.inRoot.appending("device"))
    if name == nil, let device {
      directory = device.path
      name = TextFile.line(directory.appending("name"))
    }
    guard let name, !name.isEmpty else { return nil }
    self.name = name
    self.directory = directory
    self.address = Self.busAddress(device: device, directory: resolved.inRoot) ?? name
  }

  /// "1-0040" from the device link, or from the path …/1-0040/hwmon/hwmon3 where the link is
  /// missing.
  private static func busAddress(device: Root.Resolved?, directory: SystemPath) -> [UInt8]? {
    if let device { return device.inRoot.lastComponent }
    let grandparent = directory.parent.parent.lastComponent
    return isBusAddress(grandparent) ? grandparent : nil
  }

  /// Whether a name is that of a device on an I2C bus: digits, a minus, four hexadecimal digits.
  static func isBusAddress(_ name: [UInt8]) -> Bool {
    guard let minus = name.firstIndex(of: UInt8(ascii: "-")), minus > 0, name.count == minus + 5
    else { return false }
    let isDecimal = name[..<minus].allSatisfy { $0 >= 0x30 && $0 <= 0x39 }
    return isDecimal
      && name[(minus + 1)...].allSatisfy {
        ($0 >= 0x30 && $0 <= 0x39) || ($0 >= 0x61 && $0 <= 0x66)
      }
  }

  /// The innermost device on an I2C bus that a path leads through; nil where there is none.
  static func busAddress(in path: SystemPath) -> [UInt8]? {
    path.bytes.split(separator: slash).map { Array($0) }.last(where: isBusAddress)
  }

  var isINA3221: Bool { name == Array("ina3221".utf8) }

  /// The rails of the chip: channels that have a voltage and a current, are enabled and connected.
  ///
  /// - Parameter requireLabel: an INA3221 channel without a label is not wired to a rail; on other
  ///   chips labels are rare, and the chip's name and channel stand in.
  func rails(requireLabel: Bool) -> [PowerRailConfig] {
    var rails: [PowerRailConfig] = []
    for channel in channels {
      let voltage = directory.appending(joined("in", decimal(channel), "_input"))
      let current = directory.appending(joined("curr", decimal(channel), "_input"))
      if TextFile.integer(directory.appending(joined("in", decimal(channel), "_enable"))) == 0 {
        continue
      }
      guard Self.isReadable(voltage), Self.isReadable(current) else { continue }
      guard let label = label(channel, required: requireLabel) else { continue }
      rails.append(PowerRailConfig(label: label, voltagePath: voltage, currentPath: current))
    }
    return rails
  }

  /// The rails that are there and that this process may not read.
  func forbiddenRails() -> [PowerRailConfig] {
    var rails: [PowerRailConfig] = []
    for channel in channels {
      let voltage = directory.appending(joined("in", decimal(channel), "_input"))
      let current = directory.appending(joined("curr", decimal(channel), "_input"))
      let errors = [NodeAccess.check(voltage), NodeAccess.check(current)]
      guard errors.contains(ErrorNumber.accessDenied), !errors.contains(ErrorNumber.noEntry),
        let label = label(channel, required: isINA3221)
      else { continue }
      rails.append(PowerRailConfig(label: label, voltagePath: voltage, currentPath: current))
    }
    return rails
  }

  /// in4 and up of an INA3221 are shunt voltages and their sum, not rails.
  private var channels: ClosedRange<Int> { 1...(isINA3221 ? 3 : 16) }

  private func label(_ channel: Int, required: Bool) -> String? {
    let found =
      TextFile.line(directory.appending(joined("in", decimal(channel), "_label")))
      ?? TextFile.line(directory.appending(joined("curr", decimal(channel), "_label")))
    if let found, !found.isEmpty {
      if found == Array("NC".utf8) || found == Array("sum of shunt voltages".utf8) { return nil }
      return String(decoding: found, as: UTF8.self)
    }
    return required ? nil : joined(String(decoding: name, as: UTF8.self), "_", decimal(channel))
  }

  /// A rail whose bus is busy at this moment is one all the same: only what is absent, forbidden or
  /// disabled (ENODATA) is left out.
  private static func isReadable(_ path: SystemPath) -> Bool {
    switch TextFile.readability(path) {
    case 0, ErrorNumber.again, ErrorNumber.io, ErrorNumber.remoteIO, ErrorNumber.timedOut:
      return true
    default: return false
    }
  }
}
