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
struct GPUProbe: ~Copyable {
  private var load: Node
  private var counters: GPUCounters
  private var runtimeStatus: Node
  private var railgated: Node
  private var held: UInt16 = 0
  /// What the header says of the GPU: where load was last read from.
  private(set) var source = GPUSource.none

  // The comparison of the two.
  private var areCountersBelieved = true
  /// Whether `load` took the place of counters that it had contradicted for seconds.
  private(set) var wasContradicted = false
  private var nextCheck: UInt64 = 0
  private var disagreements = 0
  private var lastBusy: UInt64 = 0
  private var lastGoodCounters: UInt64 = 0

  /// A read of `load` keeps the GPU from power-gating for 500 ms: while it idles it is asked less.
  private static var checkPeriod: UInt64 { 500_000_000 }
  private static var idleCheckPeriod: UInt64 { 2_000_000_000 }
  private static var idleAfter: UInt64 { 1_000_000_000 }
  /// Per mille, and how many times in a row.
  private static var tolerance: Int { 250 }
  private static var patience: Int { 4 }
  /// Counters that do not count for this long while the GPU is awake are none.
  private static var longestStandstill: UInt64 { 100_000_000 }

  init(_ board: BoardConfig, keeper: NodeKeeper) {
    let path = board.gpuLoadPath
    let locator: NodeLocator =
      board.isDetected ? .gpuLoad(path, Root(board.root)) : .fixed(path)
    load = keeper.node(locator)
    runtimeStatus = keeper.node(.beside(locator, "power/runtime_status"))
    railgated = keeper.node(.beside(locator, "is_railgated"))
    counters = GPUCounters(keeper.node(.beside(locator, "counters")))
  }

  /// The load at `now`, 0 to 1000; the last good one where the read fails.
  mutating func read(
    at now: UInt64, _ scratch: borrowing Scratch, errors: inout UInt64
  ) -> UInt16 {
    // A suspended GPU is 0 and is not asked: its registers can only be read awake.
    if isSuspended(scratch) {
      counters.forget()
      lastGoodCounters = now
      held = 0
      if source == .none { source = .load }
      return 0
    }
    if areCountersBelieved, counters.isOpen {
      readCounters(at: now, scratch)
      // Before they have counted anything, `load` is better than nothing.
      if areCountersBelieved && source == .counters { return held }
    }
    if !counters.isOpen { lastGoodCounters = 0 }
    let reading = load.integer(scratch)
    if reading.isGood {
      held = UInt16(truncatingIfNeeded: min(max(reading.value, 0), 1000))
      source = .load
    } else if load.wasEverOpen {
      errors &+= 1
    }
    return held
  }

  private mutating func readCounters(at now: UInt64, _ scratch: borrowing Scratch) {
    if lastGoodCounters == 0 { lastGoodCounters = now }
    if let perMille = counters.read(at: now, scratch) {
      held = perMille
      source = .counters
      lastGoodCounters = now
      if perMille > 0 { lastBusy = now }
    } else if now &- lastGoodCounters > Self.longestStandstill {
      areCountersBelieved = false
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
