#if !hasFeature(Embedded)
  /// The newest samples of a recording, again and again: what ``Engine/snapshots(every:)`` returns.
  ///
  /// Any number of loops may run over one at a time, each with a pace of its own. Nothing is kept for a
  /// loop that is late: it misses what it has no time for.
  public struct Snapshots: AsyncSequence, Sendable {
    /// What a loop gets.
    public typealias Element = Snapshot
    /// What a loop can throw.
    public typealias Failure = FNVMError

    private let engine: Engine
    private let period: UInt64
    private let recordingStart: UInt64?

    init(_ engine: Engine, period: Duration) {
      self.engine = engine
      self.period = Self.nanoseconds(period)
      recordingStart = engine.recordingStart
    }

    /// Begins a loop.
    public func makeAsyncIterator() -> AsyncIterator {
      AsyncIterator(engine: engine, period: period, recordingStart: recordingStart)
    }

    /// A period that makes sense: a millisecond to a year.
    private static func nanoseconds(_ period: Duration) -> UInt64 {
      let (seconds, attoseconds) = period.components
      let whole = UInt64(clamping: Swift.min(seconds, 365 * 86400))
      let rest = UInt64(clamping: attoseconds / 1_000_000_000)
      return Swift.max(whole * 1_000_000_000 + rest, 1_000_000)
    }

    /// A loop over snapshots.
    public struct AsyncIterator: AsyncIteratorProtocol {
      private let engine: Engine
      private let period: UInt64
      /// The recording that the loop is about; nil until it is known.
      private var recordingStart: UInt64?
      /// CLOCK_MONOTONIC; the deadlines are whole periods after it.
      private var begin: UInt64?

      /// A stop is noticed this long afterwards at most, however long the period.
      private static let patience: UInt64 = 100_000_000

      init(engine: Engine, period: UInt64, recordingStart: UInt64?) {
        self.engine = engine
        self.period = period
        self.recordingStart = recordingStart
      }

      /// Waits for the next deadline.
      ///
      /// - Returns: nil where the recording was stopped or the task cancelled.
      /// - Throws: `.notRunning` where the engine was never started, `.forked`.
      public mutating func next(
        isolation actor: isolated (any Actor)?
      ) async throws(FNVMError) -> Snapshot? {
        if recordingStart == nil { recordingStart = try currentOrLastRecording() }
        let now = Clock.monotonic()
        let begin = self.begin ?? now
        self.begin = begin
        let deadline = Self.deadline(after: now, begin: begin, period: period)
        while engine.recordingStart == recordingStart {
          let now = Clock.monotonic()
          if now >= deadline { return try newest() }
          do {
            try await Task.sleep(nanoseconds: Swift.min(deadline &- now, Self.patience))
          } catch {
            return nil  // cancelled
          }
        }
        try engine.checkNotForked()
        return nil
      }

      /// Its t = 0; 0, which nothing began at, for one that is over: a task can get its first turn after
      /// the stop.
      private func currentOrLastRecording() throws(FNVMError) -> UInt64 {
        try engine.checkNotForked()
        if let start = engine.recordingStart { return start }
        // There are no statistics before the first start.
        if engine.stats.tiers.isEmpty { throw Engine.notRunning }
        return 0
      }

      /// The next of the deadlines, which are whole periods after the beginning: those that passed while
      /// the loop was busy are left out.
      static func deadline(after now: UInt64, begin: UInt64, period: UInt64) -> UInt64 {
        begin &+ ((now &- begin) / period &+ 1) &* period
      }

      /// The newest samples of the recording, nil where it has ended.
      private func newest() throws(FNVMError) -> Snapshot? {
        do throws(FNVMError) {
          let snapshot = try engine.snapshot()
          return snapshot.startMonotonicNanoseconds == recordingStart ? snapshot : nil
        } catch {
          if error.code == .notRunning { return nil }
          throw error
        }
      }
    }
  }

  extension Engine {
    /// The newest samples at a pace that suits a display, a log, a controller.
    ///
    ///     for try await snapshot in engine.snapshots(every: .milliseconds(100)) {
    ///       print(snapshot.fast?.gpuLoad ?? 0)
    ///     }
    ///
    /// The first one comes after one period. The loop ends within a tenth of a second after the recording
    /// is stopped, also where the engine is started again, and when its task is cancelled; it throws
    /// `.notRunning` where the engine was never started. Deadlines are absolute, so that they do not
    /// drift; those that a loop is too late for are left out. Disturbs no tier.
    ///
    /// A loop keeps the engine, and so the recording, alive: stop it, or cancel the task.
    ///
    /// - Parameter period: a millisecond at least.
    /// - Returns: a sequence of ``Snapshot``.
    public func snapshots(every period: Duration) -> Snapshots {
      Snapshots(self, period: period)
    }
  }
#endif
