import FastNVMetrics
import Testing

/// Utilisation of the cores as a trace has it.
@Suite struct CoreUtilizationTests {
  private func board(_ tree: FixtureTree, possible: Int, columns: Int? = nil) throws -> BoardConfig
  {
    try tree.write("sys/devices/system/cpu/possible", "0-\(possible - 1)\n")
    try tree.writeMemory(totalKB: 100, availableKB: 40)
    return BoardConfig(
      boardName: "cores", cpuCoreCount: columns ?? possible, root: tree.root)
  }

  @Test func meansAreTrueWithoutIdleCounters() throws {
    try withFixture { tree in
      let loads: [SimulatedCores.Load] = [.share(0.3), .share(0.75), .asleep, .busy]
      try tree.withCores(loads) { _ in
        let recorded = try tree.record(try board(tree, possible: 4)) {
          try $0.waitForSamples(fast: 600)
        }
        let means = (0..<4).map { recorded.trace.meanUtilization(of: $0) }
        #expect(abs(means[0] - 30) < 2.5, "\(means)")
        #expect(abs(means[1] - 75) < 2.5, "\(means)")
        #expect(means[2] < 0.1 && means[3] > 99.9, "\(means)")
        #expect(abs(recorded.trace.meanAggregate - 51.25) < 2, "\(means)")
        #expect(recorded.counts.readErrors == 0)
      }
    }
  }

  @Test func meansAreTrueWithIdleCounters() throws {
    try withFixture { tree in
      let loads: [SimulatedCores.Load] = [.share(0.3), .share(0.75), .asleep, .busy]
      try tree.withCores(loads, hasIdleStates: true) { _ in
        let recorded = try tree.record(try board(tree, possible: 4)) {
          try $0.waitForSamples(fast: 600)
        }
        let means = (0..<4).map { recorded.trace.meanUtilization(of: $0) }
        #expect(abs(means[0] - 30) < 2.5, "\(means)")
        #expect(abs(means[1] - 75) < 2.5, "\(means)")
        #expect(means[2] < 1 && means[3] > 99, "\(means)")
      }
    }
  }

  @Test func anOnlineCoreIsNeverNaN() throws {
    try withFixture { tree in
      try tree.withCores([.share(0.5), .asleep], hasIdleStates: true) { _ in
        let recorded = try tree.record(try board(tree, possible: 2))
        for sample in recorded.trace.fast {
          #expect(sample.cpuUtilization.allSatisfy { (0...100).contains($0) })
          #expect((0...100).contains(sample.cpuAggregate))
        }
      }
    }
  }

  @Test func offlineCoresAreNaNAndTheirNeighboursInPlace() throws {
    try withFixture { tree in
      let loads: [SimulatedCores.Load] = [.asleep, .busy, .asleep, .asleep, .busy, .asleep]
      try tree.withCores(loads) { cores in
        for core in [2, 3] { cores.set(core, online: false) }
        try #require(
          eventually {
            try !String(
              decoding: TraceBytes.read(tree.path("proc/stat")), as: UTF8.self
            ).contains("cpu2")
          })
        let recorded = try tree.record(try board(tree, possible: 6)) {
          try $0.waitForSamples(fast: 150)
        }
        for sample in recorded.trace.fast {
          #expect(sample.cpuUtilization[2].isNaN && sample.cpuUtilization[3].isNaN)
          #expect(!sample.cpuAggregate.isNaN)
        }
        let means = [0, 1, 4, 5].map { recorded.trace.meanUtilization(of: $0) }
        #expect(means[0] < 0.1 && means[3] < 0.1, "\(means)")
        #expect(means[1] > 99.9 && means[2] > 99.9, "\(means)")
        #expect(abs(recorded.trace.meanAggregate - 50) < 0.1)
      }
    }
  }

  @Test(arguments: [false, true])
  func aCoreMayGoAndComeBackWhileRecording(hasIdleStates: Bool) throws {
    try withFixture { tree in
      let loads: [SimulatedCores.Load] = [.share(0.2), .share(0.8), .share(0.4), .share(0.6)]
      try tree.withCores(loads, hasIdleStates: hasIdleStates) { cores in
        let recorded = try tree.record(try board(tree, possible: 4)) { engine in
          try engine.waitForSamples(fast: 250)
          cores.set(2, online: false)
          try engine.waitForSamples(fast: 500)
          cores.set(2, online: true)
          try engine.waitForSamples(fast: 800)
        }
        let isNaN = recorded.trace.fast.map { $0.cpuUtilization[2].isNaN }
        #expect(!isNaN[0] && !isNaN[isNaN.count - 1])
        // One gap, of about the length it had.
        #expect(zip(isNaN, isNaN.dropFirst()).count { !$0 && $1 } == 1)
        #expect((150...350).contains(isNaN.count { $0 }))
        for core in [0, 1, 3] {
          #expect(recorded.trace.fast.allSatisfy { !$0.cpuUtilization[core].isNaN })
        }
        let means = (0..<4).map { recorded.trace.meanUtilization(of: $0) }
        for (mean, truth) in zip(means, [20.0, 80, 40, 60]) {
          #expect(abs(mean - truth) < 3, "\(means)")
        }
      }
    }
  }

  @Test func coresBeyondSixteenCountInTheAggregate() throws {
    try withFixture { tree in
      let loads = (0..<20).map { $0 < 16 ? SimulatedCores.Load.asleep : .busy }
      try tree.withCores(loads) { _ in
        let recorded = try tree.record(try board(tree, possible: 20, columns: 16)) {
          try $0.waitForSamples(fast: 150)
        }
        #expect(recorded.trace.fast.allSatisfy { $0.cpuUtilization.count == 16 })
        #expect((0..<16).allSatisfy { recorded.trace.meanUtilization(of: $0) < 0.1 })
        #expect(abs(recorded.trace.meanAggregate - 20) < 0.1)
      }
    }
  }
}
