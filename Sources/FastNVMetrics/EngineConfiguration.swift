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

  /// A configuration; what is not given has its usual value.
  public init(fastHz: UInt32 = 1000, mediumHz: UInt32 = 100, slowHz: UInt32 = 10) {
    self.fastHz = fastHz
    self.mediumHz = mediumHz
    self.slowHz = slowHz
  }

  /// - Throws: `.invalid`.
  func validate() throws(FNVMError) {
    for (name, rate) in [("fast_hz", fastHz), ("medium_hz", mediumHz), ("slow_hz", slowHz)]
    where !Self.rateRange.contains(rate) {
      throw FNVMError(.invalid, "\(name) is 1 to 20000 Hz, not \(rate)")
    }
  }
}
