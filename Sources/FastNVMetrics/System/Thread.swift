internal import CFastNVMetricsShims

/// A running thread with every signal blocked, a name, and timer slack of 1 ns.
///
/// Must be joined: whoever starts one keeps it until `join`.
struct Thread: Sendable {
  private let handle: UInt

  /// - Parameters:
  ///   - name: at most 15 bytes; shown by `top -H` and `gdb`.
  ///   - context: handed to `body`; must live until `join` returns.
  /// - Throws: `.thread` with the errno of `pthread_create(3)`.
  init(
    name: String, context: UnsafeMutableRawPointer,
    body: @convention(c) (UnsafeMutableRawPointer?) -> Void
  ) throws(FNVMError) {
    var handle: UInt = 0
    let result = name.withCString { fnvm_sys_thread_start(&handle, $0, body, context) }
    guard result == 0 else {
      throw FNVMError(
        .thread, errno: -result,
        "cannot start the thread \(name): \(errorText(-result)); is the limit of threads (ulimit -u) reached?"
      )
    }
    self.handle = handle
  }

  func join() { fnvm_sys_thread_join(handle) }
}
