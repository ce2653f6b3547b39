internal import Synchronization

/// The slow tier: the thermal zones.
struct SlowTier: ~Copyable {
  private var ring: RingProducer
  private let counters: UnsafeMutablePointer<TierCounters>
  private let scratch: Scratch
  private let zones: UnsafeMutablePointer<ThermalProbe>
  private let zoneCount: Int
  private let period: UInt64
  private var errors: UInt64 = 0
  private var dropped: UInt64 = 0

  init(
    board: BoardConfig, rateHz: UInt32, ring: RingProducer,
    counters: UnsafeMutablePointer<TierCounters>, keeper: NodeKeeper
  ) {
    period = 1_000_000_000 / UInt64(rateHz)
    self.ring = ring
    self.counters = counters
    scratch = Scratch(byteCount: 256)
    zoneCount = board.thermalZones.count
    zones = .allocate(capacity: max(zoneCount, 1))
    for (i, zone) in board.thermalZones.enumerated() {
      (zones + i).initialize(to: ThermalProbe(zone, board: board, keeper: keeper))
    }
  }

  deinit {
    zones.deinitialize(count: zoneCount)
    zones.deallocate()
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
    }
  }

  private mutating func sample(startTime: UInt64) {
    guard ring.hasRoom(forClosing: false) else {
      dropped &+= 1
      return
    }
    let record = ring.begin()
    record.storeBytes(
      of: Double(Clock.monotonic() &- startTime) / 1e9, toByteOffset: TraceFormat.Slow.time,
      as: Double.self)
    let zones = zones
    for i in 0..<zoneCount {
      record.storeBytes(
        of: zones[i].read(scratch, errors: &errors),
        toByteOffset: TraceFormat.Slow.temperature &+ 4 &* i, as: Float.self)
    }
    ring.take()
    ring.close(before: ring.next)
  }
}
