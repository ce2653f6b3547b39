internal import CFastNVMetricsShims

/// The clock that everything in a trace is timed by.
enum Clock {
  /// CLOCK_MONOTONIC, in nanoseconds.
  static func monotonic() -> UInt64 { fnvm_sys_monotonic_ns() }
}

/// What the clocks said at one moment, in nanoseconds.
struct ClockReading {
  var monotonic: UInt64
  /// For people and for other traces.
  var realtime: UInt64
  /// Like the monotonic one, but that it goes on while the machine is suspended.
  var boottime: UInt64

  /// At a time of CLOCK_MONOTONIC that is a moment ago.
  init(at monotonic: UInt64) {
    self.monotonic = monotonic
    let age = fnvm_sys_monotonic_ns() &- monotonic
    realtime = fnvm_sys_realtime_ns() &- age
    boottime = fnvm_sys_boottime_ns() &- age
  }
}
