/// What a tier reads at each tick.
protocol SampleSource: ~Copyable {
  /// Reads everything into a record, behind its time.
  mutating func fill(
    _ record: UnsafeMutableRawPointer, _ scratch: borrowing Scratch, _ tally: inout ReadTally)
}

/// What a tier counts while it reads.
struct ReadTally {
  /// Reads that failed.
  var errors: UInt64 = 0
  /// Currents below zero.
  var negativeCurrents: UInt64 = 0
}
