/// Texts in the place of /proc/stat, read one after the other.
enum StatTarget: FuzzTarget {
  static var name: String { "stat" }
  static var longestInput: Int { 3072 }

  private static let cpuCount = 12
  private static let file: FuzzFile = {
    FuzzDirectory.make("stat/proc")
    return FuzzFile(FuzzDirectory.path + "/stat/proc/stat")
  }()

  static func run(_ input: FuzzInput) {
    FakeKernel.hasFailures = true
    let texts = input.rest.split(
      separator: FuzzInput.separator, maxSplits: 8, omittingEmptySubsequences: false
    ).map { Array($0) }
    file.set(texts[0])
    let root = Root(SystemPath(FuzzDirectory.path + "/stat"))
    let keeper = NodeKeeper()
    var stat = ProcStat(root: root, cpuCount: cpuCount, keeper: keeper)
    var node = NodeModel(texts[0])
    var expected = [Times](repeating: Times(), count: cpuCount)
    for text in texts {
      file.set(text)
      node.content = text
      let (bytes, errno) = node.read(256 * (cpuCount + 2))
      check(stat.read() == (errno == 0), "a text is read, a failure is none")
      if errno == 0 { parse(bytes, into: &expected) }
      for cpu in 0..<cpuCount {
        let times = stat.cpus[cpu]
        check(0 <= times.idle && times.idle <= times.total, "idle time is part of the total")
        check(times.total <= 8 << 50, "sums do not overflow")
        check(
          Times(idle: times.idle, total: times.total, isOnline: times.isOnline) == expected[cpu],
          "cpu\(cpu) is \(expected[cpu]), not \(times)")
      }
    }
    withExtendedLifetime(keeper) {}
  }

  private struct Times: Equatable {
    var idle: Int64 = 0
    var total: Int64 = 0
    var isOnline = false
  }

  /// The cpu lines at the start: those with at least four columns say that a CPU is online.
  private static func parse(_ text: [UInt8], into cpus: inout [Times]) {
    for cpu in cpus.indices { cpus[cpu].isOnline = false }
    for line in Reference.lines(text) {
      guard line.starts(with: Array("cpu".utf8)) else { break }
      let afterCPU = line.dropFirst(3)
      guard let first = afterCPU.first, (0x30...0x39).contains(first),
        let (number, columns) = Reference.number(afterCPU), number < Int64(cpus.count)
      else { continue }
      var values: [Int64] = []
      var rest = columns
      while values.count < 8, let (value, next) = Reference.number(rest), value >= 0 {
        values.append(min(value, 1 << 50))
        rest = next
      }
      if values.count < 4 { continue }
      let idle = values[3] + (values.count > 4 ? values[4] : 0)
      cpus[Int(number)] = Times(idle: idle, total: values.reduce(0, +), isOnline: true)
    }
  }

  static var seeds: [[UInt8]] {
    let sequences = [
      [twelveCores], [offline], [twelveCores, offline], [offline, "!5", "", twelveCores],
      ["cpu0 1 2 3 4\ncpu1 1 2 3\ncpu11 9 9 9 9 9 9 9 9\ncpu12 1 1 1 1\nintr 5\ncpu2 1 1 1 1\n"],
      ["cpu  1 2\ncpu0 99999999999999999999 -1 +3 4\ncpu1 1 1 1 1 -1\n\ncpu2 1 1 1 1\n"],
    ]
    return sequences.map { texts in
      Array(texts.map { Array($0.utf8) }.joined(separator: [FuzzInput.separator]))
    }
  }

  /// An AGX Orin, cut short behind the lines that matter.
  private static let twelveCores = """
    cpu  82617 3 41205 16123347 5120 12310 9101 0 0 0
    cpu0 9107 0 5212 1339421 431 2710 6101 0 0 0
    cpu1 8220 0 4190 1343510 402 1203 801 0 0 0
    cpu2 7203 1 3822 1345001 398 1003 420 0 0 0
    cpu3 7114 0 3720 1345320 410 940 310 0 0 0
    cpu4 6820 0 3310 1346102 455 820 201 0 0 0
    cpu5 6733 0 3291 1346201 433 810 198 0 0 0
    cpu6 6644 1 3200 1346408 420 801 187 0 0 0
    cpu7 6540 0 3188 1346522 422 790 180 0 0 0
    cpu8 6120 0 2903 1347120 441 830 190 0 0 0
    cpu9 6103 0 2870 1347202 440 812 182 0 0 0
    cpu10 6010 1 2800 1347310 434 800 171 0 0 0
    cpu11 6003 0 2699 1347230 434 791 160 0 0 0
    intr 30211034 0 0 12093 0 0
    ctxt 50312001
    btime 1726570000
    processes 20114
    procs_running 2
    procs_blocked 0
    softirq 9210344 5 2031011 21 300120 0 0 8123 4120311 0 2751

    """
  /// The same board in a power mode with eight cores.
  private static let offline = """
    cpu  52617 3 31205 11123347 3120 9310 8101 0 0 0
    cpu0 9207 0 5212 1339521 431 2710 6101 0 0 0
    cpu1 8220 0 4190 1343610 402 1203 801 0 0 0
    cpu2 7203 1 3822 1345101 398 1003 420 0 0 0
    cpu3 7114 0 3720 1345420 410 940 310 0 0 0
    cpu8 6120 0 2903 1347220 441 830 190 0 0 0
    cpu9 6103 0 2870 1347302 440 812 182 0 0 0
    cpu10 6010 1 2800 1347410 434 800 171 0 0 0
    cpu11 6003 0 2699 1347330 434 791 160 0 0 0
    intr 30211134 0 0 12093 0 0

    """
}
