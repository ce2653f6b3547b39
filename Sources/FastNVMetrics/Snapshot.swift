/// The newest sample of each tier of a recording.
public struct Snapshot: Sendable, Equatable {
  /// CLOCK_MONOTONIC at t = 0.
  public var startMonotonicNanoseconds: UInt64
  /// GPU, RAM and EMC now; CPU utilisation of about 100 ms before, NaN at first.
  public var fast: FastSample?
  /// The power rails.
  public var medium: MediumSample?
  /// The thermal zones.
  public var slow: SlowSample?
}
