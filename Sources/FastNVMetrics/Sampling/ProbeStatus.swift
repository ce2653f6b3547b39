internal import Synchronization

/// What is known of one probe while it is read, and, where a thread of its own reads it, its newest values.
///
/// Written by whoever reads the probe, and its ages by the tier; read by any thread.
final class ProbeStatus: Sendable {
  /// What users know it by: "gpu", a rail's label, a zone's name.
  let name: String
  /// The tier that takes its values: 0 fast, 1 medium, 2 slow.
  let tier: Int
  /// Whether a thread of its own reads it.
  let hasOwnThread: Bool
  /// The tick path holds pointers, not objects: these live as long as this object.
  nonisolated(unsafe) let counters: UnsafeMutablePointer<ProbeCounters>
  nonisolated(unsafe) let mailbox: UnsafeMutablePointer<ProbeMailbox>

  init(name: String, tier: Int, hasOwnThread: Bool, wordCount: Int) {
    self.name = name
    self.tier = tier
    self.hasOwnThread = hasOwnThread
    counters = .allocate(capacity: 1)
    counters.initialize(to: ProbeCounters())
    mailbox = .allocate(capacity: 1)
    mailbox.initialize(to: ProbeMailbox(wordCount: wordCount))
  }

  deinit {
    counters.deinitialize(count: 1)
    counters.deallocate()
    mailbox.deinitialize(count: 1)
    mailbox.deallocate()
  }
}

/// How often a probe was read, how long that took, and how old its values were when they were taken.
struct ProbeCounters: ~Copyable {
  // By the reader.
  let reads = Atomic<UInt64>(0)
  let failures = Atomic<UInt64>(0)
  let negativeCurrents = Atomic<UInt64>(0)
  let readNanoseconds = Atomic<UInt64>(0)
  let longestRead = Atomic<UInt64>(0)
  /// When the read began that the probe's thread is at; 0: none. CLOCK_MONOTONIC.
  let readingSince = Atomic<UInt64>(0)
  // By the tier.
  let taken = Atomic<UInt64>(0)
  let ageNanoseconds = Atomic<UInt64>(0)
  let oldest = Atomic<UInt64>(0)

  /// Notes a read. One thread.
  func noteRead(nanoseconds: UInt64, _ tally: ReadTally, before: ReadTally) {
    reads.add(1)
    readNanoseconds.add(nanoseconds)
    if nanoseconds > longestRead.load(ordering: .relaxed) {
      longestRead.store(nanoseconds, ordering: .relaxed)
    }
    if tally.errors != before.errors { failures.add(tally.errors &- before.errors) }
    if tally.negativeCurrents != before.negativeCurrents {
      negativeCurrents.add(tally.negativeCurrents &- before.negativeCurrents)
    }
  }

  /// Notes that a sample took a value of that age. One thread.
  func noteTaken(age: UInt64) {
    taken.add(1)
    if age == 0 { return }
    ageNanoseconds.add(age)
    if age > oldest.load(ordering: .relaxed) { oldest.store(age, ordering: .relaxed) }
  }
}

extension Atomic where Value == UInt64 {
  /// Adds where one thread alone writes: without the cost of a locked instruction.
  func add(_ value: UInt64) { store(load(ordering: .relaxed) &+ value, ordering: .relaxed) }
}

/// The newest values of a probe that has a thread of its own, for the tier that takes them.
///
/// A sequence lock: odd while the writer is at work. The tier never waits for it; where it meets the writer again
/// and again it keeps what it has.
struct ProbeMailbox: ~Copyable {
  private let sequence = Atomic<UInt32>(0)
  private let time = Atomic<UInt64>(0)
  private let words: UnsafeMutablePointer<Atomic<UInt32>>
  private let wordCount: Int
  /// Deadlines of the tier, so that values can be fresh at its ticks; 0: not known yet.
  let tierDeadline = Atomic<UInt64>(0)

  init(wordCount: Int) {
    self.wordCount = wordCount
    words = .allocate(capacity: wordCount)
    for i in 0..<wordCount { (words + i).initialize(to: Atomic(0)) }
  }

  deinit {
    words.deinitialize(count: wordCount)
    words.deallocate()
  }

  /// By the probe's thread.
  ///
  /// - Parameter time: when its reading began.
  func put(_ values: UnsafePointer<UInt32>, time: UInt64) {
    let before = sequence.load(ordering: .relaxed)
    sequence.store(before &+ 1, ordering: .sequentiallyConsistent)
    for i in 0..<wordCount { words[i].store(values[i], ordering: .releasing) }
    self.time.store(time, ordering: .releasing)
    sequence.store(before &+ 2, ordering: .sequentiallyConsistent)
  }

  /// By the tier.
  ///
  /// - Parameter values: receives the newest values, where there are any that can be had now.
  /// - Returns: when their reading began; nil where nothing was received.
  func take(into values: UnsafeMutablePointer<UInt32>, _ spare: UnsafeMutablePointer<UInt32>)
    -> UInt64?
  {
    for _ in 0..<4 {
      let before = sequence.load(ordering: .sequentiallyConsistent)
      if before == 0 { return nil }
      if before & 1 == 1 { continue }
      for i in 0..<wordCount { spare[i] = words[i].load(ordering: .acquiring) }
      let time = time.load(ordering: .acquiring)
      if sequence.load(ordering: .sequentiallyConsistent) == before {
        for i in 0..<wordCount { values[i] = spare[i] }
        return time
      }
    }
    return nil
  }
}
