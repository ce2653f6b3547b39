/// Where GPU load comes from.
public enum GPUSource: UInt32, Sendable {
  /// Nowhere: there is no node.
  case none = 0
  /// `load`: what the GPU's firmware says, refreshed every 16.7 ms.
  case load = 1
  /// `counters`: busy and total cycles, a utilisation for each interval.
  case counters = 2
}

/// GPU load, per mille of time in which any engine was busy.
///
/// `counters`, where it is there, says it for each interval and costs microseconds; whether retail
/// boards have it nobody here could see, so it is checked against `load`, which wins when they
/// disagree for long.
struct GPUProbe: ~Copyable, Probe {
  private var load: Node
  private var counters: GPUCounters
  private var runtimeStatus: Node
  private var railgated: Node
  private var held: UInt16 = 0
  /// Where load was last read from.
  private var source = GPUSource.none

  // The comparison of the two.
  private var areCountersBelieved = true
  /// Whether `load` took the place of counters that it had contradicted for seconds.
  private var wasContradicted = false
  private var nextCheck: UInt64 = 0
  private var disagreements = 0
  private var lastBusy: UInt64 = 0
  private var lastGoodCounters: UInt64 = 0

  /// The rate that somebody asked for; 0: none.
  private let wantedInterval: UInt64
  /// Whether `load` is read no faster than it changes, and an idle GPU left to sleep.
  private let isNative: Bool
  /// The last time that `load` was not 0, or was not read.
  private var lastLoad: UInt64 = 0

  /// `load` is refreshed every 16.7 ms.
  private static var refresh: UInt64 { 16_666_667 }

  /// A read of `load` keeps the GPU from power-gating for 500 ms: while it idles it is asked less.
  private static var checkPeriod: UInt64 { 500_000_000 }
  private static var idleCheckPeriod: UInt64 { 2_000_000_000 }
  private static var idleAfter: UInt64 { 1_000_000_000 }
  /// Per mille, and how many times in a row.
  private static var tolerance: Int { 250 }
  private static var patience: Int { 4 }
  /// Counters that do not count for this long while the GPU is awake are none.
  private static var longestStandstill: UInt64 { 100_000_000 }

  /// The load, per mille; where it is from (`GPUSource`); 1 once `load` has taken the place of counters.
  static var wordCount: Int { 3 }

  /// - Parameters:
  ///   - interval: nanoseconds between reads; 0: as the source is.
  ///   - isNative: whether the source is read no faster than it changes.
  init(_ board: BoardConfig, interval: UInt64, isNative: Bool, keeper: NodeKeeper) {
    wantedInterval = interval
    self.isNative = isNative && interval == 0
    let path = board.gpuLoadPath
    let locator: NodeLocator =
      board.isDetected ? .gpuLoad(path, Root(board.root)) : .fixed(path)
    load = keeper.node(locator)
    runtimeStatus = keeper.node(.beside(locator, "power/runtime_status"))
    railgated = keeper.node(.beside(locator, "is_railgated"))
    counters = GPUCounters(keeper.node(.beside(locator, "counters")))
  }

  /// Whether a read can take long: `load` asks the GPU's firmware.
  static func canBlock(_ board: BoardConfig) -> Bool { Node.canBlock(board.gpuLoadPath, board) }

  var interval: UInt64 {
    if load.isAbsent && !counters.isOpen { return max(wantedInterval, Node.absentInterval) }
    if wantedInterval > 0 || !isNative { return wantedInterval }
    return areCountersBelieved && counters.isOpen ? 0 : Self.refresh
  }

  /// Puts the load at `now`, 0 to 1000, into the first word; the last good one where the read fails.
  mutating func read(
    at now: UInt64, into words: UnsafeMutablePointer<UInt32>, _ scratch: borrowing Scratch,
    _ tally: inout ReadTally
  ) -> Bool {
    let hasRead = read(at: now, scratch, &tally)
    words[0] = UInt32(held)
    words[1] = source.rawValue
    words[2] = wasContradicted ? 1 : 0
    return hasRead
  }

  private mutating func read(
    at now: UInt64, _ scratch: borrowing Scratch, _ tally: inout ReadTally
  ) -> Bool {
    // A suspended GPU is 0 and is not asked: its registers can only be read awake.
    if isSuspended(scratch) {
      counters.forget()
      lastGoodCounters = now
      held = 0
      if source == .none { source = .load }
      return true
    }
    if areCountersBelieved, counters.isOpen {
      readCounters(at: now, scratch)
      // Before they have counted anything, `load` is better than nothing.
      if areCountersBelieved && source == .counters { return true }
    }
    if !counters.isOpen { lastGoodCounters = 0 }
    // A read keeps the GPU awake: one that idles is asked seldom enough to fall asleep.
    if isNative, held == 0, now &- lastLoad > Self.idleAfter, now < nextCheck { return false }
    let reading = load.integer(scratch)
    nextCheck = now &+ Self.idleCheckPeriod
    if reading.isGood {
      held = UInt16(truncatingIfNeeded: min(max(reading.value, 0), 1000))
      if held > 0 || lastLoad == 0 { lastLoad = now }
      source = .load
    } else if load.wasEverOpen {
      tally.errors &+= 1
    } else {
      return false
    }
    return true
  }

  /// Once counters are not believed, `load` is read at once: what they said last is not the load, and so no reason
  /// to let the GPU sleep.
  private mutating func readCounters(at now: UInt64, _ scratch: borrowing Scratch) {
    if lastGoodCounters == 0 { lastGoodCounters = now }
    if let perMille = counters.read(at: now, scratch) {
      held = perMille
      source = .counters
      lastGoodCounters = now
      if perMille > 0 { lastBusy = now }
    } else if now &- lastGoodCounters > Self.longestStandstill {
      areCountersBelieved = false
      nextCheck = 0
      return
    }
    guard now >= nextCheck, let recent = counters.recent else { return }
    let reading = load.integer(scratch)
    nextCheck = now &+ Self.checkPeriod
    if !reading.isGood { return }
    let difference = Int(truncatingIfNeeded: min(max(reading.value, 0), 1000)) &- recent
    let isFarOff = difference > Self.tolerance || difference < 0 &- Self.tolerance
    disagreements = isFarOff ? disagreements &+ 1 : 0
    if disagreements >= Self.patience {
      areCountersBelieved = false
      wasContradicted = true
      nextCheck = 0
      return
    }
    let isIdle = now &- lastBusy > Self.idleAfter && disagreements == 0
    if isIdle { nextCheck = now &+ Self.idleCheckPeriod }
  }

  private mutating func isSuspended(_ scratch: borrowing Scratch) -> Bool {
    let status = runtimeStatus.isThere ? runtimeStatus.read(scratch.base, 16) : 0
    if status > 0 {
      var scanner = ByteScanner(scratch.base, count: status)
      if scanner.consume("suspended") { return true }
      // "unsupported": the driver does without runtime power management.
      if scanner.consume("active") { return false }
    }
    guard railgated.isThere else { return false }
    let count = railgated.read(scratch.base, 16)
    if count <= 0 { return false }
    var scanner = ByteScanner(scratch.base, count: count)
    return scanner.consume("yes")
  }
}
