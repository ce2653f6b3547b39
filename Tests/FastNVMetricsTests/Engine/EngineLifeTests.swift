import FastNVMetrics
import Testing

/// Starting and stopping.
@Suite struct EngineLifeTests {
  /// Runs the body with an engine on a small board that was not started.
  private func withEngine(_ body: (Engine, FixtureTree) throws -> Void) throws {
    try withFixture { tree in
      try OrinFixture(.nano).build(on: tree)
      let board = try BoardConfig.detect(root: tree.root)
      try body(
        try Engine(outputPath: tree.output(), board: board, configuration: .forTests), tree)
    }
  }

  @Test func nothingIsWrittenBeforeTheStart() throws {
    try withEngine { engine, tree in
      #expect(!engine.isRunning)
      #expect(engine.sampleCount == 0)
      #expect(engine.counts == EngineCounts())
      let names = try tree.outputNames
      #expect(names.isEmpty)
    }
  }

  @Test func aStoppedEngineCanBeStoppedAgain() throws {
    try withEngine { engine, _ in
      try engine.stop()
      try engine.start()
      #expect(engine.isRunning)
      try engine.stop()
      try engine.stop()
      #expect(!engine.isRunning)
    }
  }

  @Test func aRunningEngineIsNotStartedAgain() throws {
    try withEngine { engine, tree in
      try engine.start()
      let error = FNVMError.from { () throws(FNVMError) in try engine.start() }
      #expect(error?.code == .alreadyRunning)
      #expect(error?.message.contains("already running") == true)
      #expect(engine.isRunning)
      try engine.stop()
      #expect(try Trace(path: tree.output()).fast.count > 0)
    }
  }

  @Test func anEngineThatDoesNotRunTakesNoMarks() throws {
    try withEngine { engine, _ in
      for _ in 0..<2 {
        #expect(FNVMError.from { () throws(FNVMError) in try engine.sync() }?.code == .notRunning)
        #expect(
          FNVMError.from { () throws(FNVMError) in try engine.waitForWarmUp() }?.code == .notRunning
        )
        try engine.start()
        try engine.stop()
      }
    }
  }

  @Test func countsAndIDsBeginAgainAfterARestart() throws {
    try withEngine { engine, tree in
      try engine.start()
      for id in 1...3 as ClosedRange<UInt64> { #expect(try engine.sync() == id) }
      try engine.waitForSamples(fast: 100)
      try engine.stop()
      let first = engine.counts
      #expect(engine.sampleCount == first.fastSamples)
      #expect(first.syncPoints == 3)
      #expect(try Trace(path: tree.output()).fast.count == Int(first.fastSamples))

      try engine.start()
      #expect(try engine.sync() == 1)
      try engine.stop()
      #expect(engine.sampleCount < first.fastSamples)
      #expect(engine.counts.syncPoints == 1)
      let trace = try Trace(path: tree.output())
      #expect(trace.fast.count == Int(engine.sampleCount))
      #expect(trace.syncPoints.map(\.id) == [1])
      #expect(try #require(trace.fast.first).timeSeconds < 1)
    }
  }

  @Test func countsAreThoseOfTheTrace() throws {
    try withEngine { engine, tree in
      try engine.start()
      try engine.waitForSamples(fast: 60, medium: 5, slow: 3)
      try engine.sync()
      try engine.stop()
      let trace = try Trace(path: tree.output())
      let counts = engine.counts
      #expect(trace.header.fastSampleCount == counts.fastSamples)
      #expect(trace.header.mediumSampleCount == counts.mediumSamples)
      #expect(trace.header.slowSampleCount == counts.slowSamples)
      #expect(trace.header.syncPointCount == counts.syncPoints)
      #expect(trace.header.missedFast == counts.missedFast)
      #expect(trace.header.missedMedium == counts.missedMedium)
      #expect(trace.header.missedSlow == counts.missedSlow)
      #expect(trace.header.droppedSamples == 0)
      #expect(try TraceBytes.read(tree.output()).count == trace.expectedByteCount)
    }
  }

  @Test func theWarmUpEndsWithTenSamplesAndTheOtherTiersBeginAfterIt() throws {
    try withEngine { engine, tree in
      try engine.start()
      try engine.waitForWarmUp()
      #expect(engine.sampleCount >= 10)
      try engine.waitForSamples(medium: 1, slow: 1)
      try engine.stop()
      let trace = try Trace(path: tree.output())
      let tenth = trace.fast[9].timeSeconds
      #expect(try #require(trace.medium.first).timeSeconds >= tenth)
      #expect(try #require(trace.slow.first).timeSeconds >= tenth)
    }
  }

  @Test func theWarmUpOfASlowTierIsShortAllTheSame() throws {
    try withFixture { tree in
      try OrinFixture(.nano).build(on: tree)
      let engine = try Engine(
        outputPath: tree.output(), board: try .detect(root: tree.root),
        configuration: EngineConfiguration(fastHz: 1, mediumHz: 1, slowHz: 1))
      try engine.start()
      try engine.waitForWarmUp(timeoutNanoseconds: 9_000_000_000)
      try engine.stop()
      // The grid of one second was not waited for: the closing sample is the eleventh, or the twelfth.
      #expect(try Trace(path: tree.output()).fast.count >= 11)
    }
  }

  @Test func timesGrowFromZero() throws {
    try withEngine { engine, tree in
      try engine.start()
      try engine.waitForSamples(fast: 60, medium: 5, slow: 3)
      try engine.stop()
      let trace = try Trace(path: tree.output())
      for times in [
        trace.fast.map(\.timeSeconds), trace.medium.map(\.timeSeconds),
        trace.slow.map(\.timeSeconds),
      ] {
        #expect(times[0] > 0)
        #expect(zip(times, times.dropFirst()).allSatisfy { $0 < $1 })
      }
    }
  }

  @Test func anEngineThatIsDroppedStops() throws {
    try withFixture { tree in
      try OrinFixture(.nano).build(on: tree)
      func run() throws {
        let engine = try Engine(
          outputPath: tree.output(), board: try .detect(root: tree.root), configuration: .forTests)
        try engine.start()
        try engine.waitForWarmUp()
      }
      try run()
      #expect(try Trace(path: tree.output()).header.isClosed)
    }
  }

  @Test func twoEnginesRecordAtOnce() throws {
    try withFixture { tree in
      try OrinFixture(.nano).build(on: tree)
      let board = try BoardConfig.detect(root: tree.root)
      let engines = try ["a.bin", "b.bin"].map {
        try Engine(outputPath: tree.output($0), board: board, configuration: .forTests)
      }
      for engine in engines { try engine.start() }
      try engines[0].sync()
      for engine in engines { try engine.waitForSamples(fast: 30, medium: 2, slow: 2) }
      for engine in engines { try engine.stop() }
      for (name, marks) in [("a.bin", 1), ("b.bin", 0)] {
        let trace = try Trace(path: tree.output(name))
        #expect(trace.syncPoints.count == marks)
        #expect(trace.fast.allSatisfy { $0.gpuLoad == OrinFixture.gpuLoad })
      }
      #expect(try tree.outputNames == ["a.bin", "b.bin"])
    }
  }
}
