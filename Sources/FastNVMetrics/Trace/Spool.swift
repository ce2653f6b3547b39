internal import Synchronization

/// Drains the rings to disk, on a thread of its own: a slow disk never delays a tick.
final class Spool: @unchecked Sendable {
  // `rings`, `files` and `firstError` are used by the spool's thread while it runs, and by the
  // thread that joined it afterwards.
  private let files: TraceFiles
  private let marks: Marks
  private let fast: RingConsumer
  private let medium: RingConsumer
  private let slow: RingConsumer
  private(set) var firstError: FNVMError?
  /// Brings the header up to date, so that a crash leaves counts of a second ago.
  private let refreshHeader: () -> Void

  /// Of fast samples a crash loses at most this, what is open for correction, and one write.
  private static let interval: UInt64 = 75_000_000
  /// The other streams are small, and nothing in them is open for correction: they wait for another round.
  private static let roundsPerSmallStream = 2
  private static let roundsPerHeader = 14

  init(
    files: TraceFiles, marks: Marks, fast: RingConsumer, medium: RingConsumer,
    slow: RingConsumer,
    refreshHeader: @escaping () -> Void
  ) {
    self.refreshHeader = refreshHeader
    self.files = files
    self.marks = marks
    self.fast = fast
    self.medium = medium
    self.slow = slow
  }

  /// The body of the thread, until `stop` is posted.
  ///
  /// - Parameter word: 0: nothing; 1: stop; 2: somebody waits for room (`SpoolRequest`).
  func run(_ word: FutexReference) {
    var rounds = 0
    var next = Clock.monotonic() &+ Self.interval
    while true {
      if word.wait(while: 0, until: next) {
        if !word.replace(SpoolRequest.wanted, by: 0) { return }
        drainSmallStreams()
        continue
      }
      next = Clock.monotonic() &+ Self.interval
      rounds += 1
      drain(fast, to: .fast)
      if rounds % Self.roundsPerSmallStream == 0 { drainSmallStreams() }
      if rounds % Self.roundsPerHeader == 1 { refreshHeader() }
    }
  }

  /// Samples that no disk took: lost, once nobody drains any more.
  var undrained: UInt64 { fast.undrained + medium.undrained + slow.undrained }

  /// Writes everything that is closed.
  func drain() {
    drain(fast, to: .fast)
    drainSmallStreams()
  }

  private func drainSmallStreams() {
    drain(medium, to: .medium)
    drain(slow, to: .slow)
    note(marks.flush(to: files))
  }

  private func drain(_ ring: RingConsumer, to stream: TraceStream) {
    while true {
      let (bytes, count) = ring.pending()
      if count == 0 { return }
      let (written, error) = files.append(bytes, to: stream)
      ring.drain(UInt64(written))
      note(error)
      // Tried again in the next round: space may be found, and meanwhile the ring holds on.
      if error != 0 { return }
    }
  }

  private func note(_ error: CInt) {
    if error == 0 || firstError != nil { return }
    firstError = .io(
      error, "write the trace", files.path, hint: "what was written until then is kept")
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
