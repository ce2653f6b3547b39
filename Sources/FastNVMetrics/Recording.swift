internal import CFastNVMetricsShims
internal import Synchronization

/// One recording, from `start` to `stop`: the tiers with their rings, the spool, the keeper, their
/// threads.
///
/// Data flows one way: nodes → probes → tiers → rings → spool → files. Everything the threads use lives as
/// long as this object, and the object until they are joined; threads that may hang in a read keep what they use
/// alive themselves.
final class Recording: @unchecked Sendable {
  // After `begin`, each tier is used by its own thread alone until that was joined; `current` is changed under `gate`
  // by the one thread that may mark; rings, counters and words are made of atomics; the rest is constant.
  let board: BoardConfig
  let configuration: EngineConfiguration
  let plan: ReadPlan
  private let keeper: NodeKeeper
  let roster: ProbeRoster
  let fastRing: SampleRing
  let mediumRing: SampleRing
  let slowRing: SampleRing
  let counters: UnsafeMutablePointer<TierCounters>
  private let fastTier: UnsafeMutablePointer<FastTier>
  private let mediumTier: UnsafeMutablePointer<MediumTier>
  private let slowTier: UnsafeMutablePointer<SlowTier>
  let annotations: Annotations
  let gate = ControlMutex()
  /// The trace that is being recorded: for the thread that may mark.
  var current: OpenTrace
  /// Guarded by `gate`: sync points of the traces before.
  var earlierSyncPoints: UInt64 = 0
  private(set) var spool: Spool?
  private var flusher: Flusher?
  let coreColumns: Int
  private(set) var startTime: UInt64 = 0
  /// CLOCK_MONOTONIC at the end, 0 before.
  let endTime = Atomic<UInt64>(0)
  /// Samples that were taken and that no disk took; known at the end.
  let lost = Atomic<UInt64>(0)

  /// 0: not yet; 1: the threads may begin; 2: they end at once.
  private let goWord = FutexWord(0)
  private let stopWord = FutexWord(0)
  /// 1 ends the spool, when the tiers have ended.
  let spoolWord = FutexWord(0)
  private let flusherStopWord = FutexWord(0)
  /// 0: warming up; 1: warm; 2: stopped.
  private let warmWord = FutexWord(0)
  // Not changed after `startThreads`: statistics are asked for by any thread until the recording is gone.
  private(set) var tierThreads: [Thread] = []
  private var diskThreads: [Thread] = []
  private var keeperThread: Thread?
  private(set) var permissions = SchedulingRequest()

  /// The spool may stall for this long before samples are dropped.
  private static let ringSeconds = 2
  /// The keeper, should it hang in a file system, is waited for no longer than this.
  private static let keeperPatience: UInt64 = 2_000_000

  /// Opens the nodes and creates the files; nothing runs yet.
  ///
  /// - Parameter lastPhase: the id of the last phase of the recording before.
  convenience init(
    outputPath: SystemPath, board: BoardConfig, configuration: EngineConfiguration,
    annotations: Annotations, lastPhase: UInt64
  ) throws(FNVMError) {
    let openSamples = Int(configuration.fastHz) / 8
    let fastRing = try SampleRing(
      recordSize: TraceFormat.Fast.size,
      minimum: Int(configuration.fastHz) * Self.ringSeconds + openSamples)
    let mediumRing = try SampleRing(
      recordSize: TraceFormat.Medium.size, minimum: Int(configuration.mediumHz) * Self.ringSeconds)
    let slowRing = try SampleRing(
      recordSize: TraceFormat.Slow.size, minimum: Int(configuration.slowHz) * Self.ringSeconds)
    let files = try TraceFiles.create(at: outputPath)
    self.init(
      board: board, configuration: configuration, fastRing: fastRing, mediumRing: mediumRing,
      slowRing: slowRing, annotations: annotations,
      trace: OpenTrace(
        files, board: board, configuration: configuration, annotations: annotations,
        lastPhase: lastPhase))
  }

  private init(
    board: BoardConfig, configuration: EngineConfiguration, fastRing: consuming SampleRing,
    mediumRing: consuming SampleRing, slowRing: consuming SampleRing,
    annotations: Annotations, trace: OpenTrace
  ) {
    self.board = board
    self.configuration = configuration
    self.annotations = annotations
    current = trace
    plan = ReadPlan(configuration)
    let keeper = NodeKeeper()
    let roster = ProbeRoster(keeper: keeper)
    self.keeper = keeper
    self.roster = roster
    counters = .allocate(capacity: Tier.count)
    for tier in 0..<Tier.count { (counters + tier).initialize(to: TierCounters()) }
    fastTier = .allocate(capacity: 1)
    fastTier.initialize(
      to: FastTier(
        board: board, plan: plan, ring: fastRing.producer, counters: counters + Tier.fast,
        keeper: keeper, roster: roster))
    mediumTier = .allocate(capacity: 1)
    mediumTier.initialize(
      to: MediumTier(
        PowerRailProbes(board, plan, keeper: keeper, roster: roster), period: plan.mediumTick,
        offset: plan.mediumOffset, ring: mediumRing.producer, counters: counters + Tier.medium))
    slowTier = .allocate(capacity: 1)
    slowTier.initialize(
      to: SlowTier(
        ThermalProbes(board, plan, keeper: keeper, roster: roster), period: plan.slowTick,
        offset: plan.slowOffset, ring: slowRing.producer, counters: counters + Tier.slow))
    coreColumns = board.cpuCoreCount
    self.fastRing = fastRing
    self.mediumRing = mediumRing
    self.slowRing = slowRing

    // Both go with the recording.
    spool = Spool(
      trace: trace,
      rings: [self.fastRing.consumer, self.mediumRing.consumer, self.slowRing.consumer],
      counts: { [unowned(unsafe) self] in tierCounts })
    if configuration.flushIntervalMilliseconds > 0 {
      flusher = Flusher(interval: UInt64(configuration.flushIntervalMilliseconds) * 1_000_000) {
        [unowned(unsafe) self] in self.trace
      }
    }
  }

