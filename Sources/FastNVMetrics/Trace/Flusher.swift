/// Has the disk keep what was written, at an interval, on a thread of its own: however slow the disk is, it
/// delays nobody.
final class Flusher: Sendable {
  private let interval: UInt64
  private let current: @Sendable () -> OpenTrace

  /// - Parameters:
  ///   - interval: nanoseconds, above 0.
  ///   - current: the trace that is being recorded.
  init(interval: UInt64, current: @escaping @Sendable () -> OpenTrace) {
    self.interval = interval
    self.current = current
  }

  /// The body of the thread, until `stop` is posted.
  func run(stop: FutexReference) {
    var trace = current()
    trace.flushNames()
    while !stop.wait(while: 0, until: Clock.monotonic() &+ interval) {
      let now = current()
      if now !== trace {
        trace = now
        trace.flushNames()
      }
      trace.flush()
    }
  }
}
