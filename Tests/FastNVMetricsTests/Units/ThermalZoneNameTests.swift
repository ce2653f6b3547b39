import Testing

@testable import FastNVMetrics

/// Types of thermal zones under different releases.
@Suite struct ThermalZoneNameTests {
  private func isSame(_ a: String, _ b: String) -> Bool {
    ThermalZones.isSame(Array(a.utf8), Array(b.utf8))
  }

  @Test(arguments: [
    ("CPU-therm", "cpu-thermal"), ("Tboard_tegra", "tboard-thermal"),
    ("TDIODE_TEGRA", "tdiode-thermal"),
    ("cpu-thermal", "cpu-thermal"), ("SOC0-therm", "soc0-thermal"),
  ])
  func spellingsOfOneSensorAreTheSame(a: String, b: String) {
    #expect(isSame(a, b))
    #expect(isSame(b, a))
  }

  @Test(arguments: [
    ("cpu-thermal", "gpu-thermal"), ("cv0-thermal", "cv1-thermal"), ("soc-thermal", "soc0-thermal"),
    ("cpu-thermal-x", "cpu-thermal"), ("xcpu-thermal", "cpu-thermal"), ("", "cpu-thermal"),
    ("-thermal", "cpu-thermal"), ("cpu_thermal", "cpu-thermal"), ("nvme", "tj-thermal"),
    ("tj", "tj-thermal"), ("cpu", "cpu-thermal"),
  ])
  func otherSensorsAreNot(a: String, b: String) {
    #expect(!isSame(a, b))
    #expect(!isSame(b, a))
  }
}
