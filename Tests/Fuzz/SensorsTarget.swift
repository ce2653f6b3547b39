/// Any bytes as what a recorder that crashed has left of its settings of the power sensors: what is read of them
/// is written into nodes.
enum SensorsTarget: FuzzTarget {
  static var name: String { "sensors" }
  static var longestInput: Int { 512 }

  static func run(_ input: FuzzInput) {
    let bytes = Array(input.rest)
    let changes = SensorChange.parse(bytes)
    let expected = reference(bytes)
    check(
      changes.map { String(decoding: $0.line, as: UTF8.self) } == expected.map { $0 + "\n" },
      "\(expected) is to be put back, not \(changes)")
    for change in changes {
      check((0...999_999_999).contains(change.original), "settings are small numbers")
      // Slashes that no recorder writes are not written again.
      if change.chip.bytes.count > 1 && change.chip.bytes.last == UInt8(ascii: "/") { continue }
      check(SensorChange.parse(change.line) == [change], "a line says what it was made of")
    }
  }

  /// The lines that count, each setting once, in the order of its first mention, with what was said of it last.
  private static func reference(_ bytes: [UInt8]) -> [String] {
    var keys: [[UInt8]] = []
    var said: [[UInt8]: String] = [:]
    for line in Reference.lines(bytes).dropLast() {
      let fields = line.split(separator: 9, omittingEmptySubsequences: false).map { Array($0) }
      guard fields.count == 3, let original = number(fields[1]) else { continue }
      let made = number(fields[2])
      guard made != nil || fields[2] == [UInt8(ascii: "-")] else { continue }
      let path = SystemPath(bytes: fields[0])
      let node = path.lastComponent
      guard node == Array("update_interval".utf8) || node == Array("samples".utf8) else { continue }
      let place = path.parent.appending(bytes: node).bytes
      let key = path.parent.bytes + [0] + node
      if said[key] == nil { keys.append(key) }
      // Texts, so that what is not UTF-8 shows as the same in both.
      said[key] =
        String(decoding: place, as: UTF8.self) + "\t\(original)\t"
        + (made.map { "\($0)" } ?? "-")
    }
    return keys.compactMap { said[$0] }
  }

  private static func number(_ field: [UInt8]) -> Int64? {
    let isNumber = (1...9).contains(field.count) && field.allSatisfy { (0x30...0x39).contains($0) }
    return isNumber ? Reference.value(field) : nil
  }

  static var seeds: [[UInt8]] {
    let chip = "/sys/class/hwmon/hwmon3/"
    return [
      "\(chip)update_interval\t36\t-\n\(chip)samples\t16\t-\n\(chip)samples\t16\t4\n",
      "\(chip)update_interval\t36\t2\n\(chip)update_interval\t36\t2",
      "\(chip)in1_input\t1\t1\nsamples\t1\t1\n/samples\t1\t1\n\n\t\t\n",
      "\(chip)samples\t-1\t1\n\(chip)samples\t1000000000\t1\n\(chip)samples\t1\t\n",
      "a//samples\t1\t1\na/samples\t2\t2\na/./samples\t3\t3\n",
    ].map { Array($0.utf8) }
  }
}
