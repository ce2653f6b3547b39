import Testing

@testable import FastNVMetrics

@Suite struct GPUProbeTests {
  /// Runs the body with the probe of a GPU that says this.
  private func withProbe(
    load: String, counters: String, isNative: Bool,
    _ body: (FixtureTree, inout GPUProbe, borrowing Scratch) throws -> Void
  ) throws {
    try withFixture { tree in
      try tree.write("gpu/load", load + "\n")
      try tree.write("gpu/counters", counters + "\n")
      let board = BoardConfig(
        boardName: "test", cpuCoreCount: 1, gpuLoadPath: tree.path("gpu/load"))
      let keeper = NodeKeeper()
      var probe = GPUProbe(board, interval: 0, isNative: isNative, keeper: keeper)
      try body(tree, &probe, Scratch(byteCount: 256))
      withExtendedLifetime(keeper) {}
    }
  }

  /// Counters that `load` contradicts lose: from then on it is `load` that is read, at once.
  @Test(arguments: [true, false])
  func loadTakesThePlaceOfCountersThatItContradicts(isNative: Bool) throws {
    try withProbe(load: "1000", counters: "0 1000", isNative: isNative) { tree, probe, scratch in
      var words = [UInt32](repeating: 0, count: GPUProbe.wordCount)
      var tally = ReadTally()
      var now: UInt64 = 1_000_000_000
      #expect(probe.read(at: now, into: &words, scratch, &tally))

      // Idle at the last, busy for a fifth of the time before.
      for (i, busy) in [0, 60, 120, 180, 240, 300, 360, 360].enumerated() {
        now += i == 0 ? 1_000_000 : 500_000_000
        let total = 1_000_000 + 300_000_000 * i
        try tree.rewrite("gpu/counters", "\(busy * 1_000_000) \(total)\n")
        let before = words
        let hasRead = probe.read(at: now, into: &words, scratch, &tally)
        #expect(hasRead || words == before)
      }
      #expect(words == [1000, GPUSource.load.rawValue, 1])
    }
  }

  /// Counters that stop while the GPU idles are found out within 200 ms, and `load` is read then.
  @Test(arguments: [true, false])
  func loadTakesThePlaceOfCountersThatStandStill(isNative: Bool) throws {
    try withProbe(load: "000", counters: "0 1000000000", isNative: isNative) {
      tree, probe, scratch in
      var words = [UInt32](repeating: 0, count: GPUProbe.wordCount)
      var tally = ReadTally()
      var now: UInt64 = 1_000_000_000
      for i in 0..<60 {
        try tree.rewrite("gpu/counters", "0 \(1_000_000_000 + 10_000_000 * i)\n")
        _ = probe.read(at: now, into: &words, scratch, &tally)
        now += 50_000_000
      }
      #expect(words == [0, GPUSource.counters.rawValue, 0])

      try tree.rewrite("gpu/load", "250\n")
      for _ in 0..<4 {
        _ = probe.read(at: now, into: &words, scratch, &tally)
        now += 50_000_000
      }
      #expect(words == [250, GPUSource.load.rawValue, 0])
    }
  }
}
