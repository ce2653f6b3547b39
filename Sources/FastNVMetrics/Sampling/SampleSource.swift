/// What a tier reads at each tick.
protocol SampleSource: ~Copyable {
  /// Fills in everything of a record but its time.
  ///
  /// - Parameter now: CLOCK_MONOTONIC, the time of the record.
  mutating func fill(
    _ record: UnsafeMutableRawPointer, at now: UInt64, _ scratch: borrowing Scratch,
    _ tally: inout ReadTally)

  /// Whether it reads nothing: a sample of it is a time and no more.
  var isEmpty: Bool { get }

  /// Tells threads that read for the tier when it ticks.
  func align(to deadline: UInt64)
}

/// The tiers by number, as the trace orders them.
enum Tier {
  static var fast: Int { 0 }
  static var medium: Int { 1 }
  static var slow: Int { 2 }
  static var count: Int { 3 }
}
