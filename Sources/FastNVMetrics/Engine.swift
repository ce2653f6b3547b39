internal import CFastNVMetricsShims
internal import Synchronization

/// A recorder: samples a board in three tiers and writes a trace.
///
///     let engine = try Engine(outputPath: "run.bin", board: .detect())
///     try engine.start()
///     try engine.waitForWarmUp()
///     work()
///     try engine.stop()
///
/// Every function may be called from any thread at any time. After `fork()`, an engine that the
/// parent started throws `.forked` in the child and touches nothing. The corresponding C type is
/// `fnvm_engine`.
public final class Engine: @unchecked Sendable {
  // `lifecycle` is held for the whole of start and stop, `marking` while a mark is made, `state` for a moment;
  // a thread that holds one takes only those named after it. None is touched in a forked child before
  // it was found out that this is one: the threads that may hold them do not exist there.
  private let lifecycle = ControlMutex()
  private let marking = ControlMutex()
  private let state = ControlMutex()
  /// Guarded by `lifecycle`: what the power sensors were set to for the recording.
  private var sensors: SensorSettings?
  /// Guarded by `lifecycle`: the id of the last phase of the recordings that are over.
  private var lastPhase: UInt64 = 0
  /// Guarded by `marking`: what takes marks. A recording that is being completed takes none.
  private var markable: Recording?
  /// Guarded by `state`, like the two below.
  private var recording: Recording?
  private var lastCounts = EngineCounts()
  private var lastStats = EngineStats()
  private var lastNotices: [String] = []
  /// The process in which the engine records or is about to, 0 for none.
  private let owner = Atomic<Int32>(0)
  private let forkGeneration: Atomic<UInt32>
  private let unmarkedPhases = Atomic<UInt64>(0)

  let annotations = Annotations()
  /// Where the first trace goes, for messages.
  private let firstPath: SystemPath
  /// Guarded by `lifecycle`: where the trace goes.
  private var outputPath: SystemPath
  /// The board that is sampled.
  public let board: BoardConfig
  /// The rates.
  public let configuration: EngineConfiguration

  /// Prepares a recorder. Nothing is written before `start`.
  ///
  /// - Parameters:
  ///   - outputPath: where the trace goes; a relative path is taken at `start`.
  ///   - board: what to sample.
  ///   - configuration: the rates.
  /// - Throws: `.invalid`.
  ///
  /// The corresponding C function is `fnvm_engine_create`.
  public convenience init(
    outputPath: SystemPath, board: BoardConfig,
    configuration: EngineConfiguration = EngineConfiguration()
  ) throws(FNVMError) {
    try Self.check(outputPath)
    try board.validate()
    try configuration.validate()
    self.init(checkedOutputPath: outputPath, board: board, configuration: configuration)
  }

  private static func check(_ outputPath: SystemPath) throws(FNVMError) {
    if outputPath.isEmpty { throw FNVMError(.invalid, "the path of the trace is empty") }
    if outputPath.containsNUL {
      throw FNVMError(
        .invalid, path: outputPath,
        joined("the path of the trace contains a NUL byte: ", outputPath.description))
    }
  }

  // In Embedded Swift an initialiser that throws before its object is complete leaks it: those of
  // classes here do what can fail first, and then delegate.
  private init(
    checkedOutputPath outputPath: SystemPath, board: BoardConfig, configuration: EngineConfiguration
  ) {
    self.outputPath = outputPath
    firstPath = outputPath
    self.board = board
    self.configuration = configuration
    forkGeneration = Atomic(fnvm_sys_fork_generation())
  }

  deinit {
    if isForked {
      // The recording is the parent's: its threads do not exist here, its files must not be
      // touched. Leaking the copy is the one thing that is safe.
      if let recording { _ = Unmanaged.passRetained(recording) }
      if let sensors { _ = Unmanaged.passRetained(sensors) }
    } else {
      try? stop()
    }
  }

