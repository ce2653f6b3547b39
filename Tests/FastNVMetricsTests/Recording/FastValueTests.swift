import FastNVMetrics
import Testing

/// GPU, memory controller and RAM as a trace has them.
@Suite struct FastValueTests {
  @Test(arguments: OrinFixture.all)
  func aTraceHoldsWhatTheBoardSays(fixture: OrinFixture) throws {
    try withFixture { tree in
      try fixture.build(on: tree)
      let recorded = try tree.record(try .detect(root: tree.root))
      let trace = recorded.trace
      for sample in trace.fast {
        #expect(sample.gpuLoad == OrinFixture.gpuLoad)
        #expect(sample.emcUtilization == OrinFixture.emcPercent)
        #expect(sample.ramAvailableKB == OrinFixture.availableKB)
        #expect(sample.ramUsedKB == OrinFixture.totalKB - OrinFixture.availableKB)
        #expect(sample.cpuUtilization.count == fixture.cores.count)
      }
      for sample in trace.medium {
        for rail in fixture.railNames.indices {
          let (mV, mA) = (fixture.voltageMV(rail), fixture.currentMA(rail))
          #expect(sample.voltageMV[rail] == mV)
          #expect(sample.currentMA[rail] == mA)
          #expect(sample.powerMW[rail] == Float(Double(mV) * Double(mA) / 1000))
        }
      }
      for sample in trace.slow {
        #expect(sample.temperatureC == fixture.zoneNames.indices.map(fixture.temperatureC))
      }
      #expect(trace.header.isGPUAvailable)
      #expect(trace.header.isEMCAvailable)
      #expect(recorded.counts.readErrors == 0)
      #expect(trace.header.readErrors == 0)
    }
  }

  @Test func gpuLoadIsClampedToPerMille() throws {
    try withFixture { tree in
      let fixture = OrinFixture(.nx)
      try fixture.build(on: tree)
      try tree.write(fixture.gpuDirectory + "/load", "437     \n")
      var stretches: [(Range<Int>, UInt16)] = []
      let recorded = try tree.record(try .detect(root: tree.root)) { engine in
        for (text, load) in [
          ("0", 0), ("1", 1), ("500", 500), ("1000", 1000), ("1001", 1000), ("99999", 1000),
          ("-5", 0),
        ] as [(String, UInt16)] {
          try tree.rewrite(fixture.gpuDirectory + "/load", text)
          stretches.append((try engine.samples(of: \.fastSamples, atLeast: 40), load))
        }
      }
      // The GPU has a new value every 16.7 ms, and need not be asked more often.
      for (range, load) in stretches {
        #expect(range.suffix(4).allSatisfy { recorded.trace.fast[$0].gpuLoad == load })
      }
    }
  }

  @Test func emcIsActiveClocksOverTheRate() throws {
    try withFixture { tree in
      let fixture = OrinFixture(.agx)
      try fixture.build(on: tree)
      try tree.write("sys/kernel/debug/cactmon/sample_period_usec", "1000\n")
      try tree.write(fixture.actmonPath, "799750     \n")
      var stretches: [(Range<Int>, Float)] = []
      let recorded = try tree.record(try .detect(root: tree.root)) { engine in
        for (active, rate, percent) in [
          ("0", "3199000000", 0), ("799750", "3199000000", 25), ("799750", "1599500000", 50),
          ("3199000", "3199000000", 100), ("9999999999", "3199000000", 100),
          ("799750", "0", -1), ("799750", "3199000000", 25),
        ] as [(String, String, Float)] {
          try tree.rewrite(fixture.actmonPath, active)
          try tree.rewrite(fixture.emcRatePath, rate)
          stretches.append((try engine.samples(of: \.fastSamples), percent))
        }
      }
      for (range, percent) in stretches {
        #expect(range.allSatisfy { recorded.trace.fast[$0].emcUtilization == percent })
      }
      #expect(recorded.trace.header.isEMCAvailable)
    }
  }

  @Test(arguments: [true, false])
  func emcIsMinusOneWhereANodeIsMissing(isActmonMissing: Bool) throws {
    try withFixture { tree in
      let fixture = OrinFixture(.agx)
      try fixture.build(on: tree)
      try tree.remove(isActmonMissing ? fixture.actmonPath : fixture.emcRatePath)
      let recorded = try tree.record(try .detect(root: tree.root))
      #expect(recorded.trace.fast.allSatisfy { $0.emcUtilization == -1 })
      #expect(!recorded.trace.header.isEMCAvailable)
      // What was never there does not fail.
      #expect(recorded.counts.readErrors == 0)
    }
  }

  @Test func ramFollowsMeminfo() throws {
    try withFixture { tree in
      try OrinFixture(.nano).build(on: tree)
      var stretch = 0..<0
      let recorded = try tree.record(try .detect(root: tree.root)) { engine in
        try tree.rewrite(
          "proc/meminfo", "MemTotal:  1000 kB\nMemFree: 1 kB\nMemAvailable:    250 kB\n")
        stretch = try engine.samples(of: \.fastSamples)
      }
      for i in stretch {
        #expect(recorded.trace.fast[i].ramUsedKB == 750)
        #expect(recorded.trace.fast[i].ramAvailableKB == 250)
      }
    }
  }

  @Test func aSuspendedGPUIsZeroAndIsNotAsked() throws {
    try withFixture { tree in
      let fixture = OrinFixture(.agx)
      try fixture.build(on: tree)
      try tree.write(fixture.gpuDirectory + "/power/runtime_status", "suspended\n")
      var asleep = 0..<0
      var awake = 0..<0
      let recorded = try tree.record(try .detect(root: tree.root)) { engine in
        asleep = try engine.samples(of: \.fastSamples, atLeast: 20)
        try tree.rewrite(fixture.gpuDirectory + "/power/runtime_status", "active")
        #expect(eventually { (try? tree.newestSample())?.gpuLoad == OrinFixture.gpuLoad })
        awake = try engine.samples(of: \.fastSamples)
      }
      #expect(asleep.allSatisfy { recorded.trace.fast[$0].gpuLoad == 0 })
      #expect(awake.allSatisfy { recorded.trace.fast[$0].gpuLoad == OrinFixture.gpuLoad })
      #expect(recorded.trace.header.isGPUAvailable)
      #expect(recorded.counts.readErrors == 0)
    }
  }
}
