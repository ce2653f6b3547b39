internal import Synchronization

/// What a recording did and what it cost. Readable while it runs.
public struct EngineStats: Sendable {
  /// One of the three tiers.
  public struct Tier: Sendable {
    /// The rate that was asked for, in Hz.
    public var rateHz: UInt32
    /// Ticks at which a sample was taken.
    public var samples: UInt64
    /// Deadlines skipped because the tier was late.
    public var missed: UInt64
    /// Samples for which there was no room, because the disk could not keep up.
    public var dropped: UInt64
    /// How late ticks began, the warm-up and the closing sample apart.
    public var lateness: Lateness
  }

  /// One source: the GPU, all CPUs, RAM, the memory controller, a rail, a zone.
  public struct Source: Sendable {
    /// "gpu", "cpu", "ram", "emc", a rail's label, a zone's name.
    public var name: String
    /// The tier that takes its values: 0 fast, 1 medium, 2 slow.
    public var tier: Int
    /// Whether a thread of its own reads it, because it can block; the tier then takes its newest value.
    public var hasOwnThread: Bool
    /// How often it was read.
    public var reads: UInt64
    /// How many reads failed.
    public var failures: UInt64
    /// Time spent in reads.
    public var readNanoseconds: UInt64
    /// The longest of them.
    public var longestReadNanoseconds: UInt64
    /// The mean age of its values when samples took them.
    public var meanAgeNanoseconds: UInt64 { taken == 0 ? 0 : ageNanoseconds / taken }
    /// The oldest value that a sample took.
    public var oldestNanoseconds: UInt64

    /// How often a sample took its value, and how old those were together.
    private var taken: UInt64
    private var ageNanoseconds: UInt64

    init(_ status: ProbeStatus) {
      let counters = status.counters
      name = status.name
      tier = status.tier
      hasOwnThread = status.hasOwnThread
      reads = counters.pointee.reads.load(ordering: .relaxed)
      failures = counters.pointee.failures.load(ordering: .relaxed)
      readNanoseconds = counters.pointee.readNanoseconds.load(ordering: .relaxed)
      longestReadNanoseconds = counters.pointee.longestRead.load(ordering: .relaxed)
      taken = counters.pointee.taken.load(ordering: .relaxed)
      ageNanoseconds = counters.pointee.ageNanoseconds.load(ordering: .relaxed)
      oldestNanoseconds = counters.pointee.oldest.load(ordering: .relaxed)
    }

    /// Leaves out what was before; the longest and the oldest stay those of all.
    mutating func leaveOut(_ earlier: Source) {
      reads &-= earlier.reads
      failures &-= earlier.failures
      readNanoseconds &-= earlier.readNanoseconds
      taken &-= earlier.taken
      ageNanoseconds &-= earlier.ageNanoseconds
    }
  }

  /// Since t = 0, until now or the end.
  public var elapsedNanoseconds: UInt64 = 0
  /// CPU time of the threads that sample: the tiers', and those of sources that have their own.
  public var cpuNanoseconds: UInt64 = 0
  /// Fast, medium, slow; empty before the first start.
  public var tiers: [Tier] = []
  /// In the order of the tiers and of their columns.
  public var sources: [Source] = []

  /// The share of one core that sampling took, 0 to 1 for each thread.
  public var cpuShare: Double {
    elapsedNanoseconds == 0 ? 0 : Double(cpuNanoseconds) / Double(elapsedNanoseconds)
  }

  init() {}

  /// What was added since an earlier moment of the same recording; nil: its start.
  func since(_ earlier: EngineStats?) -> EngineStats {
    guard let earlier else { return self }
    var stats = self
    stats.elapsedNanoseconds &-= earlier.elapsedNanoseconds
    stats.cpuNanoseconds &-= earlier.cpuNanoseconds
    for (i, before) in earlier.tiers.enumerated() {
      stats.tiers[i].samples &-= before.samples
      stats.tiers[i].missed &-= before.missed
      stats.tiers[i].dropped &-= before.dropped
      stats.tiers[i].lateness.leaveOut(before.lateness)
    }
    for (i, before) in earlier.sources.enumerated() { stats.sources[i].leaveOut(before) }
    return stats
  }
}
