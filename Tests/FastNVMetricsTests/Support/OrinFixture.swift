import FastNVMetrics
import Testing

/// A Jetson Orin as its kernel shows it, on a fixture tree.
///
/// hwmon and zone numbers are shuffled, and other drivers' devices stand between the board's own.
struct OrinFixture: Sendable, CustomTestStringConvertible {
  enum Module: String, CaseIterable, Sendable {
    case agx = "agx_orin"
    case nx = "orin_nx"
    case nano = "orin_nano"
  }

  enum Release: Int, CaseIterable, Sendable {
    case l4t35 = 35
    case l4t36 = 36
  }

  /// How the entries of /sys/class lead to their devices.
  enum Links: CaseIterable, Sendable {
    case relative
    case absolute
  }

  var module = Module.agx
  var release = Release.l4t36
  var links = Links.relative
  /// Strings of the device tree; nil: those of the module.
  var compatible: [String]?
  var cores = 0...11

  init(
    _ module: Module = .agx, _ release: Release = .l4t36, links: Links = .relative,
    compatible: [String]? = nil
  ) {
    self.module = module
    self.release = release
    self.links = links
    self.compatible = compatible
    cores = 0...(module == .agx ? 11 : module == .nx ? 7 : 5)
  }

  static var all: [OrinFixture] {
    Module.allCases.flatMap { module in
      Release.allCases.flatMap { release in
        Links.allCases.map { OrinFixture(module, release, links: $0) }
      }
    }
  }

  var testDescription: String { "\(module.rawValue) under L4T \(release.rawValue), \(links) links" }

  // MARK: - What a recording of it says

  var railNames: [String] {
    module == .agx
      ? ["VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0", "VDDQ_VDD2_1V8AO"]
      : ["VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC"]
  }

  var zoneNames: [String] {
    let shared = [
      "cpu-thermal", "gpu-thermal", "cv0-thermal", "cv1-thermal", "cv2-thermal", "soc0-thermal",
      "soc1-thermal", "soc2-thermal", "tj-thermal", "tboard-thermal",
    ]
    return module == .agx ? shared + ["tdiode-thermal"] : shared
  }

  /// Of the rail at this place in the trace.
  func voltageMV(_ rail: Int) -> UInt32 { [19_680, 19_672, 4_968, 1_808][rail] }
  func currentMA(_ rail: Int) -> UInt32 { [1_640, 800, 1_906, 320][rail] }
  /// Of the zone at this place in the trace.
  func temperatureC(_ zone: Int) -> Float { 42 + 0.5 * Float(zone) }

  static let gpuLoad: UInt16 = 437
  static let emcPercent: Float = 25
  static let totalKB: UInt64 = 32_000_000
  static let availableKB: UInt64 = 20_000_000

  // MARK: - Where its nodes are

  var gpuDirectory: String {
    release == .l4t36
      ? "sys/devices/platform/bus@0/17000000.gpu" : "sys/devices/platform/17000000.ga10b"
  }
  var actmonPath: String {
    release == .l4t36
      ? "sys/kernel/debug/cactmon/mc_all" : "sys/kernel/actmon_avg_activity/mc_all"
  }
  var emcRatePath: String { "sys/kernel/debug/bpmp/debug/clk/emc/rate" }
  /// The chip of the first three rails.
  var firstChip: INA3221Fixture {
    INA3221Fixture(address: "1-0040", hwmon: 5, links: links)
  }
  var secondChip: INA3221Fixture {
    INA3221Fixture(address: "1-0041", hwmon: 2, links: links)
  }

  // MARK: - Writing it

  func build(on tree: FixtureTree) throws {
    try tree.writeCompatible(compatible ?? Self.compatible(of: module))
    try tree.write(
      "etc/nv_tegra_release", "# R\(release.rawValue) (release), REVISION: 4.3, GCID: 38968081\n")
    try tree.write("sys/devices/system/cpu/possible", "\(cores.lowerBound)-\(cores.upperBound)\n")
    try tree.writeStat(cores: Array(cores))
    try tree.writeMemory(totalKB: Self.totalKB, availableKB: Self.availableKB)
    try buildGPU(on: tree)
    try tree.write(actmonPath, "799750\n")
    try tree.write(emcRatePath, "3199000000\n")
    try buildRails(on: tree)
    try buildZones(on: tree)
  }

  func buildGPU(on tree: FixtureTree) throws {
    try tree.write(gpuDirectory + "/load", "\(Self.gpuLoad)\n")
    try tree.write(gpuDirectory + "/power/runtime_status", "active\n")
    let engine = "sys/devices/platform/bus@0/13e00000.host1x/154c0000.nvenc"
    try tree.writeDevfreq("154c0000.nvenc", device: engine, ofNode: "nvenc", links: links)
    if release == .l4t36 {
      try tree.writeDevfreq("17000000.gpu", device: gpuDirectory, ofNode: "gpu", links: links)
    }
  }

  private func buildRails(on tree: FixtureTree) throws {
    try tree.writeHwmon(0, name: "pwmfan", in: "sys/devices/platform/pwm-fan", links: links)
    try tree.writeHwmon(1, name: "nvme", in: "sys/devices/pci0004:00/nvme/nvme0", links: links)
    try firstChip.build(on: tree)
    for rail in 0..<3 {
      try firstChip.writeChannel(
        rail + 1, label: railNames[rail], voltageMV: voltageMV(rail), currentMA: currentMA(rail),
        on: tree)
    }
    guard module == .agx else { return }
    try secondChip.build(on: tree)
    try secondChip.writeChannel(
      2, label: railNames[3], voltageMV: voltageMV(3), currentMA: currentMA(3), on: tree)
    for channel in [1, 3] {
      if release == .l4t35 {
        try secondChip.writeChannel(channel, label: "NC", voltageMV: 8, currentMA: 4, on: tree)
      } else {
        try secondChip.writeChannel(
          channel, label: nil, voltageMV: 8, currentMA: 4, enabled: false, on: tree)
      }
    }
  }

  private func buildZones(on tree: FixtureTree) throws {
    // The last of the catalogue first, with a foreign zone after every third.
    var number = 0
    for (place, name) in zoneNames.enumerated().reversed() {
      let type = release == .l4t36 ? name : Self.namesOfL4T35[name] ?? name
      try tree.writeZone(number, type: type, millidegrees: 42_000 + 500 * place, links: links)
      number += 1
      if number % 4 == 3 {
        let foreign = number == 3 ? "nvme" : "iwlwifi_1"
        try tree.writeZone(number, type: foreign, millidegrees: 99_000, links: links)
        number += 1
      }
    }
  }

  static func compatible(of module: Module) -> [String] {
    switch module {
    case .agx: return ["nvidia,p3737-0000+p3701-0005", "nvidia,p3701-0005", "nvidia,tegra234"]
    case .nx: return ["nvidia,p3768-0000+p3767-0000", "nvidia,p3767-0000", "nvidia,tegra234"]
    case .nano: return ["nvidia,p3768-0000+p3767-0005", "nvidia,p3767-0005", "nvidia,tegra234"]
    }
  }

  private static let namesOfL4T35 = [
    "cpu-thermal": "CPU-therm", "gpu-thermal": "GPU-therm", "cv0-thermal": "CV0-therm",
    "cv1-thermal": "CV1-therm", "cv2-thermal": "CV2-therm", "soc0-thermal": "SOC0-therm",
    "soc1-thermal": "SOC1-therm", "soc2-thermal": "SOC2-therm", "tj-thermal": "tj-therm",
    "tboard-thermal": "Tboard_tegra", "tdiode-thermal": "Tdiode_tegra",
  ]
}
