internal import Synchronization

/// Drains the rings to disk, on a thread of its own: a slow disk never delays a tick.
final class Spool: @unchecked Sendable {
  // `requested` is guarded by `gate`; the rest is used by the spool's thread while it runs, and by the thread that
  // joined it afterwards.
  private let rings: [RingConsumer]
  private let counts: () -> EngineCounts
  private var trace: OpenTrace
  /// The time of the newest sample of each tier that was drained, nanoseconds since the start; 0: there is none.
  private var newest: [UInt64] = Array(repeating: 0, count: Tier.count)
  private let gate = ControlMutex()
  private var requested: TraceChange?
  private var change: TraceChange?

  /// Of fast samples a crash loses at most this, what is open for correction, and one write.
  private static let interval: UInt64 = 75_000_000
  /// The other streams are small, and nothing in them is open for correction: they wait for another round.
  private static let roundsPerSmallStream = 2
  private static let roundsPerHeader = 14
  /// While somebody waits for another trace.
  private static let changeInterval: UInt64 = 15_000_000

  /// - Parameters:
  ///   - trace: where to.
  ///   - rings: of the three tiers.
  ///   - counts: what the header is to say.
  init(trace: OpenTrace, rings: [RingConsumer], counts: @escaping () -> EngineCounts) {
    self.trace = trace
    self.rings = rings
    self.counts = counts
  }

  /// The body of the thread, until `stop` is posted.
  ///
  /// - Parameter word: 0: nothing; 1: stop; 2: somebody waits for room, or for another trace (`SpoolRequest`).
  func run(_ word: FutexReference) {
    var rounds = 0
    trace.files.letGoOfReplaced()
    trace.keepMetadata()
    var next = Clock.monotonic() &+ Self.interval
    while true {
      if word.wait(while: 0, until: next) {
        if !word.replace(SpoolRequest.wanted, by: 0) { return }
        takeRequest()
        drainSmallStreams()
        continue
      }
      next = Clock.monotonic() &+ (change == nil ? Self.interval : Self.changeInterval)
      rounds += 1
      drain(Tier.fast)
      if change != nil || rounds % Self.roundsPerSmallStream == 0 { drainSmallStreams() }
      if rounds % Self.roundsPerHeader == 1 { trace.refreshHeader(counts()) }
    }
  }

  /// Asks for another trace; `done` of the change says when. From any one thread, while the spool runs.
  func request(_ change: TraceChange, _ request: SpoolRequest) {
    gate.locked { requested = change }
    request.post()
  }

  private func takeRequest() {
    if change != nil { return }
    gate.locked { swap(&change, &requested) }
  }

  /// Samples that no disk took: lost, once nobody drains any more.
  var undrained: UInt64 { rings.reduce(0) { $0 + $1.undrained } }

  /// Writes everything that is closed.
  func drain() {
    drain(Tier.fast)
    drainSmallStreams()
  }

  private func drainSmallStreams() {
    drain(Tier.medium)
    drain(Tier.slow)
    trace.flushMarks()
    if let change {
      change.next.flushMarks()
      finish(change)
    }
    trace.keepMetadata()
  }

  private func drain(_ tier: Int) {
    guard let stream = TraceStream(rawValue: tier) else { return }
    let ring = rings[tier]
    while true {
      var (bytes, count) = ring.pending()
      var target = trace
      if let change {
        let old = change.isOver[tier] ? 0 : change.recordsBefore(in: bytes, size: stream.recordSize)
        if old == 0 && count > 0 {
          change.isOver[tier] = true
          target = change.next
        } else if !change.isOver[tier] {
          count = UInt64(old)
          bytes = UnsafeRawBufferPointer(rebasing: bytes[..<(old * stream.recordSize)])
        }
      }
      if count == 0 { break }
      var written = UInt64(target.append(bytes, to: stream))
      if let change, written < count, target === trace, change.isOverdue {
        // The old trace must not hold up the new one for longer than the ring has room.
        trace.lost += count - written
        change.countLost(count - written)
        written = count
      }
      if written > 0 {
        newest[tier] = SampleTime.nanoseconds(in: bytes, at: Int(written - 1) * stream.recordSize)
      }
      ring.drain(written)
      // Tried again in the next round: space may be found, and meanwhile the ring holds on.
      if written < count { break }
    }
    if let change, !change.isOver[tier] {
      change.isOver[tier] = change.isOver(tier, drained: ring.drained, newest: newest[tier])
    }
  }

  /// Lets the old trace go once it has all that is its own.
  private func finish(_ change: TraceChange) {
    if change.isOver.contains(false) { return }
    trace = change.next
    self.change = nil
    change.done.reference.post(1)
  }
}

/// Asks the spool to write before its time.
struct SpoolRequest {
  fileprivate static var wanted: UInt32 { 2 }
  private let word: FutexReference

  /// - Parameter word: the one that the spool sleeps on.
  init(_ word: FutexReference) { self.word = word }

  func post() { word.replaceAndWake(0, by: Self.wanted) }
}
