internal import CFastNVMetricsShims

/// /proc/stat: idle and total time of each CPU, in steps of 10 ms.
///
/// Lines are taken by the number after `cpu`: a CPU that is offline has none.
struct ProcStat: ~Copyable {
  private var node: Node
  private let scratch: Scratch
  /// One entry a CPU, as of the last read.
  let cpus: UnsafeMutablePointer<CPUTimes>
  let cpuCount: Int
  /// Whether the file is the kernel's own, whose counters run with wall time. In a fixture or
  /// behind a file system in user space they only mean something relative to each other.
  let runsWithWallTime: Bool

  struct CPUTimes {
    /// USER_HZ ticks since boot.
    var idle: Int64
    var total: Int64
    var isOnline: Bool
  }

  /// One USER_HZ tick.
  static var tickNanoseconds: Int64 { 10_000_000 }

  init(root: Root, cpuCount: Int, keeper: NodeKeeper) {
    let path = root.path("/proc/stat")
    node = keeper.node(.fixed(path))
    // The cpu lines come first; what follows them (the interrupt counts) can be cut off.
    scratch = Scratch(byteCount: 256 * (cpuCount + 2))
    cpus = .allocate(capacity: cpuCount)
    cpus.initialize(repeating: CPUTimes(idle: 0, total: 0, isOnline: false), count: cpuCount)
    self.cpuCount = cpuCount
    let fd = path.withCString { fnvm_sys_open_node($0) }
    runsWithWallTime = fd >= 0 && fnvm_sys_is_procfs(fd)
    fnvm_sys_close(fd)
  }

  deinit { cpus.deallocate() }

  /// Takes the word of another source for a CPU, where the file cannot be read.
  func assumeOnline(_ cpu: Int, _ isOnline: Bool) { cpus[cpu].isOnline = isOnline }

  /// - Returns: false where the file could not be read; the times are then those of the last good
  ///   read.
  mutating func read() -> Bool {
    let count = node.read(scratch.base, scratch.count)
    if count <= 0 { return false }
    for cpu in 0..<cpuCount { cpus[cpu].isOnline = false }
    var scanner = ByteScanner(scratch.base, count: count)
    while !scanner.isAtEnd {
      // The cpu lines stand together at the start.
      guard scanner.consume("cpu") else { break }
      if scanner.isAtDigit, let number = scanner.integer(), number < Int64(cpuCount) {
        parseTimes(&scanner, into: cpus + Int(truncatingIfNeeded: number))
      }
      scanner.skipLine()
    }
    return true
  }

  /// user nice system idle iowait irq softirq steal; guest time is contained in user.
  private func parseTimes(_ scanner: inout ByteScanner, into times: UnsafeMutablePointer<CPUTimes>)
  {
    var total: Int64 = 0
    var idle: Int64 = 0
    for column in 0..<8 {
      guard let value = scanner.integer(onThisLine: true), value >= 0 else {
        if column < 4 { return }
        break
      }
      // No machine runs for that long: what is beyond is nonsense, and must not overflow.
      let ticks = min(value, 1 << 50)
      total &+= ticks
      if column == 3 || column == 4 { idle &+= ticks }
    }
    times.pointee = CPUTimes(idle: idle, total: total, isOnline: true)
  }
}
