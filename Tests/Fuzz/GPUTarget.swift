/// The GPU's nodes while time passes.
///
/// The input: a byte that says which of the four files there are, whether the GPU is read at its own rate
/// (bit 4) and whether at one that was asked for (bit 5); then pieces, whose first byte selects
/// a file and a span of time, and whose content is what the file says after that span.
enum GPUTarget: FuzzTarget {
  static var name: String { "gpu" }
  static var longestInput: Int { 1024 }

  private static let paths: [String] = {
    FuzzDirectory.make("gpu/power")
    return ["load", "counters", "power/runtime_status", "is_railgated"].map {
      FuzzDirectory.path + "/gpu/" + $0
    }
  }()
  /// Nanoseconds between two values of `load`.
  private static let refresh: UInt64 = 16_666_667
  private static let load = 0, counters = 1, status = 2, railgated = 3
  private static let spans: [UInt64] = [
    1_000_000, 0, 1, 16_700_000, 101_000_000, 500_000_000, 2_000_000_000, 1_000_000,
    1 << 56, 10_000, 1_000_000, 1_000_000, 10_000_000, 5_000_000, 250_000_000, 60_000_000_000,
  ]

  static func run(_ input: FuzzInput) {
    FakeKernel.hasFailures = true
    var input = input
    let present = input.byte()
    let initial = Array("0\n".utf8)
    var nodes: [NodeModel] = []
    var files: [FuzzFile?] = []
    for (i, path) in paths.enumerated() {
      let content = present & (1 << i) != 0 ? initial : nil
      FuzzFile.place(content, at: path)
      nodes.append(NodeModel(content))
      files.append(content == nil ? nil : FuzzFile(path))
    }
    defer { for file in files { file?.close() } }
    let board = BoardConfig(
      boardName: "fuzz", cpuCoreCount: 1, gpuLoadPath: SystemPath(paths[load]))
    let keeper = NodeKeeper()
    let scratch = Scratch(byteCount: 256)
    let wanted: UInt64 = present & 0x20 != 0 ? 100_000_000 : 0
    let isNative = present & 0x10 != 0 && wanted == 0
    let hasCounters = present & (1 << counters) != 0
    var probe = GPUProbe(
      board, interval: wanted, isNative: present & 0x10 != 0, keeper: keeper)
    var words = [UInt32](repeating: 0, count: GPUProbe.wordCount)
    var tally = ReadTally()
    var now: UInt64 = 1_000_000_000
    var held: UInt32 = 0
    var lastAsked: UInt64 = 0
    var lastBusy: UInt64 = 0
    // Where counters are in use nobody knows which reads of `load` there are: one that failed may
    // have been the last, or not have happened.
    var isLoadCertain = true
    for piece in input.pieces.prefix(64) {
      let selected = Int(piece.selector & 3)
      now &+= spans[Int(piece.selector >> 2 & 15)]
      if let file = files[selected] {
        file.set(piece.content)
        nodes[selected].content = piece.content
      }
      let errorsBefore = tally.errors
      let hasRead = probe.read(at: now, into: &words, scratch, &tally)
      let value = words[0]
      let errors = tally.errors - errorsBefore
      check(value <= 1000, "GPU load is per mille, not \(value)")
      check(errors <= 1, "a failed read is counted once")
      check(words[1] <= GPUSource.counters.rawValue && words[2] <= 1, "the rest is what it can be")
      check(hasRead || isNative, "it is read whenever it is asked for")
      let interval = probe.interval
      check(
        interval == wanted || isNative && interval == refresh,
        "it is to be read every \(interval) ns")
      if isNative && !hasCounters { check(interval == refresh, "and no faster than it changes") }

      if isSuspended(&nodes) {
        check(value == 0, "a suspended GPU does nothing, not \(value)")
        check(errors == 0, "and is not asked")
        check(words[1] != GPUSource.none.rawValue, "and is a source")
        held = 0
        continue
      }
      if hasCounters && FakeKernel.failure(nodes[load].content) != 0 { isLoadCertain = false }
      if !hasRead {
        check(value == 0, "only a GPU that idles is left to sleep, not one at \(value)")
        check(held == value, "and its load is what was read last, \(held)")
        if !hasCounters {
          check(now - lastAsked < 2_000_000_000, "but for no more than two seconds")
          check(now - lastBusy > 1_000_000_000, "and not as soon as it pauses")
        }
      } else if words[1] != GPUSource.counters.rawValue, isLoadCertain {
        let (reading, errno) = nodes[load].integer()
        if errno == 0 { held = UInt32(min(max(reading, 0), 1000)) }
        check(value == held, "the load is \(held), or the last good one, not \(value)")
        if !hasCounters { check(errors == (errno == 0 ? 0 : 1), "a failed read is counted") }
        lastAsked = now
        if errno == 0 && held > 0 { lastBusy = now }
      }
      held = value
    }
    withExtendedLifetime(keeper) {}
  }

