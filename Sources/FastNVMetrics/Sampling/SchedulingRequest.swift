internal import CFastNVMetricsShims

/// What the user asked of the scheduler for the threads that sample, and what was not permitted: that is told, and
/// the recording goes on.
struct SchedulingRequest {
  private let priority: UInt32
  private let cpu: UInt32?
  private var realtimeError: CInt = 0
  private var cpuError: CInt = 0
  private var lockError: CInt = 0

  /// Nothing was asked.
  init() {
    priority = 0
    cpu = nil
  }

  init(_ configuration: EngineConfiguration) {
    priority = configuration.realtimePriority
    cpu = configuration.cpu
  }

  /// - Parameter isTier: whether it is the thread of a tier. The others come after those: on one CPU a read that
  ///   spins in the kernel would hold up a tick.
  mutating func apply(to thread: Thread, isTier: Bool) {
    if priority > 0 {
      let error = thread.setRealtime(priority: isTier ? priority : max(priority, 2) - 1)
      if error != 0 { realtimeError = error }
    }
    if let cpu {
      let error = thread.setCPU(cpu)
      if error != 0 { cpuError = error }
    }
  }

  /// Keeps memory that the threads use from being paged out; part of realtime.
  mutating func lock(_ memory: UnsafeMutableRawBufferPointer) {
    if priority == 0 { return }
    let error = -fnvm_sys_lock_memory(memory.baseAddress, memory.count)
    if error != 0 { lockError = error }
  }

  /// A sentence for each thing that was not to be had.
  var notices: [String] {
    var notices: [String] = []
    if realtimeError != 0 {
      notices.append(
        joined(
          "The sampling threads run without realtime priority ", decimal(priority), ": ",
          errorText(realtimeError),
          "; it takes root, CAP_SYS_NICE or a limit (ulimit -r) of at least that.")
      )
    }
    if lockError != 0 {
      notices.append(
        joined(
          "The rings are not locked in memory: ", errorText(lockError),
          "; it takes root, CAP_IPC_LOCK or a higher limit (ulimit -l).")
      )
    }
    if cpuError != 0, let cpu {
      notices.append(
        joined(
          "The sampling threads run on any CPU and not on CPU ", decimal(cpu), " alone: ",
          errorText(cpuError), "; is it there, online and allowed to this process (taskset -p)?")
      )
    }
    return notices
  }
}
