import Testing

@testable import FastNVMetrics

@Suite struct GPUProbeTests {
  /// Counters that `load` contradicts lose: from then on it is `load` that is read, at once.
  @Test(arguments: [true, false])
  func loadTakesThePlaceOfCountersThatItContradicts(isNative: Bool) throws {
    try withFixture { tree in
      try tree.write("gpu/load", "1000\n")
      try tree.write("gpu/counters", "0 1000\n")
      let board = BoardConfig(
        boardName: "test", cpuCoreCount: 1, gpuLoadPath: tree.path("gpu/load"))
      let keeper = NodeKeeper()
      let scratch = Scratch(byteCount: 256)
      var probe = GPUProbe(board, interval: 0, isNative: isNative, keeper: keeper)
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
      withExtendedLifetime(keeper) {}
    }
  }

  /// Counters that stop while the GPU idles are found out within 200 ms, and `load` is read then.
  @Test(arguments: [true, false])
  func loadTakesThePlaceOfCountersThatStandStill(isNative: Bool) throws {
    try withFixture { tree in
      try tree.write("gpu/load", "000\n")
      try tree.write("gpu/counters", "0 1000000000\n")
      let board = BoardConfig(
        boardName: "test", cpuCoreCount: 1, gpuLoadPath: tree.path("gpu/load"))
      let keeper = NodeKeeper()
      let scratch = Scratch(byteCount: 256)
      var probe = GPUProbe(board, interval: 0, isNative: isNative, keeper: keeper)
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
      withExtendedLifetime(keeper) {}
    }
  }
}