  private static func isSuspended(_ nodes: inout [NodeModel]) -> Bool {
    let word = nodes[status].read(16).bytes
    if word.starts(with: Array("suspended".utf8)) { return true }
    if word.starts(with: Array("active".utf8)) { return false }
    return nodes[railgated].read(16).bytes.starts(with: Array("yes".utf8))
  }

  static var seeds: [[UInt8]] {
    func step(_ file: Int, _ content: String, _ span: Int = 0) -> (UInt8, String) {
      (UInt8(file | span << 2), content)
    }
    var loads: [(UInt8, String)] = [step(status, "active\n")]
    for (i, value) in ["437\n", "1001\n", "-3\n", "!5", "x", "", "12\n"].enumerated() {
      loads.append(step(load, value, i))
    }
    loads += [
      step(status, "suspended\n"), step(load, "5\n"), step(status, "!19"), step(railgated, "yes\n"),
    ]
    var counting: [(UInt8, String)] = [
      step(status, "unsupported\n"), step(railgated, "no\n"), step(load, "900\n"),
    ]
    for i in 0..<12 {
      counting.append(step(counters, "\(i * 300_000) \(1_000_000 * (i + 1))\n", 0))
    }
    for i in 0..<6 {
      counting.append(
        step(counters, "\(4_000_000 + i) \((2_147_000_000 + i * 300_000) & 0x7FFF_FFFF)\n", 5))
    }
    counting += [step(counters, "1 2\n", 4), step(counters, "1 2\n", 4), step(counters, "junk", 4)]
    var contradicted: [(UInt8, String)] = [
      step(load, "1000\n"), step(counters, "0 1000\n"), step(counters, "0 2000\n"),
    ]
    for i in 0..<10 {
      contradicted.append(step(counters, "\(i) \(500_000_000 * i & 0x7FFF_FFFF)\n", 5))
    }
    // Busy now and then by its counters, all the time by its load. Counters that do not count at first
    // are not believed.
    func changing(_ phase: Int) -> [(UInt8, String)] {
      [step(load, "1000\n"), step(counters, "0 1000\n"), step(counters, "300 2000\n")]
        + (1...14).map { i in
          let total = 500_000_000 * i & 0x7FFF_FFFF
          return step(counters, "\(1000 + (i + phase) / 2 * 100_000_000) \(total)\n", 5)
        }
    }
    // Busy, idle for seconds, asked seldom, and busy again.
    var dozing: [(UInt8, String)] = [step(load, "300\n"), step(load, "0\n", 3)]
    for i in 0..<24 { dozing.append(step(load, i < 20 ? "0\n" : "700\n", i % 3 == 0 ? 5 : 14)) }
    return [
      [0x13] + FuzzInput.joined(changing(0)), [0x13] + FuzzInput.joined(changing(1)),
      [0x11] + FuzzInput.joined(dozing), [0x1D] + FuzzInput.joined(dozing + loads),
      [0x1F] + FuzzInput.joined(counting + dozing), [0x21] + FuzzInput.joined(dozing),
      [0x0F] + FuzzInput.joined(loads), [0x0F] + FuzzInput.joined(counting),
      [0x03] + FuzzInput.joined(contradicted), [0x01] + FuzzInput.joined(loads),
      [0x02] + FuzzInput.joined(counting), [0x00] + FuzzInput.joined([step(0, "1")]),
    ]
  }
}
