import Foundation
import Testing

@testable import FastNVMetrics

@Suite struct PhaseTests {
  /// Records a simulated board while `body` marks.
  private func recorded(
    _ tree: FixtureTree, _ body: (Engine) throws -> Void
  ) throws -> (trace: Trace, notices: [String]) {
    try OrinFixture(.agx).build(on: tree)
    let recorded = try tree.record(try .detect(root: tree.root)) { engine throws in
      try engine.waitForWarmUp()
      try body(engine)
    }
    return (recorded.trace, recorded.notices)
  }

  @Test func phasesAreInsideOfEachOther() throws {
    try withFixture { tree in
      let trace = try recorded(tree) { engine throws in
        let outer = try engine.beginPhase("decode")
        let first = try engine.beginPhase("attention")
        try engine.endPhase(first)
        let second = try engine.beginPhase("attention")
        try engine.endPhase(second)
        try engine.endPhase(outer)
        try engine.endPhase(try engine.beginPhase("after"))
      }.trace
      let phases = trace.phases
      #expect(phases.map(\.id) == [1, 2, 3, 4])
      #expect(phases.map(\.name) == ["decode", "attention", "attention", "after"])
      #expect(phases.map(\.parent) == [nil, 1, 1, nil])
      #expect(phases.map(\.depth) == [0, 1, 1, 0])
      #expect(phases.allSatisfy { $0.wasEnded && $0.endNanoseconds >= $0.beginNanoseconds })
      #expect(phases[0].beginNanoseconds <= phases[1].beginNanoseconds)
      #expect(phases[1].endNanoseconds <= phases[2].beginNanoseconds)
      #expect(phases[2].endNanoseconds <= phases[0].endNanoseconds)
      #expect(trace.header.syncPointCount == 0)
      let last = try #require(trace.fast.last)
      #expect(Double(phases[3].endNanoseconds) / 1e9 <= last.timeSeconds)
    }
  }

  @Test func phasesOfOtherThreadsAreNotInsideOfEachOther() throws {
    try withFixture { tree in
      let trace = try recorded(tree) { engine throws in
        let mine = try engine.beginPhase("mine")
        let ended = FutexWord(0)
        let thread = try FastNVMetrics.Thread.start("other") { [reference = ended.reference] in
          if let id = try? engine.beginPhase("other") { try? engine.endPhase(id) }
          reference.post(1)
        }
        thread.join()
        try engine.endPhase(mine)
      }.trace
      #expect(trace.phases.map(\.parent) == [nil, nil])
      #expect(trace.phases[0].thread != trace.phases[1].thread)
    }
  }

  @Test func aPhaseThatIsNotEndedEndsWithTheTrace() throws {
    try withFixture { tree in
      let trace = try recorded(tree) { engine throws in _ = try engine.beginPhase("open") }.trace
      let phase = try #require(trace.phases.first)
      #expect(!phase.wasEnded)
      #expect(phase.endNanoseconds == UInt64(try #require(trace.fast.last).timeSeconds * 1e9))
    }
  }

  @Test func syncPointsHaveLabels() throws {
    try withFixture { tree in
      let trace = try recorded(tree) { engine throws in
        #expect(try engine.sync() == 1)
        #expect(try engine.sync("step två") == 2)
        #expect(try engine.sync("third") == 3)
      }.trace
      #expect(trace.syncLabels.map(\.syncID) == [2, 3])
      #expect(trace.syncLabels.map(\.text) == ["step två", "third"])
      #expect(trace.syncPoints.map(\.id) == [1, 2, 3])
    }
  }

  @Test func longNamesAreCutAtACharacter() throws {
    try withFixture { tree in
      let trace = try recorded(tree) { engine throws in
        // 86 bytes and two more: the last character does not fit into 87.
        try engine.endPhase(try engine.beginPhase(String(repeating: "é", count: 43) + "éx"))
        try engine.endPhase(try engine.beginPhase(String(repeating: "a", count: 87)))
      }.trace
      #expect(trace.phases[0].name == String(repeating: "é", count: 43))
      #expect(trace.phases[1].name == String(repeating: "a", count: 87))
    }
  }

  @Test func whatIsNoPhaseCannotBeEnded() throws {
    try withFixture { tree in
      _ = try recorded(tree) { engine throws in
        let id = try engine.beginPhase("once")
        try engine.endPhase(id)
        for wrong in [id, 0, 77, UInt64.max] {
          let error = FNVMError.from { () throws(FNVMError) in try engine.endPhase(wrong) }
          #expect(error?.code == .invalid)
        }
        let empty = FNVMError.from { () throws(FNVMError) in _ = try engine.beginPhase("") }
        #expect(empty?.code == .invalid)
        let label = FNVMError.from { () throws(FNVMError) in try engine.sync("") }
        #expect(label?.code == .invalid)
      }
      let engine = try Engine(outputPath: tree.output(), board: .named("agx_orin", root: tree.root))
      let idle = FNVMError.from { () throws(FNVMError) in _ = try engine.beginPhase("idle") }
      #expect(idle?.code == .notRunning)
    }
  }

