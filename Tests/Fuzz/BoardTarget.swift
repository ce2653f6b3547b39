internal import Glibc

/// The files that are read when a board is detected, examined and set up.
///
/// The input: a byte that says what is done, then pieces, each the content of the file that its first byte
/// selects.
enum BoardTarget: FuzzTarget {
  static var name: String { "board" }
  static var longestInput: Int { 1024 }

  private static let chip = "sys/devices/i2c-1/1-0040/hwmon/hwmon3/"
  private static let gpu = "sys/devices/platform/bus@0/17000000.gpu/"
  private static let policy = "sys/devices/system/cpu/cpufreq/policy0/"
  private static let zones = "sys/class/thermal/thermal_zone"
  private static let names = [
    "proc/device-tree/compatible", "etc/nv_tegra_release", "sys/devices/system/cpu/possible",
    "sys/devices/system/cpu/present", "proc/stat", "proc/meminfo",
    chip + "name", chip + "update_interval", chip + "samples",
    chip + "in1_label", chip + "in1_enable", chip + "in1_input", chip + "curr1_input",
    chip + "in2_label", chip + "curr2_label", chip + "in2_input", chip + "curr2_input",
    gpu + "load", gpu + "power/runtime_status", gpu + "of_node/name",
    "sys/kernel/debug/cactmon/mc_all", "sys/kernel/debug/bpmp/debug/clk/emc/rate",
    zones + "0/type", zones + "0/temp", zones + "1/type", zones + "1/temp",
    "proc/device-tree/model", "proc/sys/kernel/osrelease", "var/lib/nvpmodel/status",
    chip + "shunt1_resistor", policy + "related_cpus", policy + "scaling_cur_freq",
    gpu + "devfreq/17000000.gpu/cur_freq",
  ]
  private static func place(of name: String) -> UInt8 { UInt8(names.firstIndex(of: name) ?? 0) }

  private static let root: String = {
    for name in names {
      FuzzDirectory.make("board/" + name.split(separator: "/").dropLast().joined(separator: "/"))
    }
    let root = FuzzDirectory.path + "/board"
    for (link, target) in [
      ("sys/class/hwmon", ""), ("sys/class/hwmon/hwmon3", "/" + chip),
      (chip + "device", "../../../1-0040"), ("sys/class/devfreq", ""),
      ("sys/class/devfreq/17000000.gpu", ""),
      ("sys/class/devfreq/17000000.gpu/device", "../../../../" + gpu),
    ] {
      if target.isEmpty {
        FuzzDirectory.make("board/" + link)
      } else {
        symlink(target, root + "/" + link)
      }
    }
    return root
  }()
  nonisolated(unsafe) private static var written: Set<Int> = []

  static func run(_ input: FuzzInput) {
    FakeKernel.hasFailures = true
    for i in written { unlink(root + "/" + names[i]) }
    written = []
    var input = input
    let what = input.byte()
    for piece in input.pieces {
      let i = Int(piece.selector) % names.count
      written.insert(i)
      FuzzFile.place(piece.content, at: root + "/" + names[i])
    }

    let path = SystemPath(root)
    let cores = (count: CPUList.possibleCount(root: Root(path)), end: CPUList.end(root: Root(path)))
    check(1 <= cores.count && cores.count <= cores.end, "there are CPUs: \(cores)")
    switch what % 3 {
    case 0: checkSetUp(BoardDetector.generic(root: Root(path)))
    case 1: detect(path)
    default: examine(path)
    }
  }

  private static func detect(_ path: SystemPath) {
    do throws(FNVMError) {
      checkSetUp(try BoardConfig.detect(root: path))
    } catch {
      check(error.code == .noBoard, "a machine is a board that is known or none: \(error.message)")
    }
  }

  private static func examine(_ path: SystemPath) {
    do throws(FNVMError) {
      let reports = try Doctor.examine(root: path)
      check(reports.first?.kind == .board, "the doctor begins with the board")
      for report in reports {
        check(
          (report.state == .failing || report.state == .forbidden) <= (report.errno != 0),
          "\(report.name) says why it cannot be read")
        check(report.refreshMilliseconds >= 0, "sensors measure forwards in time")
      }
    } catch {
      check(false, "the doctor examines any machine: \(error.message)")
    }
  }

