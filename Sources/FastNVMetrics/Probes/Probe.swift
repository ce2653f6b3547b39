/// One source of values: what it reads, and how often that makes sense.
///
/// Values are 32-bit words in memory that whoever drives the probe owns; between reads they hold what was read
/// last.
protocol Probe: ~Copyable, SendableMetatype {
  /// How many words it fills.
  static var wordCount: Int { get }

  /// Nanoseconds after which it wants to be read again; 0: at every tick.
  var interval: UInt64 { get }

  /// Reads what is due.
  ///
  /// - Parameters:
  ///   - now: CLOCK_MONOTONIC.
  ///   - words: `wordCount` of them, as the last call left them; zeros before the first.
  /// - Returns: whether anything was read.
  mutating func read(
    at now: UInt64, into words: UnsafeMutablePointer<UInt32>, _ scratch: borrowing Scratch,
    _ tally: inout ReadTally
  ) -> Bool
}

/// What a probe counts while it reads.
struct ReadTally {
  /// Reads that failed.
  var errors: UInt64 = 0
  /// Currents below zero.
  var negativeCurrents: UInt64 = 0
}
