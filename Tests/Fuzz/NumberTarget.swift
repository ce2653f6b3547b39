internal import Glibc

/// Numbers as the kernel prints them, and the probes that read one number a file.
///
/// The input: pieces, each a new content for the file that its first byte selects.
enum NumberTarget: FuzzTarget {
  static var name: String { "number" }
  static var longestInput: Int { 512 }

  private static let files: [FuzzFile] = {
    FuzzDirectory.make("number")
    return ["temp", "voltage", "current", "actmon", "rate"].map {
      FuzzFile(FuzzDirectory.path + "/number/" + $0)
    }
  }()

  static func run(_ input: FuzzInput) {
    let pieces = input.pieces.prefix(32)
    for piece in pieces { scan(piece.content) }

    FakeKernel.hasFailures = true
    let initial = Array("1\n".utf8)
    for file in files { file.set(initial) }
    var nodes = files.map { _ in NodeModel(initial) }
    let paths = files.map { SystemPath($0.path) }
    let board = BoardConfig(
      boardName: "fuzz", cpuCoreCount: 1, emcActmonPath: paths[3], emcClkRatePath: paths[4],
      powerRails: [PowerRailConfig(label: "r", voltagePath: paths[1], currentPath: paths[2])],
      thermalZones: [ThermalZoneConfig(name: "z", tempPath: paths[0])])
    let keeper = NodeKeeper()
    let scratch = Scratch(byteCount: 256)
    var thermal = ThermalProbe(board.thermalZones[0], board: board, keeper: keeper)
    var rail = PowerRailProbe(board.powerRails[0], board: board, keeper: keeper)
    var emc = EMCProbe(board, keeper: keeper)
    var tally = ReadTally()
    var expected = Expected()
    for piece in pieces {
      let selected = Int(piece.selector) % files.count
      files[selected].set(piece.content)
      nodes[selected].content = piece.content
      let readings = nodes.indices.map { nodes[$0].integer() }
      expected.read(readings)

      let temperature = thermal.read(scratch, &tally)
      check(
        isSame(temperature, expected.temperature),
        "the temperature is \(expected.temperature), not \(temperature)")
      let power = rail.read(scratch, &tally)
      check(
        power.voltageMV == expected.voltage && power.currentMA == expected.current
          && isSame(power.powerMW, expected.power), "the rail has \(expected), not \(power)")
      let utilization = emc.read(scratch, errors: &tally.errors)
      check(
        isSame(utilization, expected.utilization),
        "EMC utilisation is \(expected.utilization), not \(utilization)")
      check(utilization == -1 || (0...100).contains(utilization), "it is 0 to 100, or -1")
      check(tally.errors == expected.errors, "\(expected.errors) reads failed, not \(tally.errors)")
      check(tally.negativeCurrents == expected.negativeCurrents, "negative currents are counted")
    }
    withExtendedLifetime(keeper) {}
  }

  private static func isSame(_ a: Float, _ b: Float) -> Bool { a == b || (a.isNaN && b.isNaN) }

  /// What the probes should say and count.
  private struct Expected {
    var temperature = Float.nan
    var voltage: UInt32 = 0
    var current: UInt32 = 0
    var power = Float.nan
    var utilization: Float = -1
    var errors: UInt64 = 0
    var negativeCurrents: UInt64 = 0

    mutating func read(_ readings: [(value: Int64, errno: CInt)]) {
      let (temp, volts, amperes) = (readings[0], readings[1], readings[2])
      let isOff = temp.errno == 0 && temp.value == -256_000
      temperature = temp.errno != 0 || isOff ? .nan : Float(Double(temp.value) / 1000)
      if temp.errno != 0 && temp.errno != EAGAIN && temp.errno != ENODATA { errors += 1 }

      if volts.errno == 0 { voltage = UInt32(clamping: volts.value) } else { errors += 1 }
      if amperes.errno == 0 { current = UInt32(clamping: amperes.value) } else { errors += 1 }
      if amperes.errno == 0 && amperes.value < 0 { negativeCurrents += 1 }
      power =
        volts.errno == 0 && amperes.errno == 0
        ? Float(Double(voltage) * Double(current) / 1000) : .nan

      let (active, clock) = (readings[3], readings[4])
      if active.errno == 0 && clock.errno == 0 && active.value >= 0 && clock.value > 0 {
        utilization = Float(min(100_000 * Double(active.value) / Double(clock.value), 100))
      } else {
        utilization = -1
        errors += 1
      }
    }
  }

  /// All numbers of a text, one after the other, as `strtoll` reads them.
  private static func scan(_ text: [UInt8]) {
    // Exactly the bytes, so that reading past them is found.
    let bytes = UnsafeMutableRawPointer.allocate(byteCount: max(text.count, 1), alignment: 1)
    defer { bytes.deallocate() }
    bytes.copyMemory(from: text, byteCount: text.count)
    var scanner = ByteScanner(bytes, count: text.count)
    var rest = text[...]
    while let (value, next) = Reference.number(rest) {
      let found = scanner.integer()
      check(found == value, "the number is \(value), not \(found.map(String.init) ?? "none")")
      rest = next
    }
    check(scanner.integer() == nil, "there are no more numbers")

    var line = ByteScanner(bytes, count: text.count)
    let first = Reference.number(Reference.lines(text)[0])?.value
    check(line.integer(onThisLine: true) == first, "a number on the first line is \(first ?? 0)")
    line.skipLine()
    check(
      !line.consume("more bytes than are left of it, however long it is, by far"),
      "the end is the end")
  }

  static var seeds: [[UInt8]] {
    let contents = [
      "42000\n", "19680\n", "1640\n", "799750\n", "3199000000\n", "-256000\n", "-4", "!11", "!61",
      "!5",
      "!19", "", "  +7 8\t-9", "9223372036854775807", "-9223372036854775808",
      "9223372036854775808 18446744073709551616 99999999999999999999", "0", "\n", "-", "007\n8",
    ]
    return contents.enumerated().map { FuzzInput.joined([(UInt8($0 % 5), $1)]) } + [
      FuzzInput.joined(contents.enumerated().map { (UInt8($0 % 5), $1) }),
      FuzzInput.joined(contents.reversed().enumerated().map { (UInt8($0 % 5), $1) }),
    ]
  }
}
