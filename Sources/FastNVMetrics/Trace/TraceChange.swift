internal import Synchronization

/// From where on the spool writes to another trace. Samples go by their time: those before the cut are the old
/// trace's, whenever they come.
final class TraceChange: @unchecked Sendable {
  // `isOver` is used by the spool's thread alone; the rest is constant, or an atomic.
  let next: OpenTrace
  /// Posted when the spool is done with the old trace.
  let done = FutexWord(0)
  /// Whether no sample of that tier can come any more that is the old trace's.
  var isOver = [Bool](repeating: false, count: Tier.count)
  /// Nanoseconds since the start of the recording.
  private let cut: UInt64
  /// How many records each tier had begun by then, or a moment later.
  private let begun: [UInt64]
  /// The period of a tier that reads nothing and notes the times of its ticks late; 0: it has something to read.
  private let lateBy: [UInt64]
  private let lost: @Sendable (UInt64) -> Void
  private let deadline: UInt64

  /// A disk that takes nothing of the old trace for so long is waited for no longer.
  private static let patience: UInt64 = 500_000_000

  init(
    to next: OpenTrace, begun: [UInt64], lateBy: [UInt64],
    lost: @escaping @Sendable (UInt64) -> Void
  ) {
    self.next = next
    cut = next.offset
    self.begun = begun
    self.lateBy = lateBy
    self.lost = lost
    deadline = Clock.monotonic() &+ Self.patience
  }

  /// How many of a tier's records, which are in the order of their times, are the old trace's.
  func recordsBefore(in bytes: UnsafeRawBufferPointer, size: Int) -> Int {
    var count = 0
    while count * size < bytes.count,
      SampleTime.nanoseconds(in: bytes, at: count * size) < cut
    {
      count += 1
    }
    return count
  }

  /// Whether nothing before the cut can come any more.
  ///
  /// - Parameters:
  ///   - drained: how many records of the tier were.
  ///   - newest: the time of the last of them.
  func isOver(_ tier: Int, drained: UInt64, newest: UInt64) -> Bool {
    // A tier that reads begins a record before it takes its time; one that does not keeps to its grid.
    lateBy[tier] == 0 ? drained >= begun[tier] : newest > 0 && newest &+ lateBy[tier] >= cut
  }

  /// Whether the old trace was waited for long enough.
  var isOverdue: Bool { Clock.monotonic() >= deadline }

  /// Counts samples that the old trace was not able to take.
  func countLost(_ count: UInt64) { lost(count) }
}
