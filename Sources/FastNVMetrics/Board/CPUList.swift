/// The CPUs of the machine.
enum CPUList {
  /// How many CPUs can ever be there, offline ones included: at least 1.
  static func possibleCount(root: Root) -> Int {
    let list = ["/sys/devices/system/cpu/possible", "/sys/devices/system/cpu/present"]
    for place in list {
      if let line = TextFile.line(root.path(place)), let count = count(inList: line) {
        return count
      }
    }
    return max(1, countInStat(root: root))
  }

  /// How many CPUs a list such as "0-3,8-11" names; nil where it is malformed or names none.
  static func count(inList line: [UInt8]) -> Int? {
    var total = 0
    for range in line.split(separator: UInt8(ascii: ",")) {
      let bounds = range.split(separator: UInt8(ascii: "-")).map { number(Array($0)) }
      guard let first = bounds.first ?? nil, let last = bounds.last ?? nil,
        bounds.count <= 2, first <= last, last < 65536
      else { return nil }
      total += last - first + 1
    }
    return total > 0 ? total : nil
  }

  private static func number(_ bytes: [UInt8]) -> Int? {
    bytes.withUnsafeBytes { buffer in
      guard let base = buffer.baseAddress else { return nil }
      var scanner = ByteScanner(base, count: buffer.count)
      guard let value = scanner.integer(), value >= 0, scanner.isAtEnd else { return nil }
      return Int(value)
    }
  }

  /// The highest cpuN line of /proc/stat, plus one.
  private static func countInStat(root: Root) -> Int {
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
