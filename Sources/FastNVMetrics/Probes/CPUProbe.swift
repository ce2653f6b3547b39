/// Utilisation of each CPU: what is not idle time, from two sources that complement each other.
///
/// The cpuidle counters are exact to the microsecond but stand still while a core sleeps and then
/// jump by the whole sleep, which is put back into the samples that it covered. /proc/stat counts a
/// sleep in progress, but in steps of 10 ms: it tells a core that sleeps for long from one that is
/// busy, and stands in where there is no cpuidle. Time that /proc/stat counted is never lost or
/// counted twice, so that the mean over a trace is the true utilisation either way.
///
/// A sample stays open for `openNanoseconds`; whoever drives the probe closes samples older than
/// that, in order, and gets their final values.
struct CPUProbe: ~Copyable {
  private let cores: UnsafeMutablePointer<Core>
  private let counters: UnsafeMutablePointer<IdleCounter>
  private let cpuCount: Int
  private var stat: ProcStat
  private let window: IdleWindow
  private var previousTime: UInt64 = 0
  private var nextStat: UInt64 = 0
  /// The first sample after the last reading of /proc/stat.
  private var statSample: UInt64 = 0
  private var firstOpen: UInt64 = 0
  private let usesCounters: Bool
  /// How long after the newest sample a block of /proc/stat can be judged next.
  private let stepNanoseconds: Int64
  /// How long a sample can still change.
  let openNanoseconds: UInt64

  /// The budget for correction; with a write every 75 ms a crash loses less than 250 ms.
  private static var longestOpen: UInt64 { 100_000_000 }
  private static var statPeriod: UInt64 { 10_000_000 }

  /// - Parameters:
  ///   - coreColumns: how many cores have a column in the trace. Those beyond count in the
  ///     aggregate.
  ///   - period: between fast samples, in nanoseconds.
  init(root: Root, coreColumns: Int, period: UInt64, keeper: NodeKeeper) {
    cpuCount = min(max(CPUList.end(root: root), coreColumns), 1024)
    stat = ProcStat(root: root, cpuCount: cpuCount, keeper: keeper)
    openNanoseconds = Self.longestOpen &- min(period, Self.longestOpen)
    stepNanoseconds = Int64(max(period, Self.statPeriod))
    // Of a sample longer than a few sleeps, most is still asleep when it ends: /proc/stat is better
    // there.
    usesCounters = period <= 25_000_000

    cores = .allocate(capacity: cpuCount)
    cores.initialize(repeating: Core(), count: cpuCount)
    counters = .allocate(capacity: cpuCount)
    for cpu in 0..<cpuCount {
      (counters + cpu).initialize(to: IdleCounter(cpu: cpu, root: root, keeper: keeper))
    }

    // Warm-up samples are at most 1 ms apart, however slow the tier is. Closed samples are looked
    // at for as long as a reading of /proc/stat is old.
    let shortest = min(period, 1_000_000)
    var capacity = 64
    while UInt64(capacity) * shortest < Self.longestOpen + 2 * Self.statPeriod { capacity *= 2 }
    window = IdleWindow(capacity: capacity, cpuCount: cpuCount)
  }

  deinit {
    counters.deinitialize(count: cpuCount)
    counters.deallocate()
    cores.deallocate()
  }

  private struct Core {
    var isOnline = false
    /// The idle counter at the last sample, in microseconds; negative: to be read afresh.
    var counter: Int64 = -1
    /// The sample in which the counter last moved; before it all is settled.
    var lastMoved: UInt64 = 0
    /// Samples before this one are settled.
    var unsettled: UInt64 = 0
    /// Idle nanoseconds that /proc/stat gave to samples since the counter last moved.
    var settledIdle: Int64 = 0
    /// Idle nanoseconds credited by the counter that belong to a sample already closed.
    var carry: Int64 = 0
    /// A counter that stands still for long although the core is neither asleep nor busy throughout
    /// cannot be believed: idle states can be disabled.
    var isTrusted = true
    var doubts = 0
    /// Up to where /proc/stat has been accounted for, and what it said then.
    var accountedTime: UInt64 = 0
    /// The first sample after that reading of /proc/stat, which can be older than `accountedTime`.
    var accountedSample: UInt64 = 0
    var accountedIdle: Int64 = 0
    var accountedTotal: Int64 = 0
    /// Idle nanoseconds that /proc/stat counted and no sample has got yet; negative: got in
    /// advance.
    var residual: Int64 = 0
    /// The share of idle time found last.
    var share: Double = 1
  }

  /// Reads the baseline: the first sample measures its own interval, from now on.
  mutating func begin(at now: UInt64, _ scratch: borrowing Scratch, errors: inout UInt64) {
    let hasStat = stat.read()
    if !hasStat { errors &+= 1 }
    for cpu in 0..<cpuCount {
      if !hasStat { stat.assumeOnline(cpu, usesCounters && counters[cpu].isPresent) }
      cores[cpu].isOnline = stat.cpus[cpu].isOnline
      cores[cpu].counter = usesCounters ? readCounter(cpu, scratch) : -1
      account(cpu, until: now)
    }
    previousTime = now
    nextStat = now &+ Self.statPeriod
  }

