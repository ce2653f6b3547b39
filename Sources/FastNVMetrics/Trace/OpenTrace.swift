internal import Synchronization

/// A trace that is being written: its files, what is marked in it, what its header and its chunks will say.
///
/// The first one of a recording begins with it; each that follows begins where the one before ends.
final class OpenTrace: @unchecked Sendable {
  // Until it is handed to the spool all of it belongs to the thread that made it, then to the spool's thread, and
  // to the thread that completes it once the spool is done with it. Any thread reads what does not change any
  // more when others can see this object: `files`, `start`, `offset`. `marks` guards itself, `flushError` is an
  // atomic.
  let files: TraceFiles
  let marks: Marks
  private let board: BoardConfig
  private let configuration: EngineConfiguration
  private let annotations: Annotations
  private var header: TraceHeader
  /// nil where nobody asked for it.
  private var metadata: RunMetadata?
  /// The version of the annotations in the metadata that is kept beside the trace; −1: none is kept.
  private var keptVersion = -1
  /// t = 0.
  private(set) var start: TraceEdge
  /// How much later than that of the recording, whose times the rings hold.
  private(set) var offset: UInt64 = 0
  /// Samples of the trace that were taken and that no disk took.
  var lost: UInt64 = 0
  private(set) var firstError: FNVMError?
  /// The errno of the first flush that failed.
  private let flushError = Atomic<Int32>(0)
  /// Room for records whose times are counted anew; empty until there are some.
  private var shifted: [UInt8] = []

  /// Takes over files that were created and not published.
  init(
    _ files: TraceFiles, board: BoardConfig, configuration: EngineConfiguration,
    annotations: Annotations, lastPhase: UInt64
  ) {
    self.files = files
    self.board = board
    self.configuration = configuration
    self.annotations = annotations
    marks = Marks(files.path, lastPhase: lastPhase)
    start = TraceEdge(at: Clock.monotonic())
    header = TraceHeader(shapeOf: board)
    header.fastHz = configuration.fastHz
    header.mediumHz = configuration.mediumHz
    header.slowHz = configuration.slowHz
    header.writerVersion = FastNVMetricsVersion.packed
    if configuration.writesMetadata || configuration.writesStats || annotations.version > 0 {
      metadata = RunMetadata(board: board, configuration: configuration, isStart: true)
    }
  }

  /// Puts the trace at its path, before it begins. Where that fails nothing of it is left.
  func publish() throws(FNVMError) {
    noteStart()
    try files.publish(header)
  }

  /// Makes this moment t = 0.
  func begin(at start: TraceEdge, offset: UInt64) {
    self.start = start
    self.offset = offset
    noteStart()
    metadata?.begin(at: start.clock)
  }

  private func noteStart() {
    header.startMonotonicNanoseconds = start.clock.monotonic
    header.startRealtimeNanoseconds = start.clock.realtime
  }

  /// Says in the statistics of the trace what came before it.
  func leaveOut(_ stats: EngineStats?) { start.stats = stats }

  /// Brings the header in the file up to date, so that a crash leaves counts of a moment ago.
  func refreshHeader(_ counts: EngineCounts) {
    noteCounts(counts)
    // Tried again a second later; what fails for good is said at the end.
    try? files.write(header)
  }

  private func noteCounts(_ counts: EngineCounts) {
    let before = start.counts
    header.missedFast = counts.missedFast &- before.missedFast
    header.missedMedium = counts.missedMedium &- before.missedMedium
    header.missedSlow = counts.missedSlow &- before.missedSlow
    header.droppedSamples = counts.droppedSamples &- before.droppedSamples &+ lost
    header.readErrors = counts.readErrors &- before.readErrors
    header.isGPUAvailable = counts.gpuSource != .none
    header.isEMCAvailable = counts.isEMCAvailable
  }

