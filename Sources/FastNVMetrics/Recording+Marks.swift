/// What callers mark: one thread at a time.
extension Recording {
  /// Marks a phase boundary: the next fast sample to begin is the first one after it.
  func sync(_ label: String?) throws(FNVMError) -> UInt64 { try current.marks.sync(label, moment) }

  /// Begins a phase.
  ///
  /// - Parameter isOnThread: whether what else the calling thread begins is inside of it.
  func beginPhase(_ name: String, isOnThread: Bool) throws(FNVMError) -> UInt64 {
    if name.isEmpty { throw FNVMError(.invalid, "the name of a phase is empty") }
    let task = EnclosingPhase.current
    let enclosing = task?.recordingStart == startTime ? task?.id : nil
    return try current.marks.beginPhase(
      name, insideOf: enclosing ?? 0, isOnThread: isOnThread, moment)
  }

  func endPhase(_ id: UInt64) throws(FNVMError) { try current.marks.endPhase(id, moment) }

  /// Ends a phase that nobody can end later. What was begun in an earlier recording has ended with it.
  func leavePhase(_ phase: PhaseMark) throws(FNVMError) {
    guard phase.recordingStart == startTime else { return }
    do throws(FNVMError) {
      try current.marks.endPhase(phase.id, moment)
    } catch {
      current.marks.abandonPhase(phase.id)
      throw error
    }
  }

  private var moment: Marks.Moment {
    let start = current.start
    return Marks.Moment(
      time: Clock.monotonic() &- start.clock.monotonic, nextSample: fastRing.begun &- start.sample,
      spool: SpoolRequest(spoolWord.reference))
  }
}
