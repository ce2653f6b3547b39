/// Finds the memory controller's activity and clock.
enum EMCNodes {
  /// Active EMC clocks in kHz: L4T 36 in debugfs, L4T 35 world-readable in sysfs.
  static var actmonPaths: [String] {
    ["/sys/kernel/debug/cactmon/mc_all", "/sys/kernel/actmon_avg_activity/mc_all"]
  }

  /// The EMC clock in Hz: BPMP's is live, the clock framework's can be a cached value.
  static var ratePaths: [String] {
    ["/sys/kernel/debug/bpmp/debug/clk/emc/rate", "/sys/kernel/debug/clk/emc/clk_rate"]
  }

  /// The first activity node that can be read; empty where there is none.
  static func findActmon(root: Root) -> SystemPath {
    for place in actmonPaths {
      if let node = root.resolve(place), TextFile.integer(node.path) != nil { return node.path }
    }
    return SystemPath()
  }

  /// The first clock node that says a rate above 0; empty where there is none.
  static func findRate(root: Root) -> SystemPath {
    for place in ratePaths {
      if let node = root.resolve(place), let rate = TextFile.integer(node.path), rate > 0 {
        return node.path
      }
    }
    return SystemPath()
  }
}
