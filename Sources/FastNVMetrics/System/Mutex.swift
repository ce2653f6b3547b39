internal import CFastNVMetricsShims

/// A pthread mutex for set-up and control; `Synchronization.Mutex` does not exist in Embedded Swift.
package final class ControlMutex: @unchecked Sendable {
  // A mutex must not move: it is known by its address.
  private let storage: UnsafeMutablePointer<fnvm_sys_mutex>

  package init() {
    storage = .allocate(capacity: 1)
    fnvm_sys_mutex_init(storage)
  }

  deinit {
    fnvm_sys_mutex_destroy(storage)
    storage.deallocate()
  }

  package func locked<Result, Failure: Error>(
    _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    fnvm_sys_mutex_lock(storage)
    defer { fnvm_sys_mutex_unlock(storage) }
    return try body()
  }
}