  /// Creates the trace and starts the tiers.
  ///
  /// A complete trace at the path is replaced; a crashed one is set aside, which `notices` tells.
  /// After a stop the engine records anew: counts and ids begin again. Blocks for milliseconds.
  ///
  /// - Throws: `.alreadyRunning`, `.io` (EBUSY: another recorder writes there), `.thread`,
  ///   `.noMemory`, `.forked`.
  ///
  /// The corresponding C function is `fnvm_engine_start`.
  public func start() throws(FNVMError) {
    try checkNotForked()
    try lifecycle.locked { () throws(FNVMError) in
      if state.locked({ self.recording != nil }) {
        throw FNVMError(
          .alreadyRunning, path: outputPath,
          joined("the engine is already running: it records to ", outputPath.description))
      }
      // Before anything of it exists: a child forked meanwhile must leave all of it alone.
      owner.store(fnvm_sys_pid(), ordering: .sequentiallyConsistent)
      let leftBehind = SensorSettings.restoreAfterCrash(root: board.root)
      let (sensors, changes) = SensorSettings.apply(configuration.sensors, to: board)
      do throws(FNVMError) {
        let recording = try Recording(
          outputPath: outputPath, board: board, configuration: configuration,
          annotations: annotations, lastPhase: lastPhase)
        try recording.begin()
        var notices = recording.openingNotices
        if let hz = configuration.railHz, let repeats = SensorRefresh.notice(for: board, hz: hz) {
          notices.append(repeats)
        }
        self.sensors = sensors
        unmarkedPhases.store(0, ordering: .relaxed)
        state.locked {
          self.recording = recording
          lastNotices = leftBehind + changes + notices
        }
        marking.locked { markable = recording }
      } catch {
        _ = sensors?.restore()
        owner.store(0, ordering: .sequentiallyConsistent)
        throw error
      }
    }
  }

  /// Takes the closing sample, joins the threads and completes the trace. Harmless where the engine
  /// does not run. Blocks for milliseconds.
  ///
  /// - Throws: `.io` after everything that can be saved is, `.forked`.
  ///
  /// The corresponding C function is `fnvm_engine_stop`.
  public func stop() throws(FNVMError) {
    try checkNotForked()
    try lifecycle.locked { () throws(FNVMError) in
      guard let recording = state.locked({ self.recording }) else { return }
      // A mark made before this has the closing sample after it; one made later is refused.
      marking.locked { markable = nil }
      lastPhase = recording.current.marks.lastPhase
      defer {
        let putBack = sensors?.restore() ?? []
        sensors = nil
        state.locked {
          lastCounts = recording.counts
          lastStats = recording.stats
          lastNotices += recording.closingNotices + putBack
          self.recording = nil
        }
        owner.store(0, ordering: .sequentiallyConsistent)
      }
      try recording.end()
    }
  }

  /// Completes the trace that is being recorded and goes on into another one, without losing a sample: in each tier the
  /// first sample of the new trace is the tick after the last one of the old. The tiers run on undisturbed.
  ///
  /// The new trace has a t = 0 of its own, a moment after the last fast sample of the old one, and counts sync points
  /// from 1; phases that are open end in the old trace at that moment and begin again in the new one, under the same
  /// ids. What `counts`, `stats` and `snapshot` say goes on from `start`. A `start` after the next `stop` records to
  /// the new path.
  ///
  /// Blocks until the old trace is complete, for a quarter of a second; marks that are made meanwhile wait for one fast
  /// sample at most.
  ///
  /// - Parameter path: where the new trace goes; what is there is treated as `start` does.
  /// - Throws: `.io`: where it names the new path (EBUSY: somebody records there, or this engine), the recording goes
  ///   on in the old trace; where it names the old one, that could not be completed, and recovery can do it later: the
  ///   recording goes on in the new one. `.invalid`, `.notRunning`, `.forked`.
  ///
  /// Thread-safe. The corresponding C function is `fnvm_engine_rotate`.
  public func rotate(to path: SystemPath) throws(FNVMError) {
    try checkNotForked()
    try Self.check(path)
    try lifecycle.locked { () throws(FNVMError) in
      guard let recording = state.locked({ self.recording }) else { throw Self.notRunning }
      let old = recording.trace
      let next = try recording.openNext(at: path)
      let edge = marking.locked { recording.cut(to: next) }
      outputPath = path
      if let notice = next.files.notice { state.locked { lastNotices.append(notice) } }
      try recording.finishRotation(from: old, at: edge)
    }
  }