  @Test func openPhasesAreLimited() throws {
    try withFixture { tree in
      let trace = try recorded(tree) { engine throws in
        for _ in 0..<4096 { _ = try engine.beginPhase("leak") }
        let error = FNVMError.from { () throws(FNVMError) in _ = try engine.beginPhase("one more") }
        #expect(error?.code == .invalid)
        try engine.endPhase(4096)
        _ = try engine.beginPhase("room again")
      }.trace
      #expect(trace.phases.count == 4097)
      #expect(trace.phases[4096].depth == 4095)
    }
  }

  @Test func aCrashKeepsThePhases() throws {
    try withFixture { tree in
      try OrinFixture(.agx).build(on: tree)
      _ = try tree.record(try .detect(root: tree.root)) { engine throws in
        try engine.waitForWarmUp()
        let done = try engine.beginPhase("done")
        try engine.endPhase(done)
        _ = try engine.beginPhase("in progress")
        try engine.sync("marked")
        // The journal vouches for all that is in the spool; wait for the round that writes it.
        let spool = SystemPath(tree.output().description + ".fnvm-phases")
        while try TraceBytes.read(spool).count < 4 * PhaseEvent.size
          || !TraceBytes.journal(of: tree.output()).contains(where: { $0.stream == .phaseEvents })
          || !TraceBytes.journal(of: tree.output()).contains(where: { $0.stream == .syncPoints })
        {
          usleep(1000)
        }
        try engine.waitForSamples(fast: engine.sampleCount + 400)
        try TraceBytes.copyFiles(tree.output(), to: tree.output("crashed.bin"))
      }
      for hasJournal in [true, false] {
        let path = tree.output(hasJournal ? "crashed.bin" : "without.bin")
        if hasJournal {
          try TraceBytes.copyFiles(path, to: tree.output("without.bin"))
        } else {
          unlink(path.description + ".fnvm-journal")
        }
        #expect(try Trace.recover(path: path))
        let trace = try Trace(path: path)
        let phases = trace.phases
        #expect(phases.map(\.name) == ["done", "in progress"])
        #expect(phases.map(\.wasEnded) == [true, false])
        #expect(trace.syncLabels.map(\.text) == ["marked"])
      }
      #expect(try !tree.outputNames.contains { $0.contains(".fnvm-phases") })
    }
  }

  @Test func moreMarksThanTheBuffersHoldAreKept() throws {
    try withFixture { tree in
      let trace = try recorded(tree) { engine throws in
        for _ in 0..<20_000 { try engine.endPhase(try engine.beginPhase("short")) }
      }.trace
      #expect(trace.phases.count == 20_000)
      #expect(trace.phases.allSatisfy { $0.wasEnded && $0.depth == 0 })
    }
  }

  @Test func damagedPhasesDoNoHarm() throws {
    try withFixture { tree in
      let path = tree.output()
      _ = try recorded(tree) { engine throws in try engine.endPhase(try engine.beginPhase("a")) }
      var bytes = try TraceBytes.read(path)
      let start = Int(try Trace(path: path).header.chunksOffset)
      bytes[start + 16 + 50] ^= 1
      try TraceBytes.write(bytes, to: path)
      let trace = try Trace(path: path)
      #expect(trace.phases.isEmpty && trace.fast.count > 5)
    }
  }
}

@Suite struct SnapshotTests {
  @Test func theNewestSamplesAreThoseOfTheBoard() throws {
    try withFixture { tree in
      try OrinFixture(.agx).build(on: tree)
      let engine = try Engine(
        outputPath: tree.output(), board: .detect(root: tree.root), configuration: .forTests)
      let idle = FNVMError.from { () throws(FNVMError) in _ = try engine.snapshot() }
      #expect(idle?.code == .notRunning)
      try engine.start()
      try engine.waitForSamples(fast: 300, medium: 10, slow: 5)
      let snapshot = try engine.snapshot()
      try engine.stop()
      let trace = try Trace(path: tree.output())
      let fast = try #require(snapshot.fast)
      let medium = try #require(snapshot.medium)
      let slow = try #require(snapshot.slow)
      #expect(snapshot.startMonotonicNanoseconds == trace.header.startMonotonicNanoseconds)
      let taken = try #require(trace.fast.first { $0.timeSeconds == fast.timeSeconds })
      #expect(fast.gpuLoad == taken.gpuLoad && fast.ramUsedKB == taken.ramUsedKB)
      #expect(fast.emcUtilization == taken.emcUtilization)
      #expect(trace.fast.contains { $0.cpuAggregate == fast.cpuAggregate })
      #expect(
        fast.cpuUtilization.count == 12 && medium.powerMW.count == trace.medium[0].powerMW.count)
      #expect(trace.medium.contains(medium) && trace.slow.contains(slow))
    }
  }

  @Test func thereIsAlwaysAWholeSample() throws {
    try withFixture { tree in
      try OrinFixture(.nx).build(on: tree)
      let engine = try Engine(
        outputPath: tree.output(), board: .detect(root: tree.root), configuration: .forTests)
      try engine.start()
      var last = 0.0
      while engine.sampleCount < 500 {
        if let fast = try engine.snapshot().fast {
          #expect(fast.timeSeconds >= last)
          #expect(fast.gpuLoad == OrinFixture.gpuLoad)
          last = fast.timeSeconds
        }
      }
      try engine.stop()
      #expect(last > 0)
    }
  }
}
