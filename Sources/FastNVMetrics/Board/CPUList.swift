/// The CPUs of the machine.
enum CPUList {
  /// How many CPUs can ever be there, offline ones included: at least 1.
  static func possibleCount(root: Root) -> Int {
    possible(root: root)?.count ?? max(1, endOfStat(root: root))
  }

  /// The number after the highest that a CPU can have; more than their count where numbers are left out.
  static func end(root: Root) -> Int {
    possible(root: root)?.end ?? max(1, endOfStat(root: root))
  }

  private static func possible(root: Root) -> (count: Int, end: Int)? {
    for place in ["/sys/devices/system/cpu/possible", "/sys/devices/system/cpu/present"] {
      if let line = TextFile.line(root.path(place)), let list = parse(line) { return list }
    }
    return nil
  }

  /// How many CPUs a list such as "0-3,8-11" names, and the number after the last; nil where it is
  /// malformed, names none, or goes back: what names a CPU twice is no list of the kernel's.
  static func parse(_ line: [UInt8]) -> (count: Int, end: Int)? {
    var count = 0
    var end = 0
    for range in line.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
      let bounds = range.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
        .map { number(Array($0)) }
      guard bounds.count <= 2, let first = bounds.first ?? nil, let last = bounds.last ?? nil,
        first >= end, first <= last
      else { return nil }
      count += last - first + 1
      end = max(end, last + 1)
    }
    return count > 0 ? (count, end) : nil
  }

  /// Digits and nothing else.
  private static func number(_ bytes: [UInt8]) -> Int? {
    guard !bytes.isEmpty, bytes.count <= 5 else { return nil }
    var value = 0
    for byte in bytes {
      guard byte >= 0x30, byte <= 0x39 else { return nil }
      value = value * 10 + Int(byte - 0x30)
    }
    return value
  }

  /// The highest cpuN line of /proc/stat, plus one.
  private static func endOfStat(root: Root) -> Int {
    guard case .bytes(let bytes) = TextFile.read(root.path("/proc/stat")) else { return 0 }
    return bytes.withUnsafeBytes { buffer in
      guard let base = buffer.baseAddress else { return 0 }
      var scanner = ByteScanner(base, count: buffer.count)
      var count = 0
      while !scanner.isAtEnd {
        if scanner.consume("cpu"), scanner.isAtDigit, let number = scanner.integer(), number < 65536
        {
          count = max(count, Int(number) + 1)
        }
        scanner.skipLine()
      }
      return count
    }
  }
}
