import Testing

@testable import FastNVMetrics

private struct Failure: Error, Equatable { var reason: Int }
private struct Ticket: ~Copyable { let number: Int }

@Suite struct PhaseClosureTests {
  /// Stops and reads back.
  private func phases(of engine: Engine, _ tree: FixtureTree) throws -> [Phase] {
    try engine.stop()
    return try Trace(path: tree.output()).phases
  }

  @Test func aPhaseLastsAsLongAsItsBody() throws {
    try withFixture { tree in
      let engine = try tree.startedEngine()
      let sum = try engine.phase("decode") {
        try engine.waitForSamples(fast: engine.sampleCount + 5)
        return engine.phase("attention") { 20 } + engine.phase("attention") { 22 }
      }
      #expect(sum == 42)
      let phases = try phases(of: engine, tree)
      #expect(phases.map(\.name) == ["decode", "attention", "attention"])
      #expect(phases.map(\.parent) == [nil, 1, 1])
      #expect(phases.allSatisfy { $0.wasEnded })
      #expect(phases[0].endNanoseconds > phases[0].beginNanoseconds)
      #expect(engine.unmarkedPhaseCount == 0)
    }
  }

  @Test func aPhaseEndsWhenItsBodyThrows() throws {
    try withFixture { tree in
      let engine = try tree.startedEngine()
      // The type of the error is kept: this catch is exhaustive.
      do throws(Failure) {
        try engine.phase("fails") { () throws(Failure) in throw Failure(reason: 7) }
        Issue.record("the error was swallowed")
      } catch {
        #expect(error.reason == 7)
      }
      let ticket = engine.phase("of what cannot be copied") { Ticket(number: 3) }
      #expect(ticket.number == 3)
      let phases = try phases(of: engine, tree)
      #expect(phases.map(\.wasEnded) == [true, true] && phases.map(\.depth) == [0, 0])
    }
  }

  @Test func theBodyRunsWhereNothingIsRecorded() throws {
    try withFixture { tree in
      let engine = try tree.startedEngine()
      try engine.stop()
      #expect(engine.phase("unheard") { 5 } == 5)
      #expect(engine.unmarkedPhaseCount == 1 && engine.notices.isEmpty)
      try engine.start()
      #expect(engine.unmarkedPhaseCount == 0)
      try engine.stop()
    }
  }

  @Test func whatCannotBeMarkedIsCountedAndSaidOnce() throws {
    try withFixture { tree in
      let engine = try tree.startedEngine()
      for _ in 0..<4096 { _ = try engine.beginPhase("leak") }
      for i in 0..<3 { #expect(engine.phase("one more") { i } == i) }
      #expect(engine.phase("") { 9 } == 9)
      #expect(engine.unmarkedPhaseCount == 4)
      try engine.stop()
      let said = engine.notices.filter { $0.hasPrefix("Phases are missing") }
      #expect(said.count == 2, "\(said)")
      #expect(said.first?.contains("4096 phases are open") == true)
      #expect(try Trace(path: tree.output()).phases.count == 4096)
    }
  }

  @Test func aPhaseWhoseRecordingStopsEndsWithTheTrace() throws {
    try withFixture { tree in
      let engine = try tree.startedEngine()
      try engine.phase("stopped inside") { try engine.stop() }
      let phases = try Trace(path: tree.output()).phases
      #expect(phases.map(\.name) == ["stopped inside"] && !phases[0].wasEnded)
      #expect(engine.unmarkedPhaseCount == 0)
    }
  }

  @Test func aPhaseDoesNotEndOneOfAnotherRecording() throws {
    try withFixture { tree in
      let engine = try tree.startedEngine()
      let id = try engine.phase("of the first") {
        try engine.stop()
        try engine.start()
        return try engine.beginPhase("of the second")
      }
      #expect(id == 1)
      try engine.endPhase(id)
      #expect(try phases(of: engine, tree).map(\.name) == ["of the second"])
    }
  }

  @Test func nothingIsInsideOfAPhaseWhoseEndWasRefused() throws {
    let word = FutexWord(0)
    let marks = Marks("nowhere.bin")
    let moment = Marks.Moment(time: 1, nextSample: 1, spool: SpoolRequest(word.reference))
    func begin() throws(FNVMError) -> UInt64 {
      try marks.beginPhase("x", insideOf: 0, isOnThread: true, moment)
    }
    let phase = try begin()
    // Until the disk, which there is none, has taken 8192.
    for _ in 0..<4095 { try marks.endPhase(try begin(), moment) }
    _ = try begin()
    let refused = FNVMError.from { () throws(FNVMError) in try marks.endPhase(phase, moment) }
    #expect(refused?.code == .io)
    marks.abandonPhase(phase)
    let gone = FNVMError.from { () throws(FNVMError) in try marks.endPhase(phase, moment) }
    #expect(gone?.code == .invalid)
  }
}

/// Runs one thing at a time, so that what its tasks do alternates on few threads.
private actor Desk {
  func run<R: Sendable>(_ body: @Sendable (isolated Desk) async throws -> R) async rethrows -> R {
    try await body(self)
  }
}

@Suite struct AsyncPhaseTests {
  private func phases(of engine: Engine, _ tree: FixtureTree) throws -> [Phase] {
    try engine.stop()
    return try Trace(path: tree.output()).phases.sorted { $0.name < $1.name }
  }

