/// CPU utilisation from cores that sleep, work, come and go, and from counters that lie.
///
/// The input: two bytes of configuration, then operations of a byte each with what they need. Cores 0
/// and 1 have idle counters, or none has.
enum CPUTarget: FuzzTarget {
  static var name: String { "cpu" }
  static var longestInput: Int { 256 }

  static func run(_ input: FuzzInput) {
    FakeKernel.hasFailures = true
    var input = input
    let configuration = input.byte()
    FakeKernel.isProcfs = configuration & 0x10 != 0
    let machine = FuzzMachine.shared[configuration & 0x20 != 0 ? 1 : 0]
    machine.reset()
    let period = periods[Int(configuration & 15)]
    var recording = CPURecording(machine, period: period)
    while !input.isAtEnd && recording.sampleCount < 160 {
      let operation = input.byte()
      // From here on the files can contradict themselves and each other.
      if operation & 7 > 2 { recording.isHonest = false }
      let core = Int(operation >> 4) % FuzzMachine.coreCount
      switch operation & 7 {
      case 0, 1: recording.pass(spans(period)[Int(operation >> 4)], input.byte(), times: 1)
      case 2:
        let times = Int(input.byte() % 64) + 1
        recording.pass(spans(period)[Int(operation >> 4)], input.byte(), times: times)
      case 3: machine.isOnline[core].toggle()
      case 4: machine.idleMicroseconds[core] &+= Int64(truncatingIfNeeded: input.integer(bytes: 8))
      case 5: machine.setCounter(core, input.take(Int(input.byte() % 32)))
      case 6: machine.rawStat = operation & 0x80 != 0 ? nil : input.take(Int(input.byte()))
      default:
        machine.idleTicks[core] &+= Int64(truncatingIfNeeded: input.integer(bytes: 4))
        machine.busyTicks[core] &+= Int64(truncatingIfNeeded: input.integer(bytes: 4))
      }
    }
    recording.finish()
  }

  private static let periods: [UInt64] = [
    1_000_000, 100_000, 10_000, 10_000_000, 25_000_000, 26_000_000, 50_000_000, 100_000_000,
    200_000_000, 1_000_000_000, 500_000, 333_333, 2_000_000, 5_000_000, 1_000_000, 99_000_000,
  ]

  private static func spans(_ period: UInt64) -> [UInt64] {
    [
      period, period / 2, 2 * period, 0, 1, 10_000_000, 101_000_000, 3_000_000_000, period,
      period + 7,
      1_000_000, 60_000, 20_000_000, 5_000_000, 9_999_999, 10_000_001,
    ]
  }

  static var seeds: [[UInt8]] {
    let patterns: [UInt8] = [0x00, 0x15, 0x3F, 0x2A, 0x19, 0x36]
    var seeds: [[UInt8]] = []
    for configuration in [0x00, 0x10, 0x20, 0x30, 0x13, 0x15, 0x08, 0x12] as [UInt8] {
      seeds.append([configuration] + patterns.flatMap { [2, 30, $0] })
      seeds.append([configuration] + patterns.flatMap { [0, $0, 0x13, 0x52, 3, $0] })
    }
    seeds.append(
      [0x00, 2, 9, 0x2A, 4, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F, 2, 9, 0x3F, 5, 3]
        + Array("!19".utf8)
        + [2, 40, 0] + [6, 14] + Array("cpu1 1 2 3 4 5".utf8) + [
          2, 20, 1, 0x86, 7, 1, 0, 0, 0x80, 1, 0, 0, 0, 2, 30, 0,
        ])
    return seeds
  }
}

/// A probe as the fast tier drives it, its samples checked as they close.
private struct CPURecording: ~Copyable {
  private let machine: FuzzMachine
  private let period: UInt64
  private let keeper = NodeKeeper()
  private let scratch = Scratch(byteCount: 4096)
  private var probe: CPUProbe
  private var times: [UInt64] = []
  private var firstOpen: UInt64 = 0
  private let start: UInt64 = 1_000_000_000
  private var now: UInt64 = 1_000_000_000
  private var tolerance: Double { 60_000_000 }
  private var errors: UInt64 = 0
  private var closed = 0
  /// Nanoseconds that each core was busy in, according to the closed samples.
  private var busy = [Double](repeating: 0, count: FuzzMachine.coreCount)
  /// Whether the files said the truth all the time.
  var isHonest = true

  init(_ machine: FuzzMachine, period: UInt64) {
    self.machine = machine
    self.period = period
    machine.write()
    probe = CPUProbe(
      root: Root(SystemPath(machine.root)), coreColumns: FuzzMachine.coreCount, period: period,
      keeper: keeper)
    probe.begin(at: now, scratch, errors: &errors)
  }

  var sampleCount: UInt64 { UInt64(times.count) }

  /// Lets time pass and takes samples.
  mutating func pass(_ span: UInt64, _ pattern: UInt8, times count: Int) {
    if span < period || span > 200_000_000 { isHonest = false }
    for _ in 0..<count {
      now += span
      machine.pass(span, pattern)
      machine.write()
      probe.take(sample: sampleCount, at: now, scratch, errors: &errors)
      times.append(now)
      var end = firstOpen
      while end < sampleCount,
        now - times[Int(end)] >= probe.openNanoseconds || sampleCount - end >= probe.capacity
      {
        end += 1
      }
      close(before: end)
    }
  }

  mutating func finish() {
    now += 1000
    if sampleCount > firstOpen { probe.finish(lastSample: sampleCount - 1, at: now) }
    close(before: sampleCount)
    if isHonest { checkMeans() }
    withExtendedLifetime(keeper) {}
  }

