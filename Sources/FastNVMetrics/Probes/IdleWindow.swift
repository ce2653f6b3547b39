/// The newest samples' idle time of each CPU: what is still open for correction.
///
/// A sleep is credited only when it ends, so what a sample says of a core can change until the
/// sample is closed. Samples are addressed by their number; the window keeps as many as fit.
struct IdleWindow: ~Copyable {
  /// The interval that each sample covers, in nanoseconds.
  private let intervals: UnsafeMutablePointer<Int64>
  /// Idle nanoseconds in it, by sample and CPU.
  private let idle: UnsafeMutablePointer<Int64>
  private let mask: UInt64
  private let cpuCount: Int

  /// Not known yet: the core's counter stood still.
  static var unknown: Int64 { -1 }
  /// The core was offline.
  static var offline: Int64 { -2 }

  /// - Parameter capacity: a power of two.
  init(capacity: Int, cpuCount: Int) {
    intervals = .allocate(capacity: capacity)
    intervals.initialize(repeating: 0, count: capacity)
    idle = .allocate(capacity: capacity * cpuCount)
    idle.initialize(repeating: Self.unknown, count: capacity * cpuCount)
    mask = UInt64(capacity - 1)
    self.cpuCount = cpuCount
  }

  deinit {
    intervals.deallocate()
    idle.deallocate()
  }

  var capacity: UInt64 { mask + 1 }

  func interval(_ sample: UInt64) -> Int64 { intervals[Int(truncatingIfNeeded: sample & mask)] }

  func setInterval(_ sample: UInt64, _ nanoseconds: Int64) {
    intervals[Int(truncatingIfNeeded: sample & mask)] = nanoseconds
  }

  /// The cell of a sample and a CPU.
  func cell(_ sample: UInt64, _ cpu: Int) -> UnsafeMutablePointer<Int64> {
    idle + (Int(truncatingIfNeeded: sample & mask) &* cpuCount &+ cpu)
  }

  /// Puts idle time that ended in `newest` into it and, what does not fit, into the samples before
  /// it, back to `oldest`. Open samples between that it does not reach were busy.
  ///
  /// When in `newest` the core woke nobody knows. Where it may have slept since the sample before, half of
  /// the interval is the guess that is wrong by the least.
  ///
  /// - Returns: what did not fit.
  func fillBackwards(cpu: Int, newest: UInt64, oldest: UInt64, amount: Int64) -> Int64 {
    var rest = amount
    let mayHaveSleptOn = newest > oldest && cell(newest &- 1, cpu).pointee == Self.unknown
    let interval = interval(newest)
    rest = fill(cpu, newest, upTo: mayHaveSleptOn ? interval / 2 : interval, with: rest)
    var sample = newest
    while sample > oldest {
      sample &-= 1
      rest = fill(cpu, sample, upTo: self.interval(sample), with: rest)
    }
    return fill(cpu, newest, upTo: interval, with: rest)
  }

  /// - Returns: what is over.
  private func fill(_ cpu: Int, _ sample: UInt64, upTo limit: Int64, with amount: Int64) -> Int64 {
    let cell = cell(sample, cpu)
    if cell.pointee == Self.offline { return amount }
    let known = cell.pointee > 0 ? cell.pointee : 0
    let taken = max(min(amount, limit &- known), 0)
    cell.pointee = known &+ taken
    return amount &- taken
  }

  /// Makes samples from `oldest` up to `end` unknown again.
  ///
  /// - Returns: the idle time that they had.
  func takeBack(cpu: Int, oldest: UInt64, end: UInt64) -> Int64 {
    var taken: Int64 = 0
    var sample = oldest
    while sample < end {
      let cell = cell(sample, cpu)
      if cell.pointee > 0 { taken &+= cell.pointee }
      if cell.pointee != Self.offline { cell.pointee = Self.unknown }
      sample &+= 1
    }
    return taken
  }

  /// Gives every unknown sample from `oldest` to `newest` the same share of idle time, 0 to 1.
  func settle(cpu: Int, oldest: UInt64, newest: UInt64, share: Double) {
    var sample = oldest
    while sample <= newest {
      let cell = cell(sample, cpu)
      if cell.pointee == Self.unknown { cell.pointee = Int64(Double(interval(sample)) * share) }
      sample &+= 1
    }
  }
}
