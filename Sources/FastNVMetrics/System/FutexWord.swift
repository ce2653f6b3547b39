internal import CFastNVMetricsShims
internal import Synchronization

/// A 32-bit word that threads can sleep on until it changes or an absolute time comes.
///
/// Lives at a fixed address for as long as the value: the kernel knows it by its address.
struct FutexWord: ~Copyable, @unchecked Sendable {
  // The memory is allocated for this word alone and only reached through Atomic.
  private let storage: UnsafeMutablePointer<Atomic<UInt32>>

  init(_ value: UInt32) {
    storage = .allocate(capacity: 1)
    storage.initialize(to: Atomic(value))
  }

  deinit {
    storage.deinitialize(count: 1)
    storage.deallocate()
  }

  /// What the tick path holds of it: a pointer. Valid while the word lives.
  var reference: FutexReference { FutexReference(storage: storage) }
}

/// A borrowed `FutexWord`.
struct FutexReference: @unchecked Sendable {
  fileprivate let storage: UnsafeMutablePointer<Atomic<UInt32>>

  var value: UInt32 { storage.pointee.load(ordering: .acquiring) }

  /// Stores and wakes everyone who sleeps on the word.
  func post(_ value: UInt32) {
    storage.pointee.store(value, ordering: .sequentiallyConsistent)
    wakeAll()
  }

  private func wakeAll() {
    fnvm_sys_futex_wake_all(UnsafeRawPointer(storage).assumingMemoryBound(to: UInt32.self))
  }

  /// Stores where the word is `expected`.
  ///
  /// - Returns: whether it was.
  func replace(_ expected: UInt32, by value: UInt32) -> Bool {
    storage.pointee.compareExchange(
      expected: expected, desired: value, ordering: .sequentiallyConsistent
    ).exchanged
  }

  /// Stores where the word is `expected`, and wakes everyone who sleeps on it then.
  func replaceAndWake(_ expected: UInt32, by value: UInt32) {
    if replace(expected, by: value) { wakeAll() }
  }

  /// Sleeps while the word is `expected`, until `deadline` (CLOCK_MONOTONIC; `.max`: for ever).
  ///
  /// - Returns: whether the word is something else now.
  func wait(while expected: UInt32, until deadline: UInt64) -> Bool {
    while value == expected {
      if deadline != .max && Clock.monotonic() >= deadline { return false }
      fnvm_sys_futex_wait(
        UnsafeRawPointer(storage).assumingMemoryBound(to: UInt32.self), expected, deadline)
    }
    return true
  }
}