  deinit {
    // The tiers hold nodes, the nodes point into the keeper's watches: tiers go first.
    fastTier.deinitialize(count: 1)
    fastTier.deallocate()
    mediumTier.deinitialize(count: 1)
    mediumTier.deallocate()
    slowTier.deinitialize(count: 1)
    slowTier.deallocate()
    counters.deinitialize(count: Tier.count)
    counters.deallocate()
  }

  /// Starts the threads, puts the trace at its path and reads the baseline. What fails, fails before the
  /// trace is at its path.
  func begin() throws(FNVMError) {
    try startThreads()
    do throws(FNVMError) {
      try current.publish()
    } catch {
      joinThreads(goWith: 2)
      throw error
    }
    startTime = fastTier.pointee.begin()
    current.begin(at: TraceEdge(at: startTime), offset: 0)
    // Where this fails, the spool tries again.
    current.refreshHeader(tierCounts)
    goWord.reference.post(1)
  }

  /// The threads wait for `goWord`: until then nothing of what they use is theirs.
  private func startThreads() throws(FNVMError) {
    do throws(FNVMError) {
      diskThreads.append(
        try thread("fnvm-spool") { recording in
          recording.fastRing.populate()
          recording.mediumRing.populate()
          recording.slowRing.populate()
          recording.spool?.run(recording.spoolWord.reference)
        })
      if flusher != nil {
        diskThreads.append(
          try thread("fnvm-flush") { recording in
            recording.flusher?.run(stop: recording.flusherStopWord.reference)
          })
      }
      tierThreads.append(
        try thread("fnvm-medium") { recording in
          runMediumTier(
            &recording.mediumTier.pointee, startTime: recording.startTime,
            stop: recording.stopWord.reference,
            warm: recording.warmWord.reference)
        })
      tierThreads.append(
        try thread("fnvm-slow") { recording in
          runSlowTier(
            &recording.slowTier.pointee, startTime: recording.startTime,
            stop: recording.stopWord.reference,
            warm: recording.warmWord.reference)
        })
      tierThreads.append(
        try thread("fnvm-fast") { recording in
          recording.fastTier.pointee.run(
            stop: recording.stopWord.reference, warm: recording.warmWord.reference)
        })
      permissions = SchedulingRequest(configuration)
      for thread in tierThreads { permissions.apply(to: thread, isTier: true) }
      for ring in [fastRing.memoryBytes, mediumRing.memoryBytes, slowRing.memoryBytes] {
        permissions.lock(ring)
      }
      keeperThread = try Thread.start("fnvm-keeper") { [keeper] in keeper.run() }
      // These begin at once: they need nothing but their nodes.
      try roster.start { permissions.apply(to: $0, isTier: false) }
    } catch {
      joinThreads(goWith: 2)
      current.files.discardUnpublished()
      throw error
    }
  }

  /// A thread that is joined before the recording goes.
  private func thread(
    _ name: String, _ body: @escaping @Sendable (Recording) -> Void
  ) throws(FNVMError) -> Thread {
    try Thread.start(name) { [unowned(unsafe) self] in
      let go = goWord.reference
      _ = go.wait(while: 0, until: .max)
      if go.value == 1 { body(self) }
    }
  }

  /// Takes the closing sample, joins the threads and completes the trace.
  ///
  /// - Throws: `.io` after everything that can be saved is.
  func end() throws(FNVMError) {
    joinThreads(goWith: 1)
    spool?.drain()
    // What failed a moment ago may go now, and there is no later.
    if spool?.undrained ?? 0 > 0 || !current.marks.isEmpty { spool?.drain() }
    current.lost += spool?.undrained ?? 0
    lost.wrappingAdd(spool?.undrained ?? 0, ordering: .relaxed)
    var end = TraceEdge(at: endTime.load(ordering: .relaxed))
    end.counts = tierCounts
    if configuration.writesStats { end.stats = stats }
    try current.complete(at: end)
  }

  private func joinThreads(goWith go: UInt32) {
    roster.stop()
    keeper.stopWord.reference.post(1)
    stopWord.reference.post(1)
    warmWord.reference.post(2)
    goWord.reference.post(go)
    for thread in tierThreads { thread.join() }
    endTime.store(Clock.monotonic(), ordering: .relaxed)
    roster.end()
    spoolWord.reference.post(1)
    flusherStopWord.reference.post(1)
    for thread in diskThreads { thread.join() }
    if let keeperThread {
      let isDone = keeperThread.hasEnded(by: Clock.monotonic() &+ Self.keeperPatience)
      if isDone { keeperThread.join() } else { keeperThread.detach() }
    }
  }

  /// Waits for the end of the warm-up.
  ///
  /// - Parameter deadline: CLOCK_MONOTONIC, `.max`: for ever.
  /// - Throws: `.timeout`, `.notRunning` where the recording ended.
  func waitForWarmUp(until deadline: UInt64) throws(FNVMError) {
    if !warmWord.reference.wait(while: 0, until: deadline) {
      throw FNVMError(.timeout, "the warm-up did not end in the time given")
    }
    if warmWord.reference.value == 2 {
      throw FNVMError(.notRunning, "the engine was stopped before its warm-up ended")
    }
  }
}