  /// Takes the sample of that number, one above the last one's.
  mutating func take(
    sample: UInt64, at now: UInt64, _ scratch: borrowing Scratch, errors: inout UInt64
  ) {
    window.setInterval(sample, Int64(truncatingIfNeeded: now &- previousTime))
    previousTime = now
    let isStatDue = now >= nextStat
    if isStatDue {
      nextStat = max(nextStat &+ Self.statPeriod, now &+ Self.statPeriod / 2)
      if !stat.read() { errors &+= 1 }
      statSample = sample &+ 1
    }
    for cpu in 0..<cpuCount {
      if isStatDue { noteOnline(cpu, sample: sample, at: now) }
      let core = cores + cpu
      let cell = window.cell(sample, cpu)
      if !core.pointee.isOnline {
        cell.pointee = IdleWindow.offline
        core.pointee.unsettled = sample &+ 1
        continue
      }
      cell.pointee = IdleWindow.unknown
      if usesCounters { followCounter(cpu, sample: sample, at: now, scratch) }
      if isStatDue, span(cpu, at: now) &+ stepNanoseconds > Int64(Self.longestOpen) {
        settle(cpu, through: sample, at: now)
      }
    }
  }

  /// Settles everything that is still open: no sample follows.
  mutating func finish(lastSample: UInt64, at now: UInt64) {
    _ = stat.read()
    for cpu in 0..<cpuCount
    where cores[cpu].isOnline && cores[cpu].unsettled <= lastSample && span(cpu, at: now) > 0 {
      settle(cpu, through: lastSample, at: now)
    }
  }

  /// Writes the final values of a sample into its record. Samples are closed in order, once.
  ///
  /// - Parameters:
  ///   - utilization: `coreColumns` floats, percent, NaN where the core was offline; may be
  ///     unaligned.
  /// - Returns: the mean over all cores that were online, NaN where none was.
  mutating func close(
    sample: UInt64, utilization: UnsafeMutableRawPointer, coreColumns: Int
  ) -> Float {
    firstOpen = sample &+ 1
    let interval = Double(window.interval(sample))
    var sum: Double = 0
    var online = 0
    for cpu in 0..<cpuCount {
      let idle = window.cell(sample, cpu).pointee
      var percent = Double.nan
      if idle != IdleWindow.offline {
        let known = idle == IdleWindow.unknown ? interval * cores[cpu].share : Double(idle)
        percent = interval > 0 ? min(max(100 * (1 - known / interval), 0), 100) : 0
        sum += percent
        online &+= 1
      }
      if cpu < coreColumns {
        utilization.storeBytes(of: Float(percent), toByteOffset: 4 &* cpu, as: Float.self)
      }
    }
    return online > 0 ? Float(sum / Double(online)) : .nan
  }

  /// How many samples the window keeps: older ones must be closed.
  var capacity: UInt64 { window.capacity }

  // MARK: - The idle counters

  private func readCounter(_ cpu: Int, _ scratch: borrowing Scratch) -> Int64 {
    counters[cpu].isPresent ? counters[cpu].read(scratch) : -1
  }

  private mutating func followCounter(
    _ cpu: Int, sample: UInt64, at now: UInt64, _ scratch: borrowing Scratch
  ) {
    let core = cores + cpu
    let counter = readCounter(cpu, scratch)
    // What is credited while it cannot be read is in its next value.
    if counter < 0 { return }
    let before = core.pointee.counter
    core.pointee.counter = counter
    if before < 0 || counter <= before { return }

    // The counter knows better than /proc/stat what the open samples were.
    let oldest = max(core.pointee.lastMoved, firstOpen)
    core.pointee.settledIdle &-= window.takeBack(
      cpu: cpu, oldest: max(core.pointee.lastMoved &+ 1, firstOpen), end: sample)
    let credited = (counter &- before) &* 1000 &+ core.pointee.carry
    let rest = window.fillBackwards(
      cpu: cpu, newest: sample, oldest: min(oldest, sample), amount: max(credited, 0))
    // What neither the open samples nor /proc/stat took in belongs to a sample that is closed: the one
    // in which the sleep began. The next sleep gets it, so that the mean holds; likewise what
    // /proc/stat gave to closed samples in advance.
    let bound = max(2 &* window.interval(sample), Int64(Self.longestOpen))
    let missed = rest &+ min(credited, 0) &- core.pointee.settledIdle
    core.pointee.carry = min(max(missed, 0 &- bound), bound)
    let interval = window.interval(sample)
    if interval > 0 {
      core.pointee.share = Double(window.cell(sample, cpu).pointee) / Double(interval)
    }
    core.pointee.lastMoved = sample
    core.pointee.unsettled = sample &+ 1
    core.pointee.isTrusted = true
    core.pointee.doubts = 0
    core.pointee.settledIdle = 0
    core.pointee.residual = 0
    account(cpu, until: now)
  }

