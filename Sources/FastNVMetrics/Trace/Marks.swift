internal import CFastNVMetricsShims

/// What callers mark in a recording: sync points with or without a label, beginnings and ends of phases.
///
/// One thread at a time, but for `flush` and what is asked of it.
final class Marks: @unchecked Sendable {
  // `open` and `lastPhase` are used by the thread that marks, one at a time; the logs guard themselves.
  private let syncPoints = MarkLog(.syncPoints)
  private let events = MarkLog(.phaseEvents)
  /// The phases that are open, in the order of their beginnings.
  private var open: [OpenPhase] = []
  private(set) var lastPhase: UInt64
  /// Which fast sample is the first after the newest sync point; nil: there is no sync point.
  private(set) var sampleOfNewest: UInt64?
  private let path: SystemPath

  private struct OpenPhase {
    let id: UInt64
    /// Whether what else its thread begins is inside of it.
    let isOnThread: Bool
    /// The one that began it.
    let thread: UInt32
    let parent: UInt64
    let name: [UInt8]

    func beginning(_ moment: Moment) -> PhaseEvent {
      PhaseEvent(
        .begin, thread: thread, time: moment.time, fastSampleIndex: moment.nextSample, id: id,
        parent: parent, name: name)
    }
  }

  static let maxOpenPhases = 4096

  /// - Parameters:
  ///   - path: of the trace, for messages.
  ///   - lastPhase: the last id that was given out. The ids of an engine go on from one recording to the next, so that one
  ///     from before ends no phase of a later one.
  init(_ path: SystemPath, lastPhase: UInt64) {
    self.path = path
    self.lastPhase = lastPhase
  }

  /// Now, for those who mark.
  struct Moment {
    /// Nanoseconds since t = 0.
    var time: UInt64
    /// The number of the next fast sample to begin.
    var nextSample: UInt64
    var spool: SpoolRequest
  }

  /// Sync points so far.
  var syncPointCount: UInt64 { syncPoints.total }

  /// Whether there is a phase or a label.
  var hasEvents: Bool { events.total > 0 }

  /// Whether nothing waits to be written.
  var isEmpty: Bool { syncPoints.isEmpty && events.isEmpty }

  /// Marks a phase boundary.
  ///
  /// - Returns: its id.
  /// - Throws: `.io`.
  func sync(_ label: String?, _ moment: Moment) throws(FNVMError) -> UInt64 {
    let id = syncPoints.append(spool: moment.spool) { record, id in
      record.storeBytes(of: id.littleEndian, as: UInt64.self)
      record.storeBytes(
        of: moment.nextSample.littleEndian, toByteOffset: TraceFormat.SyncPoint.fastSampleIndex,
        as: UInt64.self)
    }
    if id == 0 { throw refused("mark a phase boundary in") }
    sampleOfNewest = moment.nextSample
    if let label {
      let event = PhaseEvent(
        .label, thread: Self.thread, time: moment.time, fastSampleIndex: moment.nextSample, id: id,
        name: fittingBytes(label, size: PhaseEvent.maxNameBytes))
      if !add(event, moment) { throw refused("label a phase boundary in") }
    }
    return id
  }

  /// Begins a phase, inside of the one that was begun last of those that the caller is known to be in.
  ///
  /// - Parameters:
  ///   - enclosing: a phase that the caller's task is in, 0: none.
  ///   - isOnThread: whether what else the calling thread begins is inside of it.
  /// - Returns: its id.
  /// - Throws: `.io`; `.invalid` where thousands are open.
  func beginPhase(
    _ name: String, insideOf enclosing: UInt64, isOnThread: Bool, _ moment: Moment
  ) throws(FNVMError) -> UInt64 {
    if open.count >= Self.maxOpenPhases {
      throw FNVMError(.invalid, "4096 phases are open already: end those that are over")
    }
    let thread = Self.thread
    // The task's may have ended: what was started without being waited for goes on in its name.
    let parent = open.last { $0.isOnThread && $0.thread == thread || $0.id == enclosing }?.id ?? 0
    let phase = OpenPhase(
      id: lastPhase + 1, isOnThread: isOnThread, thread: thread, parent: parent,
      name: fittingBytes(name, size: PhaseEvent.maxNameBytes))
    if !add(phase.beginning(moment), moment) { throw refused("begin a phase in") }
    lastPhase = phase.id
    open.append(phase)
    return phase.id
  }

  /// Ends a phase.
  ///
  /// - Throws: `.invalid` where no phase of that id is open, `.io`.
  func endPhase(_ id: UInt64, _ moment: Moment) throws(FNVMError) {
    guard let index = open.lastIndex(where: { $0.id == id }) else {
      throw FNVMError(.invalid, joined("no phase of id ", decimal(id), " is open"))
    }
    if !addEnd(of: id, moment) { throw refused("end a phase in") }
    open.remove(at: index)
  }

  /// Ends the phases that are open and begins them again in the marks of the trace that follows, where they go on.
  ///
  /// - Parameters:
  ///   - moment: the end of this trace.
  ///   - beginning: the same moment in that one.
  func handOver(to next: Marks, _ moment: Moment, _ beginning: Moment) {
    for phase in open {
      // Where the disk takes none, they last until the end of the trace all the same.
      _ = addEnd(of: phase.id, moment)
      _ = next.add(phase.beginning(beginning), beginning)
    }
    next.open = open
    next.lastPhase = lastPhase
  }

  private func addEnd(of id: UInt64, _ moment: Moment) -> Bool {
    add(
      PhaseEvent(
        .end, thread: Self.thread, time: moment.time, fastSampleIndex: moment.nextSample, id: id),
      moment)
  }

  /// Has nothing that begins from now on be inside of a phase whose end could not be marked.
  func abandonPhase(_ id: UInt64) { open.removeAll { $0.id == id } }

  /// Writes what was marked.
  ///
  /// - Returns: 0 or the first errno; what was not written is kept for the next call.
  func flush(to files: TraceFiles) -> CInt {
    let first = syncPoints.flush(to: files)
    let second = events.flush(to: files)
    return first != 0 ? first : second
  }

  private func add(_ event: PhaseEvent, _ moment: Moment) -> Bool {
    events.append(spool: moment.spool) { record, _ in event.encode(to: record) } != 0
  }

  private static var thread: UInt32 { UInt32(truncatingIfNeeded: fnvm_sys_thread_id()) }

  private func refused(_ what: String) -> FNVMError {
    .io(ErrorNumber.again, what, path, hint: "thousands of marks wait for the disk already")
  }
}
