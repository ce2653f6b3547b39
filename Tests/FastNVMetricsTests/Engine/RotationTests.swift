import Foundation
import Testing

@testable import FastNVMetrics

/// One recording in several traces.
@Suite struct RotationTests {
  private func engine(
    _ tree: FixtureTree, _ configuration: EngineConfiguration = .forTests
  ) throws -> Engine {
    try OrinFixture(.nx).build(on: tree)
    return try start(tree, try .detect(root: tree.root), configuration)
  }

  private func start(
    _ tree: FixtureTree, _ board: BoardConfig, _ configuration: EngineConfiguration
  ) throws -> Engine {
    let engine = try Engine(
      outputPath: tree.output("0"), board: board, configuration: configuration)
    try engine.start()
    try engine.waitForWarmUp()
    return engine
  }

  private func traces(_ tree: FixtureTree, _ count: Int) throws -> [Trace] {
    try (0..<count).map { try Trace(path: tree.output("\($0)")) }
  }

  /// The times of a tier in nanoseconds of CLOCK_MONOTONIC.
  private func times(_ trace: Trace, _ seconds: some Sequence<Double>) -> [UInt64] {
    seconds.map { trace.header.startMonotonicNanoseconds + UInt64($0 * 1e9 + 0.5) }
  }

  /// Every tick of the grid between the first and the last sample was taken or counted, whichever traces they are in.
  private func checkTicks(
    _ traces: [Trace], _ period: UInt64, from first: Int, missed: (TraceHeader) -> UInt64,
    _ seconds: (Trace) -> [Double], _ tier: String
  ) {
    var all: [UInt64] = []
    for (i, trace) in traces.enumerated() {
      let times = times(trace, seconds(trace))
      let start = trace.header.startMonotonicNanoseconds
      #expect(times.allSatisfy { $0 >= start }, "\(tier): all of a trace is after its t = 0")
      if i + 1 < traces.count {
        let end = traces[i + 1].header.startMonotonicNanoseconds
        #expect(times.allSatisfy { $0 < end }, "\(tier): and before the next one's")
      }
      all += times
    }
    #expect(zip(all, all.dropFirst()).allSatisfy { $0 < $1 }, "\(tier): no sample is there twice")
    // Without the warm-up, and the closing sample, which is on no grid.
    let regular = all.dropFirst(first).dropLast(tier == "fast" ? 1 : 0)
    let missed = traces.map { missed($0.header) }.reduce(0, +)
    guard let begin = regular.first, let end = regular.last else { return }
    let span = Int((end - begin + period / 2) / period)
    // A late sample seems to be another tick's, at either end.
    #expect(
      abs(span - (regular.count - 1) - Int(missed)) <= 2 + Int(missed),
      "\(tier): \(span) ticks, \(regular.count) samples, \(missed) missed")
  }

  private func checkAll(
    _ traces: [Trace], _ configuration: EngineConfiguration, _ counts: EngineCounts
  ) {
    func sum(_ count: (Trace) -> Int) -> UInt64 { UInt64(traces.map(count).reduce(0, +)) }
    #expect(sum { $0.fast.count } == counts.fastSamples)
    #expect(sum { $0.medium.count } == counts.mediumSamples)
    #expect(sum { $0.slow.count } == counts.slowSamples)
    #expect(sum { $0.syncPoints.count } == counts.syncPoints)
    #expect(sum { Int($0.header.missedFast) } == counts.missedFast)
    #expect(sum { Int($0.header.missedMedium) } == counts.missedMedium)
    #expect(sum { Int($0.header.missedSlow) } == counts.missedSlow)
    #expect(traces.allSatisfy { $0.header.isClosed && $0.header.droppedSamples == 0 })
    func period(_ hz: UInt32) -> UInt64 { 1_000_000_000 / UInt64(hz) }
    checkTicks(
      traces, period(configuration.fastHz), from: 11, missed: \.missedFast,
      { $0.fast.map(\.timeSeconds) }, "fast")
    checkTicks(
      traces, period(configuration.mediumHz), from: 0, missed: \.missedMedium,
      { $0.medium.map(\.timeSeconds) }, "medium")
    checkTicks(
      traces, period(configuration.slowHz), from: 0, missed: \.missedSlow,
      { $0.slow.map(\.timeSeconds) }, "slow")
  }

  @Test(arguments: [1000, 10_000] as [UInt32])
  func noTickIsLostOrTakenTwice(_ fastHz: UInt32) throws {
    try withFixture { tree in
      var configuration = EngineConfiguration(fastHz: fastHz, mediumHz: 200, slowHz: 50)
      configuration.writesStats = true
      let engine = try engine(tree, configuration)
      for i in 1...12 { try engine.rotate(to: tree.output("\(i)")) }
      try engine.stop()
      let traces = try traces(tree, 13)
      checkAll(traces, configuration, engine.counts)
      #expect(try tree.outputNames == (0...12).map { "\($0)" }.sorted())
      // The sum of all statistics is that of the recording.
      let stats = try traces.map { try statistics($0) }
      for (key, whole) in [
        ("reads", engine.stats.sources[1].reads), ("failures", engine.stats.sources[1].failures),
      ] {
        let parts = stats.map { (($0["sources"] as? [[String: Any]])?[1][key] as? Int) ?? -1 }
        #expect(parts.allSatisfy { $0 >= 0 } && parts.reduce(0, +) == Int(whole), "\(key)")
      }
      let elapsed = stats.map { ($0["elapsed_s"] as? Double) ?? 0 }
      #expect(abs(elapsed.reduce(0, +) - Double(engine.stats.elapsedNanoseconds) / 1e9) < 1e-6)
    }
  }

  private func statistics(_ trace: Trace) throws -> [String: Any] {
    let chunk = try #require(try trace.chunk(ofType: "STAT"))
    let object = try JSONSerialization.jsonObject(with: Data(chunk.payload))
    return try #require(object as? [String: Any])
  }

  /// Tiers that read nothing note their ticks late.
  @Test func neitherIsOneOfATierWithoutSources() throws {
    try withFixture { tree in
      try tree.writeStat(cores: [0])
      try tree.writeMemory(totalKB: 1000, availableKB: 400)
      let configuration = EngineConfiguration(fastHz: 500, mediumHz: 1000, slowHz: 10)
      let engine = try start(
        tree, BoardConfig(boardName: "own", cpuCoreCount: 1, root: tree.root), configuration)
      for i in 1...4 { try engine.rotate(to: tree.output("\(i)")) }
      try engine.stop()
      checkAll(try traces(tree, 5), configuration, engine.counts)
    }
  }

  @Test func eachTraceHasTimesAndFactsOfItsOwn() throws {
    try withFixture { tree in
      var configuration = EngineConfiguration.forTests
      configuration.writesMetadata = true
      let engine = try engine(tree, configuration)
      try engine.annotate("command", "train")
      try engine.rotate(to: tree.output("1"))
      try engine.annotate("late", "yes")
      try engine.stop()
      let traces = try traces(tree, 2)
      let facts = try traces.map { try $0.metadata() }
      func number(_ trace: Int, _ name: String) throws -> UInt64 {
        try #require(facts[trace][name] as? NSNumber).uint64Value
      }
      for clock in ["monotonic", "realtime", "boottime"] {
        #expect(try number(0, "stop_\(clock)_ns") == number(1, "start_\(clock)_ns"))
      }
      #expect(try number(1, "start_monotonic_ns") == traces[1].header.startMonotonicNanoseconds)
      #expect(try number(1, "start_realtime_ns") == traces[1].header.startRealtimeNanoseconds)
      #expect(try traces[0].annotations() == ["command": "train"])
      #expect(try traces[1].annotations() == ["command": "train", "late": "yes"])
      for object in facts {
        let clocks = try #require(object["clocks"] as? [String: Any])
        #expect(Set(clocks.keys) == ["start", "stop"])
      }
      #expect(traces.allSatisfy { $0.fast.allSatisfy { $0.gpuLoad == OrinFixture.gpuLoad } })
      #expect(traces[1].medium.allSatisfy { $0.powerMW[1].isFinite })
    }
  }

  @Test func marksAndPhasesGoOn() throws {
    try withFixture { tree in
      let engine = try engine(tree)
      let outer = try engine.beginPhase("outer")
      let inner = try engine.beginPhase("inner")
      #expect(try engine.sync("old") == 1)
      #expect(try engine.sync() == 2)
      try engine.rotate(to: tree.output("1"))
      try engine.endPhase(inner)
      #expect(try engine.sync("new") == 1)
      let last = try engine.beginPhase("last")
      #expect(last == 3)
      try engine.endPhase(last)
      try engine.rotate(to: tree.output("2"))
      try engine.endPhase(outer)
      try engine.stop()
      let traces = try traces(tree, 3)
      #expect(engine.counts.syncPoints == 3)
      #expect(traces.map { $0.syncPoints.map(\.id) } == [[1, 2], [1], []])
      for trace in traces {
        for point in trace.syncPoints {
          #expect(point.fastSampleIndex < UInt64(trace.fast.count), "a sample follows every mark")
        }
      }
      #expect(traces.map { $0.syncLabels.map(\.text) } == [["old"], ["new"], []])
      #expect(traces.map { $0.phases.map(\.id) } == [[1, 2], [1, 2, 3], [1]])
      #expect(traces.map { $0.phases.map(\.name) }[1] == ["outer", "inner", "last"])
      #expect(traces.map { $0.phases.map(\.parent) } == [[nil, 1], [nil, 1, 1], [nil]])
      #expect(traces.allSatisfy { $0.phases.allSatisfy { $0.wasEnded } })
      for (old, new) in zip(traces, traces.dropFirst()) {
        let cut = new.header.startMonotonicNanoseconds - old.header.startMonotonicNanoseconds
        #expect(old.phases[0].endNanoseconds == cut && new.phases[0].beginNanoseconds == 0)
        #expect(new.phases[0].thread == old.phases[0].thread)
        let last = try #require(old.fast.last)
        #expect(last.timeSeconds < Double(cut) / 1e9)
      }
    }
  }

  @Test func whatCannotBeRotatedGoesOn() throws {
    try withFixture { tree in
      let engine = try engine(tree)
      try engine.rotate(to: tree.output("1"))
      let other = try Engine(
        outputPath: tree.output("busy"), board: .detect(root: tree.root), configuration: .forTests)
      try other.start()
      for (name, errno) in [
        ("1", EBUSY), ("busy", EBUSY), ("missing/2", ENOENT), ("", EISDIR),
      ] {
        let error = FNVMError.from { () throws(FNVMError) in
          try engine.rotate(to: tree.output(name))
        }
        #expect(error?.code == .io && error?.errno == errno, "\(name): \(error?.message ?? "none")")
        #expect(error?.path == tree.output(name))
      }
      // By another name it is the same.
      try TraceBytes.write([1], to: tree.output("link"))
      unlink(tree.output("link").description)
      #expect(symlink("1", tree.output("link").description) == 0)
      let same = FNVMError.from { () throws(FNVMError) in try engine.rotate(to: tree.output("link"))
      }
      #expect(same?.errno == EBUSY)
      #expect(unlink(tree.output("link").description) == 0)
      for path in [SystemPath(), SystemPath(bytes: [0x61, 0])] {
        let error = FNVMError.from { () throws(FNVMError) in try engine.rotate(to: path) }
        #expect(error?.code == .invalid)
      }
      try other.stop()
      let before = engine.sampleCount
      try engine.waitForSamples(fast: before + 5)
      try engine.stop()
      let stopped = FNVMError.from { () throws(FNVMError) in
        try engine.rotate(to: tree.output("2"))
      }
      #expect(stopped?.code == .notRunning)
      checkAll(try traces(tree, 2), .forTests, engine.counts)
      #expect(try tree.outputNames == ["0", "1", "busy"])
    }
  }

  @Test func startRecordsToTheNewestPath() throws {
    try withFixture { tree in
      let engine = try engine(tree)
      _ = try engine.beginPhase("before")
      try engine.rotate(to: tree.output("1"))
      try engine.stop()
      let first = try Trace(path: tree.output("0")).header
      let second = try Trace(path: tree.output("1")).header
      try engine.start()
      try engine.waitForWarmUp()
      #expect(try engine.beginPhase("after") == 2)
      try engine.stop()
      #expect(try Trace(path: tree.output("0")).header == first)
      let third = try Trace(path: tree.output("1")).header
      #expect(third.startMonotonicNanoseconds > second.startMonotonicNanoseconds)
    }
  }

  @Test func countsAndSnapshotsGoOn() throws {
    try withFixture { tree in
      let engine = try engine(tree)
      let before = try engine.snapshot()
      let count = engine.sampleCount
      try engine.rotate(to: tree.output("1"))
      let after = try engine.snapshot()
      #expect(after.startMonotonicNanoseconds == before.startMonotonicNanoseconds)
      let times = try (#require(before.fast).timeSeconds, #require(after.fast).timeSeconds)
      #expect(times.0 < times.1)
      #expect(engine.sampleCount > count && engine.isRunning)
      try engine.stop()
    }
  }

  @Test func tracesOfACrashInARotationAreRecovered() throws {
    try withFixture { tree in
      let engine = try engine(tree)
      _ = try engine.beginPhase("open")
      let rotated = FutexWord(0)
      let thread = try FastNVMetrics.Thread.start("rotate") { [reference = rotated.reference] in
        try? engine.rotate(to: tree.output("1"))
        reference.post(1)
      }
      // As soon as both are there: the old one may be about to be completed.
      let new = SystemPath(tree.output("1").description + ".fnvm-journal")
      #expect(eventually { TraceBytes.exists(new) && TraceBytes.exists(tree.output("1")) })
      for name in ["0", "1"] {
        try TraceBytes.copyFiles(tree.output(name), to: tree.output("crashed" + name))
      }
      thread.join()
      try engine.waitForSamples(fast: engine.sampleCount + 100)
      try TraceBytes.copyFiles(tree.output("1"), to: tree.output("later1"))
      try engine.stop()
      for name in ["crashed0", "crashed1", "later1"] {
        #expect(try Trace.recover(path: tree.output(name)))
      }
      let whole = try traces(tree, 2)
      for (name, i) in [("crashed0", 0), ("later1", 1)] {
        let recovered = try Trace(path: tree.output(name))
        #expect(Array(recovered.fast) == Array(whole[i].fast.prefix(recovered.fast.count)))
        #expect(
          recovered.header.startMonotonicNanoseconds == whole[i].header.startMonotonicNanoseconds)
      }
      let later = try Trace(path: tree.output("later1"))
      #expect(later.fast.count > 20 && later.phases.map(\.name) == ["open"])
    }
  }

  @Test func threadsMayRotateMarkAndLookAtOnce() throws {
    try withFixture { tree in
      let engine = try engine(tree)
      let stop = FutexWord(0)
      let reference = stop.reference
      var threads: [FastNVMetrics.Thread] = []
      for i in 0..<2 {
        threads.append(
          try .start("rotate") {
            for k in 0..<4 { try? engine.rotate(to: tree.output("\(i)-\(k)")) }
          })
      }
      for _ in 0..<2 {
        threads.append(
          try .start("mark") {
            while reference.value == 0 {
              _ = try? engine.sync("mark")
              engine.phase("phase") { _ = try? engine.snapshot() }
              _ = engine.counts
              _ = engine.stats
              try? engine.annotate("key", "value")
              usleep(300)
            }
          })
      }
      for thread in threads.prefix(2) { thread.join() }
      reference.post(1)
      for thread in threads.dropFirst(2) { thread.join() }
      try engine.stop()
      #expect(engine.unmarkedPhaseCount == 0)
      let names = try tree.outputNames
      #expect(names.count == 9)
      let traces = try names.map { try Trace(path: tree.output($0)) }.sorted {
        $0.header.startMonotonicNanoseconds < $1.header.startMonotonicNanoseconds
      }
      checkAll(traces, .forTests, engine.counts)
      for trace in traces {
        #expect(trace.syncPoints.map(\.id) == (0..<trace.syncPoints.count).map { UInt64($0 + 1) })
        #expect(trace.syncPoints.count == trace.syncLabels.count)
        #expect(trace.phases.allSatisfy { $0.wasEnded })
      }
      #expect(engine.counts.syncPoints > 50)
    }
  }
}
