extension Engine {
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
      let change = recording.holdSpool(for: next)
      let edge = marking.locked { recording.cut(to: next) }
      outputPath = path
      if let notice = next.files.notice { state.locked { lastNotices.append(notice) } }
      try recording.finishRotation(change, from: old, at: edge)
    }
  }
}
