/// The clocks of the board at one moment and what holds them where they are, as JSON.
struct RunClocks {
  /// An object.
  let json: [UInt8]

  init(board: BoardConfig, root: Root) {
    var json = JSONWriter()
    var limits = Limits()
    json.object { json in
      json.array("cpu") { json in
        let cpufreq = SystemPath("/sys/devices/system/cpu/cpufreq")
        for name in Directory.names(in: root.path(cpufreq))
        where name.starts(with: Array("policy".utf8)) {
          let policy = root.path(cpufreq.appending(bytes: name))
          json.object { json in
            json.text("policy", bytes: name)
            json.text("cpus", bytes: TextFile.line(policy.appending("related_cpus")))
            // cpuinfo_cur_freq would stall the core for half a millisecond.
            json.number("khz", TextFile.integer(policy.appending("scaling_cur_freq")))
            let range = limits.read(
              policy.appending("scaling_min_freq"), policy.appending("scaling_max_freq"))
            json.number("min_khz", range.minimum)
            json.number("max_khz", range.maximum)
            json.text("governor", bytes: TextFile.line(policy.appending("scaling_governor")))
          }
        }
      }
      let devfreq = Self.devfreq(besides: board.gpuLoadPath)
      // Nothing is at an empty path.
      func gpu(_ name: String) -> SystemPath { devfreq?.appending(name) ?? SystemPath() }
      json.number("gpu_hz", TextFile.integer(gpu("cur_freq")))
      let range = limits.read(gpu("min_freq"), gpu("max_freq"))
      json.number("gpu_min_hz", range.minimum)
      json.number("gpu_max_hz", range.maximum)
      json.text("gpu_governor", bytes: TextFile.line(gpu("governor")))
      json.number("emc_hz", TextFile.integer(board.emcClkRatePath))
      json.flag("locked", limits.areLocked)
    }
    self.json = json.bytes
  }

  /// Reads limits of clocks, and keeps in mind whether all that could be read leave none.
  private struct Limits {
    private(set) var areLocked: Bool?

    mutating func read(
      _ minimum: SystemPath, _ maximum: SystemPath
    ) -> (minimum: Int64?, maximum: Int64?) {
      let range = (minimum: TextFile.integer(minimum), maximum: TextFile.integer(maximum))
      if let minimum = range.minimum, let maximum = range.maximum {
        areLocked = minimum == maximum && areLocked != false
      }
      return range
    }
  }

  /// The devfreq entry is below the device that `load` belongs to.
  private static func devfreq(besides load: SystemPath) -> SystemPath? {
    if load.isEmpty { return nil }
    let devfreq = load.parent.appending("devfreq")
    return Directory.names(in: devfreq).first.map { devfreq.appending(bytes: $0) }
  }
}
