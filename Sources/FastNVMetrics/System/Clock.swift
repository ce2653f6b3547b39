internal import CFastNVMetricsShims

/// The clocks, in nanoseconds.
enum Clock {
  /// CLOCK_MONOTONIC: the time of everything in a trace.
  static func monotonic() -> UInt64 { fnvm_sys_monotonic_ns() }

  /// CLOCK_REALTIME, for people and for other traces.
  static func realtime() -> UInt64 { fnvm_sys_realtime_ns() }
}
