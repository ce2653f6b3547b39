/// How much an engine has recorded, and what it had to leave out. The corresponding C type is
/// `fnvm_counts`.
public struct EngineCounts: Equatable, Sendable {
  /// Samples taken.
  public var fastSamples: UInt64 = 0
  /// Samples taken.
  public var mediumSamples: UInt64 = 0
  /// Samples taken.
  public var slowSamples: UInt64 = 0
  /// Phase boundaries marked.
  public var syncPoints: UInt64 = 0
  /// Deadlines skipped because the tier was late.
  public var missedFast: UInt64 = 0
  /// Deadlines skipped because the tier was late.
  public var missedMedium: UInt64 = 0
  /// Deadlines skipped because the tier was late.
  public var missedSlow: UInt64 = 0
  /// Samples lost because the disk could not keep up.
  public var droppedSamples: UInt64 = 0
  /// Failed reads of any source; a zone that is powered down is none.
  public var readErrors: UInt64 = 0
  /// Currents below zero, stored as 0.
  public var negativeCurrents: UInt64 = 0

  /// Where GPU load comes from at this moment.
  public var gpuSource = GPUSource.none

  /// Whether EMC utilisation was read.
  var isEMCAvailable = false

  /// Nothing recorded.
  public init() {}
}