  /// The mean over the trace is the true utilisation, to some ticks of /proc/stat.
  private func checkMeans() {
    for core in busy.indices {
      let error = busy[core] - Double(machine.busyNanoseconds[core])
      check(
        abs(error) <= tolerance,
        "core \(core) was busy for \(machine.busyNanoseconds[core]) ns of \(now - start), not \(busy[core])"
      )
    }
  }

  private mutating func close(before end: UInt64) {
    while firstOpen < end {
      var columns = [Float](repeating: -1, count: FuzzMachine.coreCount)
      let aggregate = columns.withUnsafeMutableBytes { raw in
        raw.baseAddress.map {
          probe.close(sample: firstOpen, utilization: $0, coreColumns: FuzzMachine.coreCount)
        } ?? -1
      }
      let interval = times[closed] - (closed > 0 ? times[closed - 1] : start)
      for core in busy.indices { busy[core] += Double(columns[core]) / 100 * Double(interval) }
      closed += 1
      let online = columns.filter { !$0.isNaN }
      for percent in online { check((0...100).contains(percent), "utilisation is \(percent) %") }
      if online.isEmpty {
        check(aggregate.isNaN, "no core, no aggregate: \(aggregate)")
      } else {
        let mean = online.reduce(0, +) / Float(online.count)
        check(abs(aggregate - mean) < 0.01, "the aggregate is the mean \(mean), not \(aggregate)")
        check((0...100).contains(aggregate), "the aggregate is \(aggregate) %")
      }
      firstOpen += 1
    }
  }
}

/// Three cores, as files: what the kernel would say of them, or what the input has it say.
private final class FuzzMachine {
  static let coreCount = 3
  nonisolated(unsafe) static let shared = [
    FuzzMachine("cpu", hasCounters: true), FuzzMachine("cpu-plain", hasCounters: false),
  ]

  let root: String
  private let stat: FuzzFile
  private let counters: [FuzzFile]
  private var isCounterSet: [Bool] = []
  var isOnline: [Bool] = []
  var idleMicroseconds: [Int64] = []
  var idleTicks: [Int64] = []
  var busyTicks: [Int64] = []
  /// What /proc/stat holds instead of the truth.
  var rawStat: [UInt8]?
  /// Nanoseconds of a sleep that has not ended, and of what is less than a tick.
  private var sleeping: [UInt64] = []
  private var idleRest: [UInt64] = []
  private var busyRest: [UInt64] = []
  /// The truth.
  private(set) var busyNanoseconds: [UInt64] = []

  init(_ name: String, hasCounters: Bool) {
    root = FuzzDirectory.path + "/" + name
    FuzzDirectory.make(name + "/proc")
    FuzzDirectory.make(name + "/sys/devices/system/cpu")
    FuzzFile.place(
      Array("0-\(Self.coreCount - 1)\n".utf8), at: root + "/sys/devices/system/cpu/possible")
    stat = FuzzFile(root + "/proc/stat")
    counters = (0..<(hasCounters ? 2 : 0)).map { core in
      let directory = "/sys/devices/system/cpu/cpu\(core)/cpuidle/"
      for state in 0..<2 { FuzzDirectory.make(name + directory + "state\(state)") }
      // The first state is constant, and what is credited is credited to the second.
      FuzzFile.place(
        Array("1000\n".utf8), at: FuzzDirectory.path + "/" + name + directory + "state0/time")
      return FuzzFile(FuzzDirectory.path + "/" + name + directory + "state1/time")
    }
  }

  func reset() {
    let none = [Int64](repeating: 0, count: Self.coreCount)
    isOnline = none.map { _ in true }
    idleMicroseconds = none.map { _ in 5_000_000 }
    (idleTicks, busyTicks) = (none.map { _ in 9000 }, none.map { _ in 1000 })
    (sleeping, idleRest, busyRest) = (none.map { _ in 0 }, none.map { _ in 0 }, none.map { _ in 0 })
    busyNanoseconds = none.map { _ in 0 }
    isCounterSet = none.map { _ in false }
    rawStat = nil
  }

  func setCounter(_ core: Int, _ content: [UInt8]) {
    guard core < counters.count else { return }
    counters[core].set(content)
    // Until its true value is set, by an empty content.
    isCounterSet[core] = !content.isEmpty
  }

  /// Two bits of the pattern for each core: it sleeps on, works, wakes at the end, or works half of the
  /// time.
  func pass(_ span: UInt64, _ pattern: UInt8) {
    for core in 0..<Self.coreCount {
      let what = pattern >> UInt8(2 * core) & 3
      let busy = what == 1 ? span : what == 3 ? span / 2 : 0
      busyNanoseconds[core] += busy
      idleRest[core] += span - busy
      busyRest[core] += busy
      idleTicks[core] &+= Int64(idleRest[core] / 10_000_000)
      busyTicks[core] &+= Int64(busyRest[core] / 10_000_000)
      idleRest[core] %= 10_000_000
      busyRest[core] %= 10_000_000
      sleeping[core] += span - busy
      if what != 0 {
        idleMicroseconds[core] &+= Int64(sleeping[core] / 1000)
        sleeping[core] = 0
      }
    }
  }

  func write() {
    var text = "cpu  1 0 0 1\n"
    for core in 0..<Self.coreCount where isOnline[core] {
      text += "cpu\(core) \(busyTicks[core]) 0 0 \(idleTicks[core]) 0 0 0 0 0 0\n"
    }
    stat.set(rawStat ?? Array(text.utf8))
    for (core, file) in counters.enumerated() where !isCounterSet[core] {
      file.set(Array("\(idleMicroseconds[core])\n".utf8))
    }
  }
}
