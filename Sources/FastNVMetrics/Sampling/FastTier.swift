internal import Synchronization

/// The fast tier: GPU, CPU, RAM and EMC at the fast rate.
struct FastTier: ~Copyable {
  private var ring: RingProducer
  private let counters: UnsafeMutablePointer<TierCounters>
  private let scratch: Scratch
  private var gpu: GPUProbe
  private var cpu: CPUProbe
  private var memory: MemoryProbe
  private var emc: EMCProbe
  private let coreColumns: Int
  private let period: UInt64
  private var startTime: UInt64 = 0
  private var errors: UInt64 = 0
  private var dropped: UInt64 = 0
  /// The oldest sample whose CPU values may still change.
  private var firstOpen: UInt64 = 0

  /// Samples taken at once so that a trace begins with something, at most a millisecond apart.
  static var warmUpSamples: UInt64 { 10 }

  init(
    board: BoardConfig, rateHz: UInt32, ring: RingProducer,
    counters: UnsafeMutablePointer<TierCounters>, keeper: NodeKeeper
  ) {
    let root = Root(board.root)
    period = 1_000_000_000 / UInt64(rateHz)
    coreColumns = board.cpuCoreCount
    self.ring = ring
    self.counters = counters
    scratch = Scratch(byteCount: 4096)
    gpu = GPUProbe(board, keeper: keeper)
    cpu = CPUProbe(root: root, coreColumns: coreColumns, period: period, keeper: keeper)
    memory = MemoryProbe(root: root, keeper: keeper)
    emc = EMCProbe(board, keeper: keeper)
  }

  /// Reads every source once, so that the first sample finds warm paths, and the CPU baseline last.
  ///
  /// - Returns: t = 0.
  mutating func begin() -> UInt64 {
    _ = gpu.read(at: Clock.monotonic(), scratch, errors: &errors)
    _ = memory.read(scratch, errors: &errors)
    _ = emc.read(scratch, errors: &errors)
    startTime = Clock.monotonic()
    cpu.begin(at: startTime, scratch, errors: &errors)
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
    var ticker = Ticker(first: startTime &+ warmUpPeriod, period: warmUpPeriod, stop: stop)
    while ring.next < Self.warmUpSamples {
      if ticker.wait() == .stopped { return finish(missed: ticker.missed) }
      sample(isClosing: false)
      // A late warm-up tick moves the grid: there is nothing to be in step with yet, and every
      // tick of it is one of the ten.
      ticker = Ticker(first: Clock.monotonic() &+ warmUpPeriod, period: warmUpPeriod, stop: stop)
    }
    warm.post(1)

    ticker = Ticker(first: Clock.monotonic() &+ period, period: period, stop: stop)
    while ticker.wait() == .tick {
      sample(isClosing: false)
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

  private mutating func sample(isClosing: Bool) {
    guard ring.hasRoom(forClosing: isClosing) else {
      dropped &+= 1
      return
    }
    let record = ring.begin()
    let number = ring.next
    let now = Clock.monotonic()
    typealias At = TraceFormat.Fast
    record.storeBytes(
      of: Double(now &- startTime) / 1e9, toByteOffset: At.time, as: Double.self)
    // First: its intervals are measured from this time, and the GPU can take its own.
    cpu.take(sample: number, at: now, scratch, errors: &errors)
    record.storeBytes(
      of: gpu.read(at: now, scratch, errors: &errors), toByteOffset: At.gpuLoad, as: UInt16.self)
    let memory = memory.read(scratch, errors: &errors)
    record.storeBytes(of: memory.usedKB, toByteOffset: At.ramUsed, as: UInt64.self)
    record.storeBytes(of: memory.availableKB, toByteOffset: At.ramAvailable, as: UInt64.self)
    record.storeBytes(
      of: emc.read(scratch, errors: &errors), toByteOffset: At.emcUtilization, as: Float.self)
    ring.take()
    closeExpired(now: now)
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
    counters.pointee.readErrors.store(errors, ordering: .relaxed)
    counters.pointee.gpuSource.store(gpu.source.rawValue, ordering: .relaxed)
    counters.pointee.wasGPUContradicted.store(gpu.wasContradicted, ordering: .relaxed)
    counters.pointee.isEMCAvailable.store(emc.isAvailable, ordering: .relaxed)
  }
}
