import FastNVMetrics

/// Single devices of a fixture, as the kernel lays them out: a directory under /sys/devices, and a link to
/// it in /sys/class.
extension FixtureTree {
  /// The device tree, which /proc shows through a link.
  func writeCompatible(_ strings: [String]) throws {
    try write(
      "sys/firmware/devicetree/base/compatible", strings.map { $0 + "\0" }.joined())
    try link("proc/device-tree", to: "/sys/firmware/devicetree/base")
  }

  /// A /proc/stat in which nothing moves.
  func writeStat(cores: [Int]) throws {
    var text = "cpu  100 0 0 9000 0 0 0 0 0 0\n"
    for core in cores { text += "cpu\(core) 10 0 0 900 0 0 0 0 0 0\n" }
    try write("proc/stat", text + "intr 12345 0 0\nctxt 678\n")
  }

  func writeMemory(totalKB: UInt64, availableKB: UInt64) throws {
    try write(
      "proc/meminfo",
      "MemTotal:       \(totalKB) kB\nMemFree:         1000000 kB\nMemAvailable:   \(availableKB) kB\nBuffers:  0 kB\n"
    )
  }

  func writeDevfreq(
    _ name: String, device: String, ofNode: String, links: OrinFixture.Links
  ) throws {
    let entry = device + "/devfreq/" + name
    try write(entry + "/cur_freq", "306000000\n")
    try link(entry + "/device", to: links == .relative ? "../.." : "/" + device)
    try write("sys/firmware/devicetree/base/bus@0/\(name)/name", ofNode + "\0")
    try link(device + "/of_node", to: "/sys/firmware/devicetree/base/bus@0/" + name)
    try classLink("devfreq", name, to: entry, links: links)
  }

  func writeHwmon(
    _ number: Int, name: String, in device: String, links: OrinFixture.Links = .relative
  ) throws {
    let directory = device + "/hwmon/hwmon\(number)"
    try write(directory + "/name", name + "\n")
    try link(directory + "/device", to: links == .relative ? "../.." : "/" + device)
    try classLink("hwmon", "hwmon\(number)", to: directory, links: links)
  }

  func writeZone(
    _ number: Int, type: String, millidegrees: Int, links: OrinFixture.Links = .relative
  ) throws {
    let directory = "sys/devices/virtual/thermal/thermal_zone\(number)"
    try write(directory + "/type", type + "\n")
    try write(directory + "/temp", "\(millidegrees)\n")
    try classLink("thermal", "thermal_zone\(number)", to: directory, links: links)
  }

  private func classLink(
    _ kind: String, _ name: String, to directory: String, links: OrinFixture.Links
  ) throws {
    let outside = directory.dropFirst("sys/".count)
    try link(
      "sys/class/\(kind)/\(name)", to: links == .relative ? "../../\(outside)" : "/" + directory)
  }
}

/// An INA3221 power monitor on a fixture's I2C bus.
struct INA3221Fixture {
  var address: String
  var hwmon: Int
  var links = OrinFixture.Links.relative

  private var device: String { "sys/devices/platform/bus@0/c240000.i2c/i2c-1/\(address)" }

  /// The directory with `in1_input` and so on.
  var directory: String { device + "/hwmon/hwmon\(hwmon)" }

  /// The chip without rails; its sum channel is there.
  func build(on tree: FixtureTree) throws {
    try tree.writeHwmon(hwmon, name: "ina3221", in: device, links: links)
    try tree.link(
      "sys/bus/i2c/drivers/ina3221/\(address)",
      to: "../../../../devices/platform/bus@0/c240000.i2c/i2c-1/\(address)")
    try tree.write(directory + "/update_interval", "7\n")
    try tree.write(directory + "/samples", "1\n")
    try tree.write(directory + "/in7_input", "120\n")
    try tree.write(directory + "/in7_label", "sum of shunt voltages\n")
    try tree.write(directory + "/curr4_input", "4346\n")
    for channel in 4...6 { try tree.write(directory + "/in\(channel)_input", "3280\n") }
  }

  func writeChannel(
    _ channel: Int, label: String?, voltageMV: UInt32, currentMA: UInt32, enabled: Bool = true,
    on tree: FixtureTree
  ) throws {
    if let label { try tree.write(directory + "/in\(channel)_label", label + "\n") }
    try tree.write(directory + "/in\(channel)_input", "\(voltageMV)\n")
    try tree.write(directory + "/curr\(channel)_input", "\(currentMA)\n")
    try tree.write(directory + "/in\(channel)_enable", enabled ? "1\n" : "0\n")
    try tree.write(directory + "/shunt\(channel)_resistor", "2000\n")
  }
}