  /// Waits until ten fast samples exist: about 10 ms after the start.
  ///
  /// - Parameter timeoutNanoseconds: how long at most; `.max`: for ever.
  /// - Throws: `.notRunning` (also where the engine is stopped meanwhile), `.timeout`, `.forked`.
  ///
  /// The corresponding C function is `fnvm_engine_wait_for_warmup`.
  public func waitForWarmUp(timeoutNanoseconds: UInt64 = .max) throws(FNVMError) {
    try checkNotForked()
    // The reference keeps the recording alive while this waits outside the lock.
    let recording = state.locked { self.recording }
    guard let recording else { throw Self.notRunning }
    let (deadline, overflow) = Clock.monotonic().addingReportingOverflow(timeoutNanoseconds)
    try recording.waitForWarmUp(until: overflow ? .max : deadline)
  }

  /// Marks a phase boundary: the next fast sample to be taken is the first one of the new phase.
  /// Every mark is followed by at least one fast sample in the trace.
  ///
  /// - Parameter label: what the trace says of the mark; not empty.
  /// - Returns: 1, 2, 3, …
  /// - Throws: `.invalid`, `.notRunning`, `.io`, `.forked`.
  ///
  /// The corresponding C functions are `fnvm_engine_sync` and `fnvm_engine_sync_labelled`.
  @discardableResult
  public func sync(_ label: String? = nil) throws(FNVMError) -> UInt64 {
    if let label, label.isEmpty { throw FNVMError(.invalid, "the label of a mark is empty") }
    return try mark { recording throws(FNVMError) in try recording.sync(label) }
  }

  /// Begins a phase, inside of the one that the calling thread began last and has not ended.
  ///
  /// ``phase(_:_:)`` is the convenient way. Phases are no sync points.
  ///
  /// - Parameter name: not empty; 87 bytes of it reach the trace.
  /// - Returns: its id: 1, 2, 3, …; ids go on from one recording of the engine to the next.
  /// - Throws: `.invalid` (also: 4096 phases are open), `.notRunning`, `.io`, `.forked`.
  ///
  /// The corresponding C function is `fnvm_engine_phase_begin`.
  public func beginPhase(_ name: String) throws(FNVMError) -> UInt64 {
    try mark { recording throws(FNVMError) in try recording.beginPhase(name, isOnThread: true) }
  }

  /// Ends a phase, from any thread. Those inside of it go on; one that is never ended ends with the trace.
  ///
  /// - Parameter id: from `beginPhase`.
  /// - Throws: `.invalid` where no phase of that id is open, `.notRunning`, `.io` (it stays open), `.forked`.
  ///
  /// The corresponding C function is `fnvm_engine_phase_end`.
  public func endPhase(_ id: UInt64) throws(FNVMError) {
    try mark { recording throws(FNVMError) in try recording.endPhase(id) }
  }

  func mark<Result>(
    _ body: (Recording) throws(FNVMError) -> Result
  ) throws(FNVMError) -> Result {
    try checkNotForked()
    return try marking.locked { () throws(FNVMError) in
      guard let markable else { throw Self.notRunning }
      return try body(markable)
    }
  }

  /// How many phases of ``phase(_:_:)`` have no beginning or no end in the trace, since the last start:
  /// the disk took no more marks, thousands were open, the name was empty (`notices` says which), or
  /// nothing was recorded.
  public var unmarkedPhaseCount: UInt64 { unmarkedPhases.load(ordering: .relaxed) }

  /// Says that a phase could not be marked, where its caller is not told.
  func noteUnmarkedPhase(_ error: FNVMError) {
    unmarkedPhases.wrappingAdd(1, ordering: .relaxed)
    // Whoever does not record misses no phases; in a forked child nobody may ever open the lock.
    if error.code == .notRunning || error.code == .forked { return }
    let notice = joined("Phases are missing from the trace, or their ends: ", error.message, ".")
    state.locked {
      if !lastNotices.contains(where: { Array($0.utf8) == Array(notice.utf8) }) {
        lastNotices.append(notice)
      }
    }
  }

