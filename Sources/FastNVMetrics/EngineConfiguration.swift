/// How to record. The corresponding C type is `fnvm_options`.
public struct EngineConfiguration: Equatable, Sendable {
  /// What a rate can be, in Hz.
  public static let rateRange: ClosedRange<UInt32> = 1...20_000

  /// GPU, CPU, RAM and EMC samples per second.
  public var fastHz: UInt32
  /// Power rail samples per second.
  public var mediumHz: UInt32
  /// Thermal zone samples per second.
  public var slowHz: UInt32

  /// How often the disk is made to keep what was written (`fdatasync`): a power cut loses at most this and
  /// a quarter of a second. 0: only at the end. A crash of the program loses at most a quarter of a second
  /// either way.
  public var flushIntervalMilliseconds: UInt32

  /// A configuration; what is not given has its usual value.
  public init(
    fastHz: UInt32 = 1000, mediumHz: UInt32 = 100, slowHz: UInt32 = 10,
    flushIntervalMilliseconds: UInt32 = 1000
  ) {
    self.fastHz = fastHz
    self.mediumHz = mediumHz
    self.slowHz = slowHz
    self.flushIntervalMilliseconds = flushIntervalMilliseconds
  }

  /// - Throws: `.invalid`.
  func validate() throws(FNVMError) {
    for (name, rate) in [("fast_hz", fastHz), ("medium_hz", mediumHz), ("slow_hz", slowHz)]
    where !Self.rateRange.contains(rate) {
      throw FNVMError(.invalid, "\(name) is 1 to 20000 Hz, not \(rate)")
    }
  }
}
