internal import Synchronization

/// A probe that can block, read by a thread of its own: the tier takes its newest value, and however long a read
/// takes, the columns of the other probes keep their times.
///
/// A read of a sick device can take seconds and cannot be called off. So the thread keeps alive all that it uses,
/// and a recording that ends leaves it to itself.
final class ProbeThread<P: Probe & ~Copyable>: @unchecked Sendable {
  // The probe, the words and the tally are used by the thread alone; the rest is constant.
  private let probe: UnsafeMutablePointer<P>
  private let words: UnsafeMutablePointer<UInt32>
  private let scratch = Scratch(byteCount: 4096)
  private let status: ProbeStatus
  private let tick: UInt64
  /// The nodes of the probe point into it.
  private let keeper: NodeKeeper

  init(_ probe: consuming P, _ status: ProbeStatus, tick: UInt64, keeper: NodeKeeper) {
    self.probe = .allocate(capacity: 1)
    self.probe.initialize(to: probe)
    words = .allocate(capacity: P.wordCount)
    words.initialize(repeating: 0, count: P.wordCount)
    self.status = status
    self.tick = tick
    self.keeper = keeper
  }

  deinit {
    // The nodes go before the keeper.
    probe.deinitialize(count: 1)
    probe.deallocate()
    words.deallocate()
  }

  /// The body of the thread, until `stop` is posted.
  func run(stop: FutexReference) {
    var tally = ReadTally()
    /// What the next reading is for: a tick of the tier, or a time of the probe's own.
    var target = Clock.monotonic()
    var lead = ReadLead()
    while stop.value == 0 {
      let began = Clock.monotonic()
      let before = tally
      status.counters.pointee.readingSince.store(began, ordering: .relaxed)
      let hasRead = probe.pointee.read(at: began, into: words, scratch, &tally)
      status.counters.pointee.readingSince.store(0, ordering: .relaxed)
      let ended = Clock.monotonic()
      if hasRead {
        status.counters.pointee.noteRead(nanoseconds: ended &- began, tally, before: before)
        status.mailbox.pointee.put(words, time: began)
      }
      let interval = probe.pointee.interval
      if interval > tick {
        lead = ReadLead()
        target &+= interval
        // Times that are past are skipped, as ticks are: a slow device is not read back to back.
        if target <= ended { target &+= ((ended &- target) / interval &+ 1) &* interval }
      } else {
        lead.follow(ended &- began, tick: tick)
        // A reading that is done early is not followed by another one for the same tick.
        target = nextTick(after: max(ended &+ lead.nanoseconds, target), last: target)
      }
      if stop.wait(while: 0, until: target &- lead.nanoseconds) { return }
    }
  }

  /// The first tick of the tier after that time, or of a grid of its own while the tier's is not known.
  private func nextTick(after time: UInt64, last: UInt64) -> UInt64 {
    let known = status.mailbox.pointee.tierDeadline.load(ordering: .relaxed)
    let grid = known > 0 ? known : last
    if time < grid { return grid &- (grid &- time &- 1) / tick &* tick }
    return grid &+ ((time &- grid) / tick &+ 1) &* tick
  }
}

/// How long before a tick of the tier a reading must begin to be done by then.
struct ReadLead {
  private(set) var nanoseconds: UInt64 = 0

  /// Follows a reading that got longer at once, one that got shorter so slowly that it is still long enough for
  /// the tenth reading after, which takes twice as long where a rail's voltage is due with its current.
  mutating func follow(_ reading: UInt64, tick: UInt64) {
    nanoseconds = min(max(nanoseconds &- nanoseconds / 64, reading &* 5 / 4), tick / 2)
  }
}
