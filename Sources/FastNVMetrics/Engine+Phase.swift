extension Engine {
  /// Runs the body as a phase, which ends when it returns or throws.
  ///
  ///     let tokens = try engine.phase("decode") { try model.decode(prompt) }
  ///
  /// A profiler must not break the program that it watches: the body always runs, and its errors are the
  /// only ones that are thrown. What could not be marked is counted in ``unmarkedPhaseCount``, and
  /// ``notices`` says why. A phase whose recording stops meanwhile ends with the trace. Whoever needs to
  /// know at once calls ``beginPhase(_:)``.
  ///
  /// - Parameters:
  ///   - name: not empty; 87 bytes of it reach the trace.
  ///   - body: what is to be found again in the trace.
  /// - Returns: what the body returns.
  /// - Throws: what the body throws.
  ///
  /// Thread-safe. In C there are `fnvm_engine_phase_begin` and `fnvm_engine_phase_end`.
  public func phase<Result: ~Copyable, Failure: Error>(
    _ name: String, _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let phase = enterPhase(name, isOnThread: true)
    defer { leavePhase(phase) }
    return try body()
  }

  /// Begins a phase for `phase`: nil where that failed and was noted.
  func enterPhase(_ name: String, isOnThread: Bool) -> PhaseMark? {
    do throws(FNVMError) {
      return try mark { recording throws(FNVMError) in
        let id = try recording.beginPhase(name, isOnThread: isOnThread)
        return PhaseMark(recordingStart: recording.startTime, id: id)
      }
    } catch {
      noteUnmarkedPhase(error)
      return nil
    }
  }

  /// Ends what `enterPhase` began.
  func leavePhase(_ phase: PhaseMark?) {
    guard let phase else { return }
    do throws(FNVMError) {
      try mark { recording throws(FNVMError) in try recording.leavePhase(phase) }
    } catch {
      // It has ended with its recording, or goes on in the parent process.
      if error.code == .notRunning || error.code == .forked { return }
      noteUnmarkedPhase(error)
    }
  }
}
