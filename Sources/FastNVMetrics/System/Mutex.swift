internal import CFastNVMetricsShims

/// A pthread mutex for set-up and control; `Synchronization.Mutex` does not exist in Embedded
/// Swift.
package final class ControlMutex: @unchecked Sendable {
  private let mutex: UnsafeMutableRawPointer

  package init() { mutex = fnvm_sys_mutex_create() }

  deinit { fnvm_sys_mutex_destroy(mutex) }

  /// Free again, whoever held it: only in a forked child, where its holder does not exist.
  func reset() { fnvm_sys_mutex_reset(mutex) }

  package func locked<Result, Failure: Error>(
    _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    fnvm_sys_mutex_lock(mutex)
    defer { fnvm_sys_mutex_unlock(mutex) }
    return try body()
  }
}