  /// The newest sample of each tier, nil before its first. Disturbs no tier.
  ///
  /// CPU utilisation is that of about 100 ms before the rest: how long a core slept is only known when it wakes.
  ///
  /// - Throws: `.notRunning`, `.forked`.
  ///
  /// The corresponding C function is `fnvm_engine_snapshot`.
  public func snapshot() throws(FNVMError) -> Snapshot {
    var fast: FastSample?
    var medium: MediumSample?
    var slow: SlowSample?
    let shape = TraceHeader(shapeOf: board)
    let start = try copyNewest { tier, bytes in
      switch tier {
      case Tier.fast: fast = FastSample(decoding: bytes, header: shape)
      case Tier.medium: medium = MediumSample(decoding: bytes, header: shape)
      default: slow = SlowSample(decoding: bytes, header: shape)
      }
    }
    return Snapshot(startMonotonicNanoseconds: start, fast: fast, medium: medium, slow: slow)
  }

  /// The newest record of each tier that has one.
  ///
  /// - Returns: CLOCK_MONOTONIC at t = 0.
  package func copyNewest(
    _ body: (_ tier: Int, UnsafeRawBufferPointer) -> Void
  ) throws(FNVMError) -> UInt64 {
    try checkNotForked()
    // The reference keeps the recording alive while this reads outside the lock.
    guard let recording = state.locked({ self.recording }) else { throw Self.notRunning }
    return recording.copyNewest(body)
  }

  /// The fast samples so far, also after `stop`; 0 in a forked child.
  public var sampleCount: UInt64 {
    if isForked { return 0 }
    return state.locked { recording?.fastSampleCount ?? lastCounts.fastSamples }
  }

  /// Whether the engine records; false in a forked child.
  public var isRunning: Bool {
    if isForked { return false }
    return state.locked { recording != nil }
  }

  /// The counts so far, also after `stop`; zeros in a forked child.
  public var counts: EngineCounts {
    if isForked { return EngineCounts() }
    return state.locked { recording?.counts ?? lastCounts }
  }

  /// What the recording did and what it cost so far, also after `stop`; nothing before the first `start` and in a
  /// forked child.
  ///
  /// The corresponding C functions are `fnvm_engine_stats`, `fnvm_engine_tier_stats`,
  /// `fnvm_engine_source_stats` and `fnvm_engine_lateness`.
  public var stats: EngineStats {
    if isForked { return EngineStats() }
    // Outside the lock: it takes a while.
    let (recording, last) = state.locked { (self.recording, lastStats) }
    return recording?.stats ?? last
  }

  /// What the user should be told about the current or last recording, a sentence each.
  public var notices: [String] {
    if isForked { return [] }
    return state.locked { lastNotices }
  }

  /// Whether this is a forked child and the engine its parent's.
  ///
  /// An engine that was idle at the fork is as good as new in the child, once nobody holds its locks.
  private var isForked: Bool {
    let generation = fnvm_sys_fork_generation()
    let owner = owner.load(ordering: .acquiring)
    if forkGeneration.load(ordering: .acquiring) == generation {
      // `_Fork` and `clone` tell nobody; the owner's number gives their children away.
      return owner != 0 && owner != fnvm_sys_pid()
    }
    if owner != 0 { return true }
    lifecycle.reset()
    marking.reset()
    state.reset()
    annotations.reset()
    forkGeneration.store(generation, ordering: .releasing)
    return false
  }

  /// - Throws: `.forked` in a forked child whose parent records with this engine.
  package func checkNotForked() throws(FNVMError) {
    if isForked {
      throw FNVMError(
        .forked, path: firstPath,
        "this engine records in the parent process; a forked child cannot use it, but can make its own"
      )
    }
  }

  /// CLOCK_MONOTONIC at t = 0 of what is being recorded; nil where nothing is, and in a forked child.
  var recordingStart: UInt64? {
    if isForked { return nil }
    return state.locked { recording?.startTime }
  }

  static var notRunning: FNVMError {
    FNVMError(.notRunning, "the engine is not running: start it first")
  }
}
