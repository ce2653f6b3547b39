internal import CFastNVMetricsShims

/// Listing of directories, in an order that does not depend on the file system.
enum Directory {
  /// The names in a directory but `.` and `..`, sorted so that numbers count by value
  /// (`hwmon2` before `hwmon10`); none where it cannot be read.
  static func names(in path: SystemPath) -> [[UInt8]] {
    var error: CInt = 0
    guard let directory = path.withCString({ fnvm_sys_opendir($0, &error) }) else { return [] }
    defer { fnvm_sys_closedir(directory) }
    var names: [[UInt8]] = []
    while let entry = fnvm_sys_readdir(directory) {
      let name = SystemPath(cString: entry).bytes
      if name != dot && name != dotDot { names.append(name) }
    }
    names.sort(by: precedes)
    return names
  }

  private static let dot: [UInt8] = [UInt8(ascii: ".")]
  private static let dotDot: [UInt8] = dot + dot

  private static func precedes(_ a: [UInt8], _ b: [UInt8]) -> Bool {
    let (stemA, numberA) = splitTrailingNumber(a)
    let (stemB, numberB) = splitTrailingNumber(b)
    if stemA != stemB { return stemA.lexicographicallyPrecedes(stemB) }
    return numberA != numberB ? numberA < numberB : a.count < b.count
  }

  private static func splitTrailingNumber(_ name: [UInt8]) -> (stem: [UInt8], number: UInt64) {
    var cut = name.count
    while cut > 0, name[cut - 1] >= 0x30, name[cut - 1] <= 0x39 { cut -= 1 }
    var number: UInt64 = 0
    for digit in name[cut...] { number = number &* 10 &+ UInt64(digit - 0x30) }
    return (Array(name[..<cut]), number)
  }
}