  private static func checkSetUp(_ board: BoardConfig) {
    do throws(FNVMError) {
      try board.validate()
    } catch {
      check(false, "a board that was found can be recorded: \(error.message)")
    }
    check(board.totalPowerRails.allSatisfy(board.powerRails.indices.contains), "totals are rails")
    let metadata = RunMetadata(board: board, configuration: EngineConfiguration(), isStart: true)
      .chunk(Annotations())
    check(JSONText.isValid(metadata.payload), "facts of the run are JSON in UTF-8")
    for rate in [1, 1000, UInt32.max] {
      _ = SensorRefresh.notice(for: board, hz: rate)
    }
    var header = TraceHeader()
    header.boardName = board.boardName
    header.cpuCoreCount = board.cpuCoreCount
    header.powerRailNames = board.powerRails.map(\.label)
    header.thermalZoneNames = board.thermalZones.map(\.name)
    let read = header.encoded().withUnsafeBytes { TraceHeader(decoding: $0) }
    check(read?.cpuCoreCount == board.cpuCoreCount, "the header has the board's cores")
    for (a, b) in zip(read?.powerRailNames ?? [], header.powerRailNames) { checkName(a, b) }
    for (a, b) in zip(read?.thermalZoneNames ?? [], header.thermalZoneNames) { checkName(a, b) }
    check(read?.powerRailNames.count == board.powerRails.count, "it has its rails")
    check(read?.thermalZoneNames.count == board.thermalZones.count, "it has its zones")
  }

  private static func checkName(_ stored: String, _ name: String) {
    check(name.utf8.starts(with: stored.utf8), "\(stored) is the beginning of \(name)")
    check(stored.utf8.count > 19 || stored == name, "\(name) is cut only where it is too long")
  }

  static var seeds: [[UInt8]] {
    let orin = [
      (names[0], "nvidia,p3737-0000+p3701-0005\0nvidia,p3701-0005\0nvidia,tegra234\0"),
      (names[1], "# R36 (release), REVISION: 4.3, GCID: 38968081\n"), (names[2], "0-11\n"),
      (names[5], "MemTotal: 32 kB\nMemFree: 1 kB\nMemAvailable: 20 kB\n"),
      (chip + "name", "ina3221\n"), (chip + "update_interval", "36\n"), (chip + "samples", "16\n"),
      (chip + "in1_label", "VDD_GPU_SOC\n"), (chip + "in1_input", "19680\n"),
      (chip + "curr1_input", "1640\n"), (chip + "in2_label", "VDD_CPU_CV\n"),
      (chip + "in2_input", "19672\n"), (chip + "curr2_input", "800\n"),
      (gpu + "load", "437\n"), (gpu + "power/runtime_status", "active\n"),
      (gpu + "of_node/name", "gpu\0"), (names[20], "799750\n"), (names[21], "3199000000\n"),
      (zones + "0/type", "cpu-thermal\n"), (zones + "0/temp", "42000\n"),
      (zones + "1/type", "Tboard_tegra\n"), (zones + "1/temp", "-256000\n"),
      ("proc/device-tree/model", "NVIDIA \"Jetson\" \\ \t\u{1}\u{7F}Orin\0"),
      ("proc/sys/kernel/osrelease", "5.15.148-tegra\n"),
      ("var/lib/nvpmodel/status", "pmode:0002\n"), (chip + "shunt1_resistor", "2000\n"),
      (policy + "related_cpus", "0 1 2 3\n"), (policy + "scaling_cur_freq", "2201600\n"),
      (gpu + "devfreq/17000000.gpu/cur_freq", "1300500000\n"),
    ]
    let other = [
      (names[0], "nvidia,p3971-0050+p3834-0008\0nvidia,tegra264\0"), (names[3], "0,2-3\n"),
      (names[4], "cpu 1\ncpu3 1 2 3 4\n"), (chip + "name", "ina226\n"), (chip + "in1_input", "!6"),
      (chip + "in1_enable", "0\n"), (chip + "curr1_input", "!11"), (chip + "in2_input", "1\n"),
      (chip + "curr2_input", "2\n"), (chip + "curr2_label", "sum of shunt voltages\n"),
      (zones + "0/type", "\n"), (zones + "0/temp", "!61"), (names[20], "!5"), (names[21], "0\n"),
    ]
    // A sensor that says that it is slower than the age of the universe.
    let slow = orin.map { $0.0 == chip + "update_interval" ? ($0.0, "9223372036854775807\n") : $0 }
    return [orin, other, slow].flatMap { machine in
      let pieces = FuzzInput.joined(machine.map { (place(of: $0), $1) })
      return (0..<3).map { [UInt8($0)] + pieces }
    }
  }
}

/// Implication.
private func <= (a: Bool, b: Bool) -> Bool { !a || b }
