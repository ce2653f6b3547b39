/// RAM from /proc/meminfo: used = MemTotal − MemAvailable, which is what version 1 of the format
/// means.
struct MemoryProbe: ~Copyable, Probe {
  private var meminfo: Node
  /// Where MemAvailable was in the last text; its columns are of fixed width.
  private var availableAt = 0
  let interval: UInt64

  struct Memory {
    var usedKB: UInt64
    var availableKB: UInt64
  }

  /// Used and available kB, 64 bits each, the lower half first.
  static var wordCount: Int { 4 }

  init(root: Root, interval: UInt64, keeper: NodeKeeper) {
    self.interval = interval
    meminfo = keeper.node(.fixed(root.path("/proc/meminfo")))
  }

  /// Where the read fails the words stay what they are.
  mutating func read(
    at now: UInt64, into words: UnsafeMutablePointer<UInt32>, _ scratch: borrowing Scratch,
    _ tally: inout ReadTally
  ) -> Bool {
    // MemAvailable is the third line; 512 bytes reach well past it.
    let count = meminfo.read(scratch.base, 512)
    guard count > 0, let memory = parse(scratch.base, count) else {
      tally.errors &+= 1
      return true
    }
    words[0] = UInt32(truncatingIfNeeded: memory.usedKB)
    words[1] = UInt32(truncatingIfNeeded: memory.usedKB >> 32)
    words[2] = UInt32(truncatingIfNeeded: memory.availableKB)
    words[3] = UInt32(truncatingIfNeeded: memory.availableKB >> 32)
    return true
  }

  private mutating func parse(_ base: UnsafeRawPointer, _ count: Int) -> Memory? {
    var total = ByteScanner(base, count: count)
    var available = ByteScanner(base + availableAt, count: max(count &- availableAt, 0))
    if availableAt > 0, total.consume("MemTotal:"), available.consume("\nMemAvailable:"),
      let total = total.integer(onThisLine: true),
      let available = available.integer(onThisLine: true)
    {
      return Self.memory(total, available)
    }
    return Self.scan(base, count, &availableAt)
  }

  /// - Parameter availableAt: receives where the line before MemAvailable ends, 0 where it is the first.
  static func scan(
    _ base: UnsafeRawPointer, _ count: Int, _ availableAt: inout Int
  ) -> Memory? {
    var scanner = ByteScanner(base, count: count)
    var total: Int64 = -1
    var available: Int64 = -1
    while !scanner.isAtEnd, total < 0 || available < 0 {
      let line = count &- scanner.remaining
      if scanner.consume("MemTotal:") {
        total = scanner.integer(onThisLine: true) ?? -1
      } else if scanner.consume("MemAvailable:") {
        available = scanner.integer(onThisLine: true) ?? -1
        availableAt = max(line &- 1, 0)
      }
      scanner.skipLine()
    }
    return memory(total, available)
  }

  private static func memory(_ total: Int64, _ available: Int64) -> Memory? {
    if total < 0 || available < 0 { return nil }
    return Memory(
      usedKB: UInt64(truncatingIfNeeded: max(total &- available, 0)),
      availableKB: UInt64(truncatingIfNeeded: available))
  }
}