  @Test func phasesOfATaskAreInsideOfEachOther() async throws {
    try await withFixture { tree in
      let engine = try tree.startedEngine()
      @Sendable func helper() { engine.phase("4 of a function that knows no tasks") {} }
      let value = try await engine.phase("1 outer") {
        await Task.yield()
        await engine.phase("2 inner") { await Task.yield() }
        engine.phase("3 of a synchronous body") { helper() }
        await withTaskGroup { group in
          for name in ["5 child", "6 child"] {
            group.addTask { await engine.phase(name) { await Task.yield() } }
          }
        }
        let id = try engine.beginPhase("7 by hand")
        try engine.endPhase(id)
        return 11
      }
      engine.phase("8 after") {}
      #expect(value == 11)
      let phases = try phases(of: engine, tree)
      #expect(phases.map { $0.name.prefix(1) } == ["1", "2", "3", "4", "5", "6", "7", "8"])
      #expect(phases.allSatisfy { $0.wasEnded })
      let outer = phases[0].id
      #expect(
        phases.map(\.parent) == [nil, outer, outer, phases[2].id, outer, outer, outer, nil])
    }
  }

  /// Threads would say that the second is inside of the first.
  @Test func phasesOfTasksThatTakeTurnsAreNotInsideOfEachOther() async throws {
    try await withFixture { tree in
      let engine = try tree.startedEngine()
      let desk = Desk()
      let (begun, hasBegun) = AsyncStream<Void>.makeStream()
      let (done, isDone) = AsyncStream<Void>.makeStream()
      let first = Task {
        await desk.run { _ in
          await engine.phase("1 waits") {
            hasBegun.finish()
            for await _ in done {}
          }
        }
      }
      for await _ in begun {}
      await desk.run { _ in
        await engine.phase("2 in between") {
          engine.phase("3 its own") {}
          await Task.yield()
        }
        engine.phase("4 of a thread") {}
      }
      isDone.finish()
      await first.value
      let phases = try phases(of: engine, tree)
      #expect(phases.map(\.parent) == [nil, nil, phases[1].id, nil])
      #expect(phases.allSatisfy { $0.wasEnded })
    }
  }

  @Test func whatATaskLeavesBehindIsNotInsideOfItsPhase() async throws {
    try await withFixture { tree in
      let engine = try tree.startedEngine()
      let (ended, hasEnded) = AsyncStream<Void>.makeStream()
      let late = await engine.phase("1 started it") {
        await Task.yield()
        return Task {
          for await _ in ended {}
          engine.phase("2 late") {}
        }
      }
      hasEnded.finish()
      await late.value
      #expect(try phases(of: engine, tree).map(\.parent) == [nil, nil])
    }
  }

  @Test func typedErrorsAndIsolationAreKept() async throws {
    try await withFixture { tree in
      let engine = try tree.startedEngine()
      do throws(Failure) {
        try await engine.phase("fails") { () async throws(Failure) in
          await Task.yield()
          throw Failure(reason: 8)
        }
        Issue.record("the error was swallowed")
      } catch {
        #expect(error.reason == 8)
      }
      let count = await Counter().count(engine)
      #expect(count == 1)
      #expect(try phases(of: engine, tree).map(\.wasEnded) == [true, true])
      #expect(
        await engine.phase("unheard") {
          await Task.yield(); return 5
        } == 5)
      #expect(engine.unmarkedPhaseCount == 1)
    }
  }

  private actor Counter {
    var value = 0
    func count(_ engine: Engine) async -> Int {
      await engine.phase("its own state") {
        value += 1
        await Task.yield()
        return value
      }
    }
  }
}
