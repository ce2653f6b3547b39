internal import Synchronization

/// The medium tier: the power rails.
struct MediumTier: ~Copyable {
  private var ring: RingProducer
  private let counters: UnsafeMutablePointer<TierCounters>
  private let scratch: Scratch
  private let rails: UnsafeMutablePointer<PowerRailProbe>
  private let railCount: Int
  private let period: UInt64
  private var errors: UInt64 = 0
  private var negatives: UInt64 = 0
  private var dropped: UInt64 = 0

  init(
    board: BoardConfig, rateHz: UInt32, ring: RingProducer,
    counters: UnsafeMutablePointer<TierCounters>, keeper: NodeKeeper
  ) {
    period = 1_000_000_000 / UInt64(rateHz)
    self.ring = ring
    self.counters = counters
    scratch = Scratch(byteCount: 256)
    railCount = board.powerRails.count
    rails = .allocate(capacity: max(railCount, 1))
    for (i, rail) in board.powerRails.enumerated() {
      (rails + i).initialize(to: PowerRailProbe(rail, board: board, keeper: keeper))
    }
  }

  deinit {
    rails.deinitialize(count: railCount)
    rails.deallocate()
  }

  /// The body of the thread: waits for the warm-up, then samples until the tier is stopped.
  #if CHECK_TICK
    @_noLocks @_noAllocation
  #endif
  mutating func run(startTime: UInt64, stop: FutexReference, warm: FutexReference) {
    _ = warm.wait(while: 0, until: .max)
    var ticker = Ticker(first: Clock.monotonic(), period: period, stop: stop)
    while ticker.wait() == .tick {
      sample(startTime: startTime)
      ticker.advance(now: Clock.monotonic())
      counters.pointee.missed.store(ticker.missed, ordering: .relaxed)
      counters.pointee.dropped.store(dropped, ordering: .relaxed)
      counters.pointee.readErrors.store(errors, ordering: .relaxed)
      counters.pointee.negativeCurrents.store(negatives, ordering: .relaxed)
    }
  }

  private mutating func sample(startTime: UInt64) {
    guard ring.hasRoom(forClosing: false) else {
      dropped &+= 1
      return
    }
    let record = ring.begin()
    typealias At = TraceFormat.Medium
    record.storeBytes(
      of: Double(Clock.monotonic() &- startTime) / 1e9, toByteOffset: At.time, as: Double.self)
    let rails = rails
    for i in 0..<railCount {
      let power = rails[i].read(scratch, errors: &errors, negatives: &negatives)
      record.storeBytes(of: power.voltageMV, toByteOffset: At.voltage &+ 4 &* i, as: UInt32.self)
      record.storeBytes(of: power.currentMA, toByteOffset: At.current &+ 4 &* i, as: UInt32.self)
      record.storeBytes(of: power.powerMW, toByteOffset: At.power &+ 4 &* i, as: Float.self)
    }
    ring.take()
    ring.close(before: ring.next)
  }
}
