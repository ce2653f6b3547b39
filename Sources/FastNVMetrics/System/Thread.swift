internal import CFastNVMetricsShims
internal import Synchronization

/// A running thread with every signal blocked, a name, and timer slack of 1 ns.
///
/// Whoever starts one ends it with `join` or `detach`, once.
final class Thread: Sendable {
  private let handle: UInt
  private let state: State

  /// What the thread itself keeps alive: a detached one outlives its `Thread`.
  private final class State: Sendable {
    let body: @Sendable () -> Void
    let id = Atomic<CInt>(0)
    let begun = FutexWord(0)
    let ended = FutexWord(0)
    /// CPU time of the whole of it, once it ended.
    let cpuNanoseconds = Atomic<UInt64>(0)

    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }

  private init(_ handle: UInt, _ state: State) {
    self.handle = handle
    self.state = state
  }

  /// - Parameters:
  ///   - name: at most 15 bytes; shown by `top -H` and `gdb`.
  ///   - body: what it does; kept until it ends.
  /// - Throws: `.thread` with the errno of `pthread_create(3)`.
  static func start(
    _ name: String, _ body: @escaping @Sendable () -> Void
  ) throws(FNVMError) -> Thread {
    let state = State(body)
    let context = Unmanaged.passRetained(state)
    var handle: UInt = 0
    let result = name.withCString {
      fnvm_sys_thread_start(&handle, $0, run, context.toOpaque())
    }
    guard result == 0 else {
      context.release()
      throw FNVMError(
        .thread, errno: -result,
        joined(
          "cannot start the thread ", name, ": ", errorText(-result),
          "; is the limit of threads (ulimit -u) reached?")
      )
    }
    return Thread(handle, state)
  }

  private static let run: @convention(c) (UnsafeMutableRawPointer?) -> Void = { context in
    guard let context else { return }
    let state = Unmanaged<State>.fromOpaque(context).takeRetainedValue()
    let id = fnvm_sys_thread_id()
    state.id.store(id, ordering: .relaxed)
    state.begun.reference.post(1)
    state.body()
    state.cpuNanoseconds.store(fnvm_sys_thread_cpu_ns(id), ordering: .releasing)
    state.ended.reference.post(1)
  }

  /// CPU time so far, also after its end. Any thread.
  var cpuNanoseconds: UInt64 {
    let running = fnvm_sys_thread_cpu_ns(state.id.load(ordering: .relaxed))
    // Asked for last: of a thread that has ended, another one may have the number by now.
    let whole = state.cpuNanoseconds.load(ordering: .acquiring)
    return whole > 0 ? whole : running
  }

  /// Waits for its body to end.
  ///
  /// - Parameter deadline: CLOCK_MONOTONIC.
  /// - Returns: whether it did.
  func hasEnded(by deadline: UInt64) -> Bool {
    state.ended.reference.wait(while: 0, until: deadline)
  }

  func join() { fnvm_sys_thread_join(handle) }

  /// It goes when it ends, whenever that is.
  func detach() { fnvm_sys_thread_detach(handle) }

  /// SCHED_FIFO with that priority. 0 or an errno.
  func setRealtime(priority: UInt32) -> CInt {
    // While it sets itself up it chooses a policy of its own.
    _ = state.begun.reference.wait(while: 0, until: .max)
    return -fnvm_sys_thread_set_realtime(handle, CInt(clamping: priority))
  }

  /// Runs on that CPU alone. 0 or an errno.
  func setCPU(_ cpu: UInt32) -> CInt { -fnvm_sys_thread_set_cpu(handle, cpu) }
}
