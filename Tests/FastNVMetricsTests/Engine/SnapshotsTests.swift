import Testing

@testable import FastNVMetrics

/// Snapshots as an asynchronous sequence.
@Suite struct SnapshotsTests {
  private static let often = Duration.milliseconds(1)
  private static let never = Duration.seconds(3600)

  @Test func snapshotsComeUntilTheEngineStops() async throws {
    try await withFixture { tree in
      let engine = try tree.startedEngine()
      var times: [Double] = []
      for try await snapshot in engine.snapshots(every: .milliseconds(10)) {
        let fast = try #require(snapshot.fast)
        #expect(fast.gpuLoad == OrinFixture.gpuLoad)
        times.append(fast.timeSeconds)
        if times.count == 5 { try engine.stop() }
      }
      #expect(times.count == 5 && times == times.sorted())
      let samples = try Trace(path: tree.output()).fast.map(\.timeSeconds)
      #expect(times.allSatisfy { samples.contains($0) })
    }
  }

  @Test func aStopEndsALoopThatWaits() async throws {
    try await withFixture { tree in
      let engine = try tree.startedEngine()
      let snapshots = engine.snapshots(every: Self.never)
      let (begun, hasBegun) = AsyncStream<Void>.makeStream()
      let loop = Task {
        hasBegun.finish()
        return try await count(snapshots)
      }
      for await _ in begun {}
      try engine.stop()
      #expect(try await loop.value == 0)
    }
  }

  @Test func cancellationEndsALoop() async throws {
    try await withFixture { tree in
      let engine = try tree.startedEngine()
      let (begun, hasBegun) = AsyncStream<Void>.makeStream()
      let loop = Task {
        for try await _ in engine.snapshots(every: Self.often) { hasBegun.yield() }
        return Task.isCancelled
      }
      for await _ in begun { break }
      loop.cancel()
      #expect(try await loop.value)
      let waiting = Task { try await count(engine.snapshots(every: Self.never)) }
      waiting.cancel()
      #expect(try await waiting.value == 0)
      #expect(engine.isRunning)
      try engine.stop()
    }
  }

  @Test func anEngineThatWasNeverStartedIsSaidToBeIdle() async throws {
    try await withFixture { tree in
      try OrinFixture(.nx).build(on: tree)
      let engine = try Engine(
        outputPath: tree.output(), board: .detect(root: tree.root), configuration: .forTests)
      let early = engine.snapshots(every: Self.often)
      await #expect { try await count(early) } throws: { ($0 as? FNVMError)?.code == .notRunning }
      // What is recorded when the loop begins counts.
      try engine.start()
      #expect(try await early.first { _ in true } != nil)
      try engine.stop()
      #expect(try await count(early) == 0)
    }
  }

  @Test func aLoopThatComesTooLateEndsAtOnce() async throws {
    try await withFixture { tree in
      let engine = try tree.startedEngine()
      let running = engine.snapshots(every: Self.often)
      try engine.stop()
      #expect(try await count(running) == 0)
      var late = engine.snapshots(every: Self.often).makeAsyncIterator()
      #expect(try await late.next() == nil)
      try engine.start()
      #expect(try await late.next() == nil)
      #expect(try await count(running) == 0)
      try engine.stop()
    }
  }

  @Test func aLoopIsAboutOneRecording() async throws {
    try await withFixture { tree in
      let engine = try tree.startedEngine()
      var seen = 0
      for try await _ in engine.snapshots(every: Self.often) {
        seen += 1
        try engine.stop()
        try engine.start()
      }
      #expect(seen == 1 && engine.isRunning)
      try engine.stop()
    }
  }

  @Test func aLoopThatEndedStaysEnded() async throws {
    try await withFixture { tree in
      let engine = try tree.startedEngine()
      var loop = engine.snapshots(every: Self.often).makeAsyncIterator()
      #expect(try await loop.next() != nil)
      try engine.stop()
      #expect(try await loop.next() == nil)
      try engine.start()
      #expect(try await loop.next() == nil)
      try engine.stop()
    }
  }

  @Test(arguments: [.zero, .seconds(-1), .nanoseconds(1), .seconds(Int64.max)] as [Duration])
  func anyPeriodDoesNoHarm(period: Duration) async throws {
    try await withFixture { tree in
      let engine = try tree.startedEngine()
      let loop = Task { try await engine.snapshots(every: period).first { _ in true } }
      if period > .seconds(1) {
        loop.cancel()
        #expect(try await loop.value == nil)
      } else {
        #expect(try await loop.value != nil)
      }
      try engine.stop()
    }
  }

  @Test func deadlinesDoNotDrift() {
    func next(_ now: UInt64) -> UInt64 {
      Snapshots.AsyncIterator.deadline(after: now, begin: 1000, period: 100)
    }
    #expect(
      [1000, 1001, 1099, 1100, 1101, 1777].map(next) == [1100, 1100, 1100, 1200, 1200, 1800])
  }

  private func count(_ snapshots: Snapshots) async throws -> Int {
    try await snapshots.reduce(0) { count, _ in count + 1 }
  }
}
