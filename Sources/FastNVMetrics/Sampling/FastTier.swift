internal import Synchronization

/// The fast tier: GPU, CPU, RAM and EMC at the fast rate.
struct FastTier: ~Copyable {
  private var ring: RingProducer
  private let counters: UnsafeMutablePointer<TierCounters>
  private let cpuCounters: UnsafeMutablePointer<ProbeCounters>
  private let scratch: Scratch
  private var cpu: CPUProbe
  private var gpu: PacedProbe<GPUProbe>
  private var memory: PacedProbe<MemoryProbe>
  private var emc: PacedProbe<EMCProbe>
  private let coreColumns: Int
  private let period: UInt64
  private var startTime: UInt64 = 0
  private var tally = ReadTally()
  private var dropped: UInt64 = 0
  /// The oldest sample whose CPU values may still change.
  private var firstOpen: UInt64 = 0

  /// Samples taken at once so that a trace begins with something, at most a millisecond apart.
  static var warmUpSamples: UInt64 { 10 }
  private static var firstSampleAfter: UInt64 { 250_000 }

  init(
    board: BoardConfig, plan: ReadPlan, ring: RingProducer,
    counters: UnsafeMutablePointer<TierCounters>, keeper: NodeKeeper, roster: ProbeRoster
  ) {
    let root = Root(board.root)
    period = plan.fastTick
    coreColumns = board.cpuCoreCount
    self.ring = ring
    self.counters = counters
    scratch = Scratch(byteCount: 4096)
    cpu = CPUProbe(root: root, coreColumns: coreColumns, period: period, keeper: keeper)
    cpuCounters = roster.status("cpu", tier: Tier.fast).counters
    gpu = roster.add(
      GPUProbe(board, interval: plan.gpu, isNative: plan.isGPUNative, keeper: keeper),
      name: "gpu", tier: Tier.fast, tick: period, canBlock: GPUProbe.canBlock(board))
    memory = roster.add(
      MemoryProbe(root: root, interval: plan.ram, keeper: keeper), name: "ram", tier: Tier.fast,
      tick: period, canBlock: false)
    emc = roster.add(
      EMCProbe(board, interval: plan.emc, keeper: keeper), name: "emc", tier: Tier.fast,
      tick: period, canBlock: EMCProbe.canBlock(board))
    emc.words[0] = EMCProbe.missing.bitPattern
  }

  /// Reads every source once, so that the first sample finds warm paths, and the CPU baseline last.
  ///
  /// - Returns: t = 0.
  mutating func begin() -> UInt64 {
    var now = Clock.monotonic()
    now = gpu.update(at: now, scratch, &tally)
    now = memory.update(at: now, scratch, &tally)
    _ = emc.update(at: now, scratch, &tally)
    startTime = Clock.monotonic()
    let before = tally
    cpu.begin(at: startTime, scratch, errors: &tally.errors)
    cpuCounters.pointee.noteRead(
      nanoseconds: Clock.monotonic() &- startTime, tally, before: before)
    publish(missed: 0)
    return startTime
  }

  /// The body of the thread: warm-up, then the regular grid, until the tier is stopped; then the
  /// closing sample.
  ///
  /// - Parameter warm: posted when the warm-up is over.
  #if CHECK_TICK
    @_noLocks @_noAllocation
  #endif
  mutating func run(stop: FutexReference, warm: FutexReference) {
    let warmUpPeriod = min(period, 1_000_000)
    // Whoever starts a recording wants to see something soon.
    let first = startTime &+ min(period, Self.firstSampleAfter)
    var ticker = Ticker(first: first, period: warmUpPeriod, stop: stop)
    while ring.next < Self.warmUpSamples {
      if ticker.wait() == .stopped { return finish(missed: ticker.missed) }
      sample(isClosing: false)
      // A late warm-up tick moves the grid: there is nothing to be in step with yet, and every
      // tick of it is one of the ten.
      ticker = Ticker(first: Clock.monotonic() &+ warmUpPeriod, period: warmUpPeriod, stop: stop)
    }
    warm.post(1)

    ticker = Ticker(first: Clock.monotonic() &+ period, period: period, stop: stop)
    gpu.align(to: ticker.deadline)
    emc.align(to: ticker.deadline)
    while ticker.wait() == .tick {
      sample(isClosing: false, deadline: ticker.deadline)
      ticker.advance(now: Clock.monotonic())
      publish(missed: ticker.missed)
    }
    finish(missed: ticker.missed)
  }

