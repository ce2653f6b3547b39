/// Texts in the place of a list of CPUs, such as "0-3,8-11".
enum CPUListTarget: FuzzTarget {
  static var name: String { "cpulist" }
  static var longestInput: Int { 128 }

  static func run(_ input: FuzzInput) {
    let line = Array(input.rest)
    guard let list = CPUList.parse(line) else { return }
    check(list.count > 0 && list.count <= list.end, "no more CPUs than numbers: \(list)")
    let digits = line.split { !(0x30...0x39).contains($0) }
    let largest = digits.compactMap { Reference.value(Array($0)) }.max() ?? -1
    check(list.end == Int(largest) + 1, "the list ends behind \(largest), not at \(list.end)")
    // Only what the kernel writes is a list.
    for byte in line {
      check((0x30...0x39).contains(byte) || byte == 0x2C || byte == 0x2D, "a list has no \(byte)")
    }
  }

  static var seeds: [[UInt8]] {
    ["0-11", "0", "0-3,8-11", "0,2,4-5", "0-3,", "-3", "0-99999,7", "3-0", "0--1", "000001"].map {
      Array($0.utf8)
    }
  }
}
