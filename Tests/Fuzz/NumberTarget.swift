internal import Glibc

/// Numbers as the kernel prints them, and the probes that read one number a file.
///
/// The input: pieces, each a new content for the file that its first byte selects. The first of them says
/// in its upper bit that the voltage is read at every fourth tick only.
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
    let isVoltageSlow = pieces.first.map { $0.selector & 0x80 != 0 } ?? false
    let pace = PowerRailProbe.Pace(
      voltage: isVoltageSlow ? 4 * tick : 0, current: isVoltageSlow ? tick : 0)
    var thermal = ThermalProbe(board.thermalZones[0], board: board, interval: 0, keeper: keeper)
    var rail = PowerRailProbe(board.powerRails[0], board: board, pace: pace, keeper: keeper)
    var emc = EMCProbe(board, interval: 0, keeper: keeper)
    check(rail.interval == pace.current, "a rail is read as often as its current")
    var temperatureWord: UInt32 = 0
    var railWords = [UInt32](repeating: 0, count: PowerRailProbe.wordCount)
    var emcWords = [UInt32](repeating: 0, count: EMCProbe.wordCount)
    var tally = ReadTally()
    var expected = Expected()
    var now: UInt64 = 1_000_000_000
    for piece in pieces {
      now += tick
      let selected = Int(piece.selector) % files.count
      files[selected].set(piece.content)
      nodes[selected].content = piece.content
      let isVoltageDue = expected.voltageWait == 0
      let readings = nodes.indices.map { i -> (value: Int64, errno: CInt)? in
        i == voltage && !isVoltageDue ? nil : nodes[i].integer()
      }
      expected.read(readings, voltageEvery: isVoltageSlow ? 4 : 1)

      check(thermal.read(at: now, into: &temperatureWord, scratch, &tally), "a zone is read")
      let temperature = Float(bitPattern: temperatureWord)
      check(
        isSame(temperature, expected.temperature),
        "the temperature is \(expected.temperature), not \(temperature)")
      check(rail.read(at: now, into: &railWords, scratch, &tally), "a rail is read")
      let power = Float(bitPattern: railWords[2])
      check(
        railWords[0] == expected.voltage && railWords[1] == expected.current
          && isSame(power, expected.power),
        "the rail has \(expected), not \(railWords[0]) mV, \(railWords[1]) mA, \(power) mW")
      check(emc.read(at: now, into: &emcWords, scratch, &tally), "the memory controller is read")
      let utilization = Float(bitPattern: emcWords[0])
      check(
        (emcWords[1] == 1) == expected.hasUtilization,
        "it says whether the utilisation was ever known")
      check(
        isSame(utilization, expected.utilization),
        "EMC utilisation is \(expected.utilization), not \(utilization)")
      check(utilization == -1 || (0...100).contains(utilization), "it is 0 to 100, or -1")
      check(tally.errors == expected.errors, "\(expected.errors) reads failed, not \(tally.errors)")
      check(tally.negativeCurrents == expected.negativeCurrents, "negative currents are counted")
    }
    withExtendedLifetime(keeper) {}
  }

  private static let voltage = 1
  private static let tick: UInt64 = 1_000_000

  private static func isSame(_ a: Float, _ b: Float) -> Bool { a == b || (a.isNaN && b.isNaN) }

  /// What the probes should say and count.
  private struct Expected {
    var temperature = Float.nan
    var voltage: UInt32 = 0
    var current: UInt32 = 0
    var power = Float.nan
    var utilization: Float = -1
    var hasUtilization = false
    /// Ticks until the voltage is read again, and whether the last time it was.
    var voltageWait = 0
    private var isVoltageGood = false
    var errors: UInt64 = 0
    var negativeCurrents: UInt64 = 0

    /// - Parameter readings: of each file, nil where it is not due.
    mutating func read(_ readings: [(value: Int64, errno: CInt)?], voltageEvery ticks: Int) {
      guard let temp = readings[0], let amperes = readings[2], let active = readings[3],
        let clock = readings[4]
      else { return }
      let isOff = temp.errno == 0 && temp.value == -256_000
      temperature = temp.errno != 0 || isOff ? .nan : Float(Double(temp.value) / 1000)
      if temp.errno != 0 && temp.errno != EAGAIN && temp.errno != ENODATA { errors += 1 }

      if let volts = readings[NumberTarget.voltage] {
        isVoltageGood = volts.errno == 0
        if isVoltageGood { voltage = UInt32(clamping: volts.value) } else { errors += 1 }
        // What failed is tried again at the next tick.
        voltageWait = isVoltageGood ? ticks - 1 : 0
      } else {
        voltageWait -= 1
      }
      if amperes.errno == 0 { current = UInt32(clamping: amperes.value) } else { errors += 1 }
      if amperes.errno == 0 && amperes.value < 0 { negativeCurrents += 1 }
      power =
        isVoltageGood && amperes.errno == 0
        ? Float(Double(voltage) * Double(current) / 1000) : .nan

      if active.errno == 0 && clock.errno == 0 && active.value >= 0 && clock.value > 0 {
        utilization = Float(min(100_000 * Double(active.value) / Double(clock.value), 100))
        hasUtilization = true
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
      FuzzInput.joined(contents.enumerated().map { (UInt8($0 % 3) | 0x80, $1) }),
    ]
  }
}
