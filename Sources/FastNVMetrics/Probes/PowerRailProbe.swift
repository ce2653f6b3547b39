/// One power rail: millivolts and milliamperes of an INA3221 channel or the like.
struct PowerRailProbe: ~Copyable, Probe {
  private var voltage: Node
  private var current: Node
  private var voltageCadence = Cadence()
  private var currentCadence = Cadence()
  private let pace: Pace
  private var isVoltageGood = false
  private var isCurrentGood = false

  /// Millivolts, milliamperes, and the bits of milliwatts, NaN where a read failed.
  static var wordCount: Int { 3 }

  /// Nanoseconds between reads; 0: at every tick.
  struct Pace {
    var voltage: UInt64
    var current: UInt64
  }

  init(_ rail: PowerRailConfig, board: BoardConfig, pace: Pace, keeper: NodeKeeper) {
    let root = Root(board.root)
    self.pace = pace
    voltage = keeper.node(
      board.isDetected
        ? .rail(rail.voltagePath, label: rail.label, isCurrent: false, root)
        : .fixed(rail.voltagePath))
    current = keeper.node(
      board.isDetected
        ? .rail(rail.currentPath, label: rail.label, isCurrent: true, root)
        : .fixed(rail.currentPath))
  }

  /// Whether a read can take long: a transaction on a bus that others use too.
  static func canBlock(_ rail: PowerRailConfig, _ board: BoardConfig) -> Bool {
    Node.canBlock(rail.voltagePath, board) || Node.canBlock(rail.currentPath, board)
  }

  var interval: UInt64 { min(pace.voltage, pace.current) }

  /// Where a read fails the integers hold the last good values and the power is NaN.
  ///
  /// Shunt currents are signed and can be slightly negative near zero; the field is not, so they
  /// are stored as 0 and counted.
  mutating func read(
    at now: UInt64, into words: UnsafeMutablePointer<UInt32>, _ scratch: borrowing Scratch,
    _ tally: inout ReadTally
  ) -> Bool {
    let interval = interval
    var hasRead = false
    if voltageCadence.isDue(at: now, every: pace.voltage, tick: interval) {
      hasRead = true
      let millivolts = voltage.integer(scratch)
      isVoltageGood = millivolts.isGood
      if millivolts.isGood {
        words[0] = Self.clamped(millivolts.value)
      } else {
        // Not held for as long as a good one.
        voltageCadence.reset()
        if voltage.wasEverOpen { tally.errors &+= 1 }
      }
    }
    if currentCadence.isDue(at: now, every: pace.current, tick: interval) {
      hasRead = true
      let milliamperes = current.integer(scratch)
      isCurrentGood = milliamperes.isGood
      if milliamperes.isGood {
        words[1] = Self.clamped(milliamperes.value)
        if milliamperes.value < 0 { tally.negativeCurrents &+= 1 }
      } else {
        currentCadence.reset()
        if current.wasEverOpen { tally.errors &+= 1 }
      }
    }
    let power =
      isVoltageGood && isCurrentGood
      ? Float(Double(words[0]) * Double(words[1]) / 1000) : Float.nan
    words[2] = power.bitPattern
    return hasRead
  }

  private static func clamped(_ value: Int64) -> UInt32 {
    UInt32(truncatingIfNeeded: min(max(value, 0), Int64(UInt32.max)))
  }
}

/// All rails of a board, one after the other.
struct PowerRailProbes: ~Copyable, SampleSource {
  private let rails: UnsafeMutablePointer<PacedProbe<PowerRailProbe>>
  private let count: Int

  init(_ board: BoardConfig, _ plan: ReadPlan, keeper: NodeKeeper, roster: ProbeRoster) {
    count = board.powerRails.count
    rails = .allocate(capacity: max(count, 1))
    for (i, rail) in board.powerRails.enumerated() {
      let paced = roster.add(
        PowerRailProbe(rail, board: board, pace: plan.rail(rail), keeper: keeper),
        name: rail.label, tier: Tier.medium, tick: plan.mediumTick,
        canBlock: PowerRailProbe.canBlock(rail, board))
      // Not known before the first read.
      paced.words[2] = Float.nan.bitPattern
      (rails + i).initialize(to: paced)
    }
  }

  deinit {
    rails.deinitialize(count: count)
    rails.deallocate()
  }

  var isEmpty: Bool { count == 0 }

  func align(to deadline: UInt64) {
    for i in 0..<count { rails[i].align(to: deadline) }
  }

  mutating func fill(
    _ record: UnsafeMutableRawPointer, at now: UInt64, _ scratch: borrowing Scratch,
    _ tally: inout ReadTally
  ) {
    typealias At = TraceFormat.Medium
    var now = now
    for i in 0..<count {
      now = rails[i].update(at: now, scratch, &tally)
      let words = rails[i].words
      record.storeBytes(of: words[0], toByteOffset: At.voltage &+ 4 &* i, as: UInt32.self)
      record.storeBytes(of: words[1], toByteOffset: At.current &+ 4 &* i, as: UInt32.self)
      record.storeBytes(of: words[2], toByteOffset: At.power &+ 4 &* i, as: UInt32.self)
    }
  }
}
