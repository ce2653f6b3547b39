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
  private let offset: UInt64
  private var tally = ReadTally()
  private var dropped: UInt64 = 0

  /// - Parameter offset: how long after the warm-up the first tick is, so that it does not meet another tier's: they
  ///   would hold each other up on one CPU, again and again.
  init(
    _ source: consuming Source, period: UInt64, offset: UInt64, ring: RingProducer,
    counters: UnsafeMutablePointer<TierCounters>
  ) {
    self.source = source
    self.ring = ring
    self.counters = counters
    scratch = Scratch(byteCount: 256)
    self.period = period
    self.offset = offset
  }

  /// A tier without anything to read need not wake for each of its ticks. What a crash loses is at most this and
  /// the two rounds that the spool lets small streams wait.
  private static var batchNanoseconds: UInt64 { 50_000_000 }

  /// Waits for the warm-up, then samples until the tier is stopped.
  fileprivate mutating func run(startTime: UInt64, stop: FutexReference, warm: FutexReference) {
    _ = warm.wait(while: 0, until: .max)
    if source.isEmpty { return runEmpty(startTime: startTime, stop: stop) }
    var ticker = Ticker(first: Clock.monotonic() &+ offset, period: period, stop: stop)
    source.align(to: ticker.deadline)
    while ticker.wait() == .tick {
      if ring.hasRoom(forClosing: false) {
        let record = ring.begin()
        let now = Clock.monotonic()
        counters.pointee.lateness.note(now &- ticker.deadline)
        store(now &- startTime, into: record)
        source.fill(record, at: now, scratch, &tally)
        take()
      } else {
        drop()
      }
      ticker.advance(now: Clock.monotonic())
      counters.pointee.missed.store(ticker.missed, ordering: .relaxed)
    }
  }

  /// The times of the ticks that would have been, in batches: there is nothing that could be late.
  private mutating func runEmpty(startTime: UInt64, stop: FutexReference) {
    var next = Clock.monotonic() &+ offset
    let batch = max(period, Self.batchNanoseconds)
    var missed: UInt64 = 0
    var isStopped = false
    while !isStopped {
      isStopped = stop.wait(while: 0, until: next &+ batch &- period)
      let now = Clock.monotonic()
      // Nor did a process that stood still take any: what is past is skipped and counted, here as anywhere.
      if now > next &+ 2 &* batch {
        let skipped = (now &- next &- batch) / period
        next &+= skipped &* period
        missed &+= skipped
        counters.pointee.missed.store(missed, ordering: .relaxed)
      }
      while next <= now {
        if ring.hasRoom(forClosing: false) {
          store(next &- startTime, into: ring.begin())
          counters.pointee.lateness.note(0)
          take()
        } else {
          drop()
        }
        next &+= period
      }
    }
  }

  /// Every record begins with its time.
  private func store(_ nanoseconds: UInt64, into record: UnsafeMutableRawPointer) {
    record.storeBytes(of: Double(nanoseconds) / 1e9, as: Double.self)
  }

  private mutating func take() {
    ring.take()
    ring.close(before: ring.next)
  }

  private mutating func drop() {
    dropped &+= 1
    counters.pointee.dropped.store(dropped, ordering: .relaxed)
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