  /// Writes records, their times counted from the trace's own t = 0.
  ///
  /// - Returns: how many; the others are to be written again.
  func append(_ bytes: UnsafeRawBufferPointer, to stream: TraceStream) -> Int {
    if offset == 0 { return noted(files.append(bytes, to: stream)) }
    if shifted.isEmpty { shifted = [UInt8](repeating: 0, count: 1 << 16) }
    let size = stream.recordSize
    var done = 0
    while done * size < bytes.count {
      let from = bytes[(done * size)...].prefix(shifted.count / size * size)
      let result = shifted.withUnsafeMutableBytes { room in
        let records = UnsafeMutableRawBufferPointer(rebasing: room[..<from.count])
        records.copyMemory(from: UnsafeRawBufferPointer(rebasing: from))
        for at in stride(from: 0, to: records.count, by: size) {
          let time = SampleTime.nanoseconds(in: UnsafeRawBufferPointer(records), at: at) &- offset
          records.storeBytes(of: Double(time) / 1e9, toByteOffset: at, as: Double.self)
        }
        return files.append(UnsafeRawBufferPointer(records), to: stream)
      }
      done += noted(result)
      if result.records * size < from.count { break }
    }
    return done
  }

  private func noted(_ result: (records: Int, errno: CInt)) -> Int {
    note(result.errno)
    return result.records
  }

  /// Writes what was marked; what fails is tried again by the next call.
  func flushMarks() { note(marks.flush(to: files)) }

  private func note(_ error: CInt) {
    if error == 0 || firstError != nil { return }
    firstError = .io(
      error, "write the trace", files.path, hint: "what was written until then is kept")
  }

  // By the flusher's thread, beside all else.

  /// Has the disk keep what was written.
  func flush() { noteFlush(files.flush()) }

  /// Has the disk know the files by their names.
  func flushNames() { noteFlush(files.flushNames()) }

  private func noteFlush(_ error: CInt) {
    if error != 0 && flushError.load(ordering: .relaxed) == 0 {
      flushError.store(error, ordering: .relaxed)
    }
  }

  /// Gathers the metadata where somebody has come to want it: joules per phase cannot be told without the facts of
  /// the sensors.
  private func gatherMetadata() {
    if metadata == nil && (marks.hasEvents || annotations.version > 0) {
      metadata = RunMetadata(board: board, configuration: configuration, isStart: false)
      metadata?.begin(at: start.clock)
    }
  }

  /// Keeps the metadata beside the trace, as far as it is known, for whoever recovers it. Does nothing where that was
  /// done and no annotation has changed.
  func keepMetadata() {
    let version = annotations.version
    if keptVersion == version { return }
    gatherMetadata()
    if let metadata, files.keepMetadata(metadata.chunk(annotations)) { keptVersion = version }
  }

  /// Completes the trace; nothing is written to it after this.
  ///
  /// - Throws: `.io` after everything that can be saved is.
  func complete(at end: TraceEdge) throws(FNVMError) {
    // Whoever waits for the warm-up or asks for statistics may keep the recording for a while: a new one must not
    // find the path taken.
    defer { files.release() }
    if !marks.isEmpty { flushMarks() }
    noteCounts(end.counts)
    header.isClosed = true
    gatherMetadata()
    metadata?.finish(
      RunMetadata.End(
        reading: end.clock, gpuSource: end.counts.gpuSource,
        clocks: RunClocks(board: board, root: Root(board.root))))
    var chunks = metadata.map { [$0.chunk(annotations)] } ?? []
    if let stats = end.stats { chunks.append(stats.since(start.stats).chunk()) }
    try files.complete(header, chunks: chunks)
    let error = flushError.load(ordering: .relaxed)
    if error != 0 { throw .io(error, "flush the trace", files.path) }
    // A disk that was full for a while and lost nothing is worth a word, not an error.
    if let firstError, header.droppedSamples > 0 || !marks.isEmpty { throw firstError }
  }
}

/// Where a trace begins or ends in its recording: what the clocks and counters said at that moment.
struct TraceEdge {
  let clock: ClockReading
  /// The number of the first fast sample that was begun after it.
  var sample: UInt64 = 0
  /// Since the start of the recording, but for samples that no disk took: those belong to their trace.
  var counts = EngineCounts()
  /// Since the start of the recording; nil where nobody asked for them, and at its start.
  var stats: EngineStats?

  /// - Parameter monotonic: CLOCK_MONOTONIC, a moment ago.
  init(at monotonic: UInt64) { clock = ClockReading(at: monotonic) }
}

/// The time that every sample begins with.
enum SampleTime {
  /// Nanoseconds since t = 0: exactly what was stored, for months of a recording.
  static func nanoseconds(in records: UnsafeRawBufferPointer, at offset: Int) -> UInt64 {
    UInt64(records.loadUnaligned(fromByteOffset: offset, as: Double.self) * 1e9 + 0.5)
  }
}
