/// Has the disk keep what was written, at an interval, on a thread of its own: however slow the disk is, it
/// delays nobody.
final class Flusher: @unchecked Sendable {
  // `firstError` is used by the flusher's thread while it runs, and by the thread that joined it
  // afterwards.
  private let files: TraceFiles
  private let interval: UInt64
  private(set) var firstError: FNVMError?

  /// - Parameter interval: nanoseconds, above 0.
  init(files: TraceFiles, interval: UInt64) {
    self.files = files
    self.interval = interval
  }

  /// The body of the thread, until `stop` is posted.
  func run(stop: FutexReference) {
    note(files.flushNames())
    while !stop.wait(while: 0, until: Clock.monotonic() &+ interval) { note(files.flush()) }
  }

  private func note(_ error: CInt) {
    if error == 0 || firstError != nil { return }
    firstError = .io(error, "flush the trace", files.path)
  }
}
