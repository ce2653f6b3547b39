/// RAM from /proc/meminfo: used = MemTotal − MemAvailable, which is what version 1 of the format
/// means.
struct MemoryProbe: ~Copyable {
  private var meminfo: Node
  private var held = Memory(usedKB: 0, availableKB: 0)

  struct Memory {
    var usedKB: UInt64
    var availableKB: UInt64
  }

  init(root: Root, keeper: NodeKeeper) {
    meminfo = keeper.node(.fixed(root.path("/proc/meminfo")))
  }

  /// The values now; the last good ones where the read fails.
  mutating func read(_ scratch: borrowing Scratch, errors: inout UInt64) -> Memory {
    // MemAvailable is the third line; 512 bytes reach well past it.
    let count = meminfo.read(scratch.base, 512)
    if count > 0, let memory = Self.parse(scratch.base, count) {
      held = memory
    } else {
      errors &+= 1
    }
    return held
  }

  static func parse(_ base: UnsafeRawPointer, _ count: Int) -> Memory? {
    var scanner = ByteScanner(base, count: count)
    var total: Int64 = -1
    var available: Int64 = -1
    while !scanner.isAtEnd, total < 0 || available < 0 {
      if scanner.consume("MemTotal:") {
        total = scanner.integer(onThisLine: true) ?? -1
      } else if scanner.consume("MemAvailable:") {
        available = scanner.integer(onThisLine: true) ?? -1
      }
      scanner.skipLine()
    }
    if total < 0 || available < 0 { return nil }
    return Memory(
      usedKB: UInt64(truncatingIfNeeded: max(total &- available, 0)),
      availableKB: UInt64(truncatingIfNeeded: available))
  }
}
