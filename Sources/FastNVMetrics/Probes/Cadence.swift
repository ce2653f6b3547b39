/// When something that has its own rate is due, asked at ticks that are not its own.
struct Cadence {
  private var next: UInt64 = 0

  /// Whether it is due, as near to its own time as ticks allow.
  ///
  /// - Parameters:
  ///   - interval: nanoseconds between two times; 0: always.
  ///   - tick: nanoseconds between two questions.
  mutating func isDue(at now: UInt64, every interval: UInt64, tick: UInt64) -> Bool {
    if interval <= tick { return true }
    if now &+ tick / 2 < next { return false }
    // On a grid of its own, unless it is far behind or the interval has changed.
    let following = next &+ interval
    next = following > now && next > 0 ? following : now &+ interval
    return true
  }

  /// Forgets when it was due: it is due now.
  mutating func reset() { next = 0 }
}
