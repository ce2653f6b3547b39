import FastNVMetrics
import Foundation
import Testing

/// Phase boundaries.
@Suite struct SyncPointTests {
  @Test func everyMarkHasASampleAfterItWhenStopFollowsAtOnce() throws {
    try withFixture { tree in
      try OrinFixture(.nano).build(on: tree)
      let engine = try Engine(
        outputPath: tree.output(), board: try .detect(root: tree.root),
        configuration: EngineConfiguration(fastHz: 1000, mediumHz: 50, slowHz: 20))
      for round in 0..<50 {
        try engine.start()
        if round % 2 == 1 { try engine.waitForWarmUp() }
        let ids = [try engine.sync(), try engine.sync(), try engine.sync()]
        try engine.stop()
        let trace = try Trace(path: tree.output())
        #expect(ids == [1, 2, 3])
        #expect(trace.syncPoints.map(\.id) == ids)
        #expect(trace.syncPoints.allSatisfy { $0.fastSampleIndex < trace.fast.count })
      }
    }
  }

  @Test func theSampleOfAMarkWasTakenAfterIt() throws {
    try withFixture { tree in
      try OrinFixture(.nano).build(on: tree)
      var marks: [UInt64] = []
      let recorded = try tree.record(try .detect(root: tree.root)) { engine in
        for count in 1...40 as ClosedRange<UInt64> {
          try engine.waitForSamples(fast: 10 + 3 * count)
          marks.append(clock_gettime_nsec(CLOCK_MONOTONIC))
          try engine.sync()
        }
      }
      let trace = recorded.trace
      #expect(trace.syncPoints.map(\.id) == Array(1...40))
      var previous: UInt64 = 0
      for (mark, point) in zip(marks, trace.syncPoints) {
        let sinceStart = Double(mark - trace.header.startMonotonicNanoseconds) / 1e9
        #expect(trace.fast[Int(point.fastSampleIndex)].timeSeconds >= sinceStart - 1e-6)
        #expect(point.fastSampleIndex >= previous)
        previous = point.fastSampleIndex
      }
    }
  }

  @Test func marksMadeByManyThreadsWhileStoppingAreAllKept() throws {
    try withFixture { tree in
      try OrinFixture(.nano).build(on: tree)
      let engine = try Engine(
        outputPath: tree.output(), board: try .detect(root: tree.root), configuration: .forTests)
      for _ in 0..<5 {
        try engine.start()
        try engine.waitForWarmUp()
        let ids = Collected()
        let threads = DispatchGroup()
        for _ in 0..<3 {
          threads.enter()
          let thread = Foundation.Thread {
            while let id = try? engine.sync() { ids.append(id) }
            threads.leave()
          }
          thread.start()
        }
        #expect(eventually { ids.count > 100 })
        try engine.stop()
        threads.wait()
        let trace = try Trace(path: tree.output())
        #expect(ids.sorted == Array(1...UInt64(ids.count)))
        #expect(trace.syncPoints.map(\.id) == ids.sorted)
        #expect(trace.syncPoints.allSatisfy { $0.fastSampleIndex < trace.fast.count })
        #expect(try TraceBytes.read(tree.output()).count == trace.expectedByteCount)
      }
    }
  }

  @Test func moreMarksThanTheBuffersHoldAreKept() throws {
    try withFixture { tree in
      try OrinFixture(.nano).build(on: tree)
      let recorded = try tree.record(try .detect(root: tree.root)) { engine in
        for _ in 0..<10_000 { try engine.sync() }
      }
      #expect(recorded.trace.syncPoints.map(\.id) == Array(1...10_000))
    }
  }

  private final class Collected: @unchecked Sendable {
    // `ids` is guarded by `lock`.
    private let lock = NSLock()
    private var ids: [UInt64] = []

    func append(_ id: UInt64) { lock.withLock { ids.append(id) } }
    var count: Int { lock.withLock { ids.count } }
    var sorted: [UInt64] { lock.withLock { ids.sorted() } }
  }
}
