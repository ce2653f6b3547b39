internal import Synchronization

/// Going on into another trace while the tiers run: `open`, `cut`, `finish`, in this order.
extension Recording {
  /// Creates the files of the trace that is to follow.
  ///
  /// - Throws: `.io`; nothing has changed then.
  func openNext(at path: SystemPath) throws(FNVMError) -> OpenTrace {
    try refuseCurrent(path)
    let next = OpenTrace(
      try TraceFiles.create(at: path), board: board, configuration: configuration,
      annotations: annotations, lastPhase: 0)
    try next.publish()
    return next
  }

  private func refuseCurrent(_ path: SystemPath) throws(FNVMError) {
    let location = try TraceLocation(path)
    if location.holds(current.files.trace.rawValue, at: location.name) {
      throw .io(
        ErrorNumber.busy, "go on into", path, hint: "it is the trace that is being recorded")
    }
  }

  /// Makes this moment the end of the trace that is being recorded and the beginning of the next: marks are the next
  /// one's from here on. By the thread that may mark.
  ///
  /// - Returns: the moment.
  func cut(to next: OpenTrace) -> TraceEdge {
    let old = current
    let edge = edgeBehindSample()
    next.begin(at: edge, offset: edge.clock.monotonic &- startTime)
    let spool = SpoolRequest(spoolWord.reference)
    old.marks.handOver(
      to: next.marks,
      Marks.Moment(
        time: edge.clock.monotonic &- old.start.clock.monotonic,
        nextSample: edge.sample &- old.start.sample, spool: spool),
      Marks.Moment(time: 0, nextSample: 0, spool: spool))
    gate.locked {
      earlierSyncPoints += old.marks.syncPointCount
      current = next
    }
    return edge
  }

  /// A moment between two fast samples, such that every sync point has a sample after it and before that moment.
  private func edgeBehindSample() -> TraceEdge {
    // A tier that is held up takes its next sample before anything can be looked at here: that it does so again and
    // again is not waited for, since only counters are the less exact for it.
    var attempt = 0
    while true {
      attempt += 1
      let now = Clock.monotonic()
      let begun = fastRing.begun
      let isMarked = current.marks.sampleOfNewest == begun &- current.start.sample
      var sample = begun &+ (isMarked ? 1 : 0)
      if !waitForSample(sample) { sample = begun }
      // Later than the mark that was made last, and between the samples.
      let isTaken = sample > 0 && fastRing.taken >= sample
      let before = isTaken ? startTime &+ fastRing.time(of: sample &- 1) &+ 100 : now
      var edge = TraceEdge(at: max(now, before))
      edge.sample = sample
      edge.counts = tierCounts
      if fastRing.begun == sample || attempt == 20 { return edge }
    }
  }

  /// Waits until so many fast samples were taken: for one period at most, unless the disk takes none.
  private func waitForSample(_ count: UInt64) -> Bool {
    let deadline = Clock.monotonic() &+ plan.fastTick &+ 100_000_000
    let never = FutexWord(0)
    while fastRing.taken < count {
      let now = Clock.monotonic()
      if now >= deadline { return false }
      _ = never.reference.wait(while: 0, until: now &+ 20_000)
    }
    return true
  }

  /// Has the spool write to the next trace from the cut on, and completes the old one.
  ///
  /// - Parameter old: what was recorded until then.
  /// - Throws: `.io` where the old trace cannot be completed; the recording goes on all the same.
  func finishRotation(from old: OpenTrace, at edge: TraceEdge) throws(FNVMError) {
    var edge = edge
    let next = trace
    if configuration.writesStats {
      edge.stats = stats
      edge.stats?.elapsedNanoseconds = next.offset
    }
    next.leaveOut(edge.stats)
    next.refreshHeader(edge.counts)
    let change = TraceChange(
      to: next, begun: [fastRing.begun, mediumRing.begun, slowRing.begun],
      lateBy: [
        0, board.powerRails.isEmpty ? plan.mediumTick : 0,
        board.thermalZones.isEmpty ? plan.slowTick : 0,
      ],
      lost: { [unowned(unsafe) self] in _ = lost.wrappingAdd($0, ordering: .relaxed) })
    spool?.request(change, SpoolRequest(spoolWord.reference))
    _ = change.done.reference.wait(while: 0, until: .max)
    next.files.letGoOfReplaced()
    try old.complete(at: edge)
  }
}