  // MARK: - /proc/stat

  private func span(_ cpu: Int, at now: UInt64) -> Int64 {
    Int64(truncatingIfNeeded: now &- cores[cpu].accountedTime)
  }

  private func account(_ cpu: Int, until now: UInt64) {
    let core = cores + cpu
    core.pointee.accountedTime = now
    core.pointee.accountedSample = statSample
    core.pointee.accountedIdle = stat.cpus[cpu].idle
    core.pointee.accountedTotal = stat.cpus[cpu].total
  }

  /// A core that went or came: open samples of one that went are offline, one that came starts
  /// anew.
  private func noteOnline(_ cpu: Int, sample: UInt64, at now: UInt64) {
    let core = cores + cpu
    let isOnline = stat.cpus[cpu].isOnline
    if isOnline == core.pointee.isOnline { return }
    if core.pointee.isOnline {
      var open = max(core.pointee.unsettled, firstOpen)
      while open < sample {
        window.cell(open, cpu).pointee = IdleWindow.offline
        open &+= 1
      }
    }
    core.pointee = Core()
    core.pointee.isOnline = isOnline
    core.pointee.lastMoved = sample
    core.pointee.unsettled = sample
    account(cpu, until: now)
    // The interval of this very sample began while the core was offline; what is known of it is its
    // end.
    if isOnline { core.pointee.accountedTime = now &- UInt64(window.interval(sample)) }
  }

  /// Judges the stretch since the core was last accounted for, by what /proc/stat counted in it.
  private func settle(_ cpu: Int, through sample: UInt64, at now: UInt64) {
    let core = cores + cpu
    let times = stat.cpus[cpu]
    let span = max(span(cpu, at: now), 1)
    let totalTicks = max(times.total &- core.pointee.accountedTotal, 0)
    let idleTicks = min(max(times.idle &- core.pointee.accountedIdle, 0), totalTicks)

    var idle: Int64
    if totalTicks == 0 {
      idle = Int64(Double(span) * core.pointee.share)
    } else if stat.runsWithWallTime {
      // Idle time is exact there; busy time can be sampled at ticks and miss short bursts.
      idle = min(idleTicks, 1 << 32) &* ProcStat.tickNanoseconds &+ core.pointee.residual
    } else {
      idle = Int64(Double(span) * Double(idleTicks) / Double(totalTicks)) &+ core.pointee.residual
    }
    let counted = idle
    if usesCounters && counters[cpu].isPresent && core.pointee.isTrusted {
      idle = asleepOrBusy(cpu, idle: idle &- idleSinceReading(cpu), span: span)
    }
    idle = min(max(idle, 0), span)
    let bound = 2 &* span
    core.pointee.residual = totalTicks == 0 ? 0 : min(max(counted &- idle, 0 &- bound), bound)
    core.pointee.share = Double(idle) / Double(span)
    core.pointee.settledIdle &+= idle
    window.settle(
      cpu: cpu, oldest: max(core.pointee.unsettled, firstOpen), newest: sample,
      share: core.pointee.share)
    core.pointee.unsettled = sample &+ 1
    account(cpu, until: now)
  }

  /// The idle time between the reading of /proc/stat that a stretch starts from and the stretch
  /// itself.
  private func idleSinceReading(_ cpu: Int) -> Int64 {
    let core = cores[cpu]
    var idle: Int64 = 0
    var sample = core.accountedSample
    while sample <= core.lastMoved && core.lastMoved &- sample < window.capacity {
      idle &+= max(window.cell(sample, cpu).pointee, 0)
      sample &+= 1
    }
    return idle
  }

  /// While its counter stands still a core either sleeps or works throughout: takes the 10 ms steps
  /// of /proc/stat for what they must mean.
  private func asleepOrBusy(_ cpu: Int, idle: Int64, span: Int64) -> Int64 {
    let core = cores + cpu
    let fromAsleep = idle > span ? idle &- span : span &- idle
    let fromBusy = idle > 0 ? idle : 0 &- idle
    let tick = ProcStat.tickNanoseconds
    if min(fromAsleep, fromBusy) > 2 &* tick {
      core.pointee.doubts &+= 1
      if core.pointee.doubts >= 2 { core.pointee.isTrusted = false }
      return idle
    }
    let difference = fromAsleep &- fromBusy
    if difference < 0 &- tick { return span }
    if difference > tick { return 0 }
    // Too short for 10 ms steps. A core that woke only to sleep on left the sample nearly all idle;
    // one that began to work left it half busy, on the average.
    let moved = core.pointee.lastMoved
    return window.cell(moved, cpu).pointee &* 5 >= window.interval(moved) &* 4 ? span : 0
  }
}
