import FastNVMetrics
import Foundation

/// Advances the CPU counters of a fixture with the time that passes, on a thread of its own.
final class SimulatedCores: @unchecked Sendable {
  // `online` is guarded by `lock`; the rest is constant.
  private let tree: FixtureTree
  private let loads: [Load]
  private let hasIdleStates: Bool
  private let begin = SimulatedCores.now
  private let lock = NSLock()
  private var online: [Bool]
  private var isStopping = false
  private let ended = DispatchSemaphore(value: 0)

  /// What a core does.
  enum Load: Sendable {
    /// In every 20 ms it works for this share, then sleeps.
    case share(Double)
    /// It never wakes: its idle counter stands still, /proc/stat counts on.
    case asleep
    /// It never sleeps.
    case busy
  }

  fileprivate init(_ tree: FixtureTree, _ loads: [Load], hasIdleStates: Bool) throws {
    self.tree = tree
    self.loads = loads
    self.hasIdleStates = hasIdleStates
    online = loads.map { _ in true }
    if hasIdleStates {
      for core in loads.indices {
        try tree.write(Self.idlePath(core, state: 0), Self.padded(1_000) + "\n")
        try tree.write(Self.idlePath(core, state: 1), Self.padded(5_000_000) + "\n")
      }
    }
    try tree.write("proc/stat", stat(elapsed: 0))
    let thread = Foundation.Thread { self.run() }
    thread.start()
  }

  /// Takes a core offline, or brings it back.
  func set(_ core: Int, online isOnline: Bool) { lock.withLock { online[core] = isOnline } }

  fileprivate func stop() {
    lock.withLock { isStopping = true }
    ended.wait()
  }

  private func run() {
    while !lock.withLock({ isStopping }) {
      let elapsed = Self.now &- begin
      try? tree.rewrite("proc/stat", stat(elapsed: elapsed))
      if hasIdleStates {
        for core in loads.indices {
          let idle = credited(loads[core], elapsed) / 1000
          try? tree.rewrite(Self.idlePath(core, state: 1), Self.padded(5_000_000 + idle))
        }
      }
      usleep(1000)
    }
    ended.signal()
  }

  /// Idle nanoseconds until now.
  private func idle(_ load: Load, _ elapsed: UInt64) -> UInt64 {
    switch load {
    case .asleep: return elapsed
    case .busy: return 0
    case .share(let share):
      let busy = UInt64(share * 20e6)
      let part = elapsed % 20_000_000
      return elapsed / 20_000_000 * (20_000_000 - busy) + (part > busy ? part - busy : 0)
    }
  }

  /// Idle nanoseconds in sleeps that have ended.
  private func credited(_ load: Load, _ elapsed: UInt64) -> UInt64 {
    if case .share = load { return idle(load, elapsed / 20_000_000 * 20_000_000) }
    return 0
  }

  private func stat(elapsed: UInt64) -> String {
    var lines = "cpu  00000100 0 0 00000900 0 0 0 0 0 0\n"
    let online = lock.withLock { self.online }
    for core in loads.indices where online[core] {
      let idle = idle(loads[core], elapsed)
      let busyTicks = (elapsed - idle) / 10_000_000
      lines +=
        "cpu\(core) \(Self.padded(1000 + busyTicks)) 0 0 \(Self.padded(9000 + idle / 10_000_000)) 0 0 0 0 0 0\n"
    }
    lines += "intr 1 0\n"
    // As long as with all cores online: what is rewritten in place must not leave a rest of itself.
    let size = 64 * (loads.count + 2)
    return lines + String(repeating: "\n", count: size - lines.utf8.count)
  }

  private static func idlePath(_ core: Int, state: Int) -> String {
    "sys/devices/system/cpu/cpu\(core)/cpuidle/state\(state)/time"
  }

  private static func padded(_ number: UInt64) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, 12 - digits.count)) + digits
  }

  private static var now: UInt64 { clock_gettime_nsec(CLOCK_MONOTONIC) }
}

/// Nanoseconds of a clock.
func clock_gettime_nsec(_ clock: clockid_t) -> UInt64 {
  var time = timespec()
  clock_gettime(clock, &time)
  return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

extension FixtureTree {
  /// Runs the body while the cores work.
  func withCores<Result>(
    _ loads: [SimulatedCores.Load], hasIdleStates: Bool = false,
    _ body: (SimulatedCores) throws -> Result
  ) throws -> Result {
    let cores = try SimulatedCores(self, loads, hasIdleStates: hasIdleStates)
    defer { cores.stop() }
    return try body(cores)
  }
}
