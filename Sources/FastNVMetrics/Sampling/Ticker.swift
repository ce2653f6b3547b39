/// The deadlines of a tier: absolute, on a grid that being late does not move.
struct Ticker {
  private let period: UInt64
  private(set) var deadline: UInt64
  /// Deadlines that had passed before the tier was ready for them.
  private(set) var missed: UInt64 = 0
  private let stop: FutexReference

  enum Event {
    case tick
    case stopped
  }

  /// - Parameters:
  ///   - first: the first deadline.
  ///   - period: nanoseconds between deadlines, at least 1.
  ///   - stop: posted to end the tier; a sleeping one is woken.
  init(first: UInt64, period: UInt64, stop: FutexReference) {
    deadline = first
    self.period = period
    self.stop = stop
  }

  /// Sleeps until the deadline, or until the tier is stopped.
  func wait() -> Event { stop.wait(while: 0, until: deadline) ? .stopped : .tick }

  /// Goes to the next deadline in the future: ticks that are past are skipped and counted, never
  /// fired back to back.
  mutating func advance(now: UInt64) {
    deadline &+= period
    if deadline <= now {
      let skipped = (now &- deadline) / period &+ 1
      missed &+= skipped
      deadline &+= skipped &* period
    }
  }
}
