import Testing

@testable import FastNVMetrics

/// Damaged files are refused or read, and never crash the process.
@Suite struct DamagedTraceTests {
  @Test func readingADamagedTraceNeverCrashes() throws {
    var random = Numbers(seed: 1)
    let whole = TraceBytes.complete()
    try withFixture { tree in
      var read = 0
      for _ in 0..<2000 {
        try TraceBytes.write(random.damage(whole), to: tree.output())
        if let trace = try? Trace(path: tree.output()) {
          read += 1
          for sample in trace.fast { #expect(sample.cpuUtilization.count <= 16) }
          for sample in trace.medium { #expect(sample.powerMW.count <= 8) }
          for sample in trace.slow { #expect(sample.temperatureC.count <= 16) }
          #expect(trace.syncPoints.map(\.id).count == trace.syncPoints.count)
        }
      }
      // Most of the damage is in the samples, where anything goes.
      #expect(read > 100)
    }
  }

  @Test func recoveringADamagedTraceNeverCrashes() throws {
    var random = Numbers(seed: 2)
    let unfinished = TraceBytes.complete {
      $0.isClosed = false
      $0.fastSampleCount = 0
      $0.mediumSampleCount = 0
      $0.slowSampleCount = 0
      $0.syncPointCount = 0
    }
    let closing = TraceBytes.complete { $0.isClosed = false }
    try withFixture { tree in
      for round in 0..<200 {
        try TraceBytes.write(
          random.damage(round % 2 == 0 ? unfinished : closing), to: tree.output())
        if round % 3 != 0 {
          for (suffix, size) in [(".fnvm-medium", 104), (".fnvm-slow", 72), (".fnvm-sync", 16)] {
            let spool = TraceBytes.record(size * 3, time: 0.5)
            try TraceBytes.write(random.damage(spool), to: tree.output("run.bin" + suffix))
          }
        }
        guard let wasCompleted = try? Trace.recover(path: tree.output()), wasCompleted else {
          continue
        }
        let trace = try Trace(path: tree.output())
        #expect(trace.header.isRecovered)
        #expect(trace.syncPoints.allSatisfy { _ in true })
        #expect(try Trace.recover(path: tree.output()) == false)
      }
    }
  }

  /// SplitMix64: the same damage in every run.
  private struct Numbers: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
      state &+= 0x9E37_79B9_7F4A_7C15
      var z = state
      z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
      z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
      return z ^ (z >> 31)
    }

    /// A few bits turned over, often in the header, and now and then the end cut off.
    mutating func damage(_ bytes: [UInt8]) -> [UInt8] {
      var bytes = bytes
      for _ in 0..<Int.random(in: 1...6, using: &self) {
        let range =
          Bool.random(using: &self) ? bytes.indices : bytes.startIndex..<min(728, bytes.endIndex)
        bytes[Int.random(in: range, using: &self)] ^= 1 << UInt8.random(in: 0...7, using: &self)
      }
      if Int.random(in: 0..<5, using: &self) == 0 {
        bytes.removeLast(Int.random(in: 0...bytes.count, using: &self))
      }
      return bytes
    }
  }
}