  private mutating func finish(missed: UInt64) {
    sample(isClosing: true)
    let now = Clock.monotonic()
    if ring.next > firstOpen { cpu.finish(lastSample: ring.next &- 1, at: now) }
    closeSamples(before: ring.next)
    publish(missed: missed)
  }

  /// - Parameter deadline: when the sample was due; 0: at no time in particular.
  private mutating func sample(isClosing: Bool, deadline: UInt64 = 0) {
    guard ring.hasRoom(forClosing: isClosing) else {
      dropped &+= 1
      return
    }
    let record = ring.begin()
    let number = ring.next
    let now = Clock.monotonic()
    if deadline > 0 { counters.pointee.lateness.note(now &- deadline) }
    typealias At = TraceFormat.Fast
    record.storeBytes(
      of: Double(now &- startTime) / 1e9, toByteOffset: At.time, as: Double.self)
    // First: its intervals are measured from this time, and the GPU can take its own.
    let before = tally
    cpu.take(sample: number, at: now, scratch, errors: &tally.errors)
    var after = Clock.monotonic()
    cpuCounters.pointee.noteRead(nanoseconds: after &- now, tally, before: before)

    after = gpu.update(at: after, scratch, &tally)
    record.storeBytes(
      of: UInt16(truncatingIfNeeded: gpu.words[0]), toByteOffset: At.gpuLoad, as: UInt16.self)
    after = memory.update(at: after, scratch, &tally)
    store(memory.words, into: record, At.ramUsed)
    store(memory.words + 2, into: record, At.ramAvailable)
    _ = emc.update(at: after, scratch, &tally)
    record.storeBytes(of: emc.words[0], toByteOffset: At.emcUtilization, as: UInt32.self)
    ring.take()
    closeExpired(now: now)
  }

  /// 64 bits, the lower half first.
  private func store(
    _ words: UnsafeMutablePointer<UInt32>, into record: UnsafeMutableRawPointer, _ offset: Int
  ) {
    record.storeBytes(
      of: UInt64(words[1]) << 32 | UInt64(words[0]), toByteOffset: offset, as: UInt64.self)
  }

  /// Closes the samples that are too old to be corrected.
  private mutating func closeExpired(now: UInt64) {
    var until = firstOpen
    while until < ring.next {
      let age = now &- startTime &- time(of: until)
      if age < cpu.openNanoseconds && ring.next &- until < cpu.capacity { break }
      until &+= 1
    }
    closeSamples(before: until)
  }

  private mutating func closeSamples(before end: UInt64) {
    if firstOpen == end { return }
    while firstOpen < end {
      let record = ring.record(firstOpen)
      let aggregate = cpu.close(
        sample: firstOpen, utilization: record + TraceFormat.Fast.cpuUtilization,
        coreColumns: coreColumns)
      record.storeBytes(
        of: aggregate, toByteOffset: TraceFormat.Fast.cpuAggregate, as: Float.self)
      firstOpen &+= 1
    }
    ring.close(before: end)
  }

  /// Nanoseconds since t = 0, to the precision of the record.
  private func time(of number: UInt64) -> UInt64 {
    let seconds = ring.record(number).loadUnaligned(
      fromByteOffset: TraceFormat.Fast.time, as: Double.self)
    return UInt64(seconds * 1e9)
  }

  private func publish(missed: UInt64) {
    counters.pointee.missed.store(missed, ordering: .relaxed)
    counters.pointee.dropped.store(dropped, ordering: .relaxed)
    counters.pointee.gpuSource.store(gpu.words[1], ordering: .relaxed)
    counters.pointee.wasGPUContradicted.store(gpu.words[2] != 0, ordering: .relaxed)
    counters.pointee.isEMCAvailable.store(emc.words[1] != 0, ordering: .relaxed)
  }
}
