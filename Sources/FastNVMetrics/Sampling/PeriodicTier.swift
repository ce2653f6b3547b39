internal import Synchronization

/// The medium tier: the power rails.
typealias MediumTier = PeriodicTier<PowerRailProbes>
/// The slow tier: the thermal zones.
typealias SlowTier = PeriodicTier<ThermalProbes>

/// A tier whose samples are final as soon as they are taken.
struct PeriodicTier<Source: SampleSource & ~Copyable>: ~Copyable {
  private var source: Source
  private var ring: RingProducer
  private let counters: UnsafeMutablePointer<TierCounters>
  private let scratch: Scratch
  private let period: UInt64
  private var tally = ReadTally()
  private var dropped: UInt64 = 0

  init(
    _ source: consuming Source, period: UInt64, ring: RingProducer,
    counters: UnsafeMutablePointer<TierCounters>
  ) {
    self.source = source
    self.ring = ring
    self.counters = counters
    scratch = Scratch(byteCount: 256)
    self.period = period
  }

  /// Waits for the warm-up, then samples until the tier is stopped.
  fileprivate mutating func run(startTime: UInt64, stop: FutexReference, warm: FutexReference) {
    _ = warm.wait(while: 0, until: .max)
    var ticker = Ticker(first: Clock.monotonic(), period: period, stop: stop)
    source.align(to: ticker.deadline)
    while ticker.wait() == .tick {
      sample(startTime: startTime, deadline: ticker.deadline)
      ticker.advance(now: Clock.monotonic())
      counters.pointee.missed.store(ticker.missed, ordering: .relaxed)
      counters.pointee.dropped.store(dropped, ordering: .relaxed)
    }
  }

  private mutating func sample(startTime: UInt64, deadline: UInt64) {
    guard ring.hasRoom(forClosing: false) else {
      dropped &+= 1
      return
    }
    let record = ring.begin()
    let now = Clock.monotonic()
    counters.pointee.lateness.note(now &- deadline)
    // Every record begins with its time.
    record.storeBytes(of: Double(now &- startTime) / 1e9, as: Double.self)
    source.fill(record, at: now, scratch, &tally)
    ring.take()
    ring.close(before: ring.next)
  }
}

// The bodies of the two threads. The attributes prove nothing on a generic function, so they stand here,
// where the types are known.

#if CHECK_TICK
  @_noLocks @_noAllocation
#endif
func runMediumTier(
  _ tier: inout MediumTier, startTime: UInt64, stop: FutexReference, warm: FutexReference
) {
  tier.run(startTime: startTime, stop: stop, warm: warm)
}

#if CHECK_TICK
  @_noLocks @_noAllocation
#endif
func runSlowTier(
  _ tier: inout SlowTier, startTime: UInt64, stop: FutexReference, warm: FutexReference
) {
  tier.run(startTime: startTime, stop: stop, warm: warm)
}
