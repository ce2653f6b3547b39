internal import Synchronization

/// What a tier holds of a probe: its values, read by the tier itself when they are due, or taken from the
/// thread that reads them.
struct PacedProbe<P: Probe & ~Copyable>: ~Copyable {
  /// nil where a thread of its own has it.
  private let probe: UnsafeMutablePointer<P>?
  /// The newest values, and room to take new ones.
  let words: UnsafeMutablePointer<UInt32>
  private let counters: UnsafeMutablePointer<ProbeCounters>
  private let mailbox: UnsafeMutablePointer<ProbeMailbox>
  private let tick: UInt64
  private var cadence = Cadence()
  private var readTime: UInt64 = 0

  /// - Parameters:
  ///   - probe: owned from here on; nil where the thread of `status` has it.
  ///   - status: must outlive the tier.
  init(_ probe: UnsafeMutablePointer<P>?, _ status: ProbeStatus, tick: UInt64) {
    self.probe = probe
    counters = status.counters
    mailbox = status.mailbox
    self.tick = tick
    words = .allocate(capacity: 2 * P.wordCount)
    words.initialize(repeating: 0, count: 2 * P.wordCount)
  }

  deinit {
    if let probe {
      probe.deinitialize(count: 1)
      probe.deallocate()
    }
    words.deallocate()
  }

  /// Brings `words` up to date for a sample.
  ///
  /// - Parameter now: CLOCK_MONOTONIC.
  /// - Returns: the time afterwards.
  mutating func update(
    at now: UInt64, _ scratch: borrowing Scratch, _ tally: inout ReadTally
  ) -> UInt64 {
    guard let probe else {
      if let time = mailbox.pointee.take(into: words, words + P.wordCount) { readTime = time }
      if readTime > 0 { counters.pointee.noteTaken(age: now > readTime ? now &- readTime : 0) }
      return now
    }
    let before = tally
    if cadence.isDue(at: now, every: probe.pointee.interval, tick: tick),
      probe.pointee.read(at: now, into: words, scratch, &tally)
    {
      let after = Clock.monotonic()
      counters.pointee.noteRead(nanoseconds: after &- now, tally, before: before)
      readTime = now
      counters.pointee.noteTaken(age: 0)
      return after
    }
    if readTime > 0 { counters.pointee.noteTaken(age: now &- readTime) }
    return now
  }

  /// Tells the probe's thread when the tier ticks.
  func align(to deadline: UInt64) {
    mailbox.pointee.tierDeadline.store(deadline, ordering: .relaxed)
  }
}
