import Foundation
import Testing

@testable import FastNVMetrics

@Suite struct TraceColumnTests {
  private static let golden = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("golden")

  @Test(arguments: ["agx_orin_v1", "orin_nx_v1", "short_v1"])
  func columnsHoldWhatRecordsHold(name: String) throws {
    let trace = try Trace(path: SystemPath(Self.golden.appendingPathComponent(name + ".bin").path))
    let (fast, medium, slow) = (trace.fastColumns, trace.mediumColumns, trace.slowColumns)
    #expect(Array(fast.timeSeconds) == trace.fast.map(\.timeSeconds))
    #expect(Array(fast.gpuLoad) == trace.fast.map(\.gpuLoad))
    #expect(Array(fast.ramUsedKB) == trace.fast.map(\.ramUsedKB))
    #expect(Array(fast.ramAvailableKB) == trace.fast.map(\.ramAvailableKB))
    #expect(same(fast.cpuAggregate, trace.fast.map(\.cpuAggregate)))
    #expect(same(fast.emcUtilization, trace.fast.map(\.emcUtilization)))
    for core in 0..<trace.header.cpuCoreCount {
      #expect(
        same(fast.cpuUtilization(core: core), trace.fast.map { $0.cpuUtilization[core] }))
    }
    #expect(Array(medium.timeSeconds) == trace.medium.map(\.timeSeconds))
    for (rail, label) in trace.header.powerRailNames.enumerated() {
      #expect(Array(medium.voltageMV(rail: rail)) == trace.medium.map { $0.voltageMV[rail] })
      #expect(Array(medium.currentMA(rail: rail)) == trace.medium.map { $0.currentMA[rail] })
      let power = trace.medium.map { $0.powerMW[rail] }
      #expect(same(medium.powerMW(rail: rail), power))
      #expect(same(try #require(medium.powerMW(rail: label)), power))
      #expect(medium.voltageMV(rail: label)?.count == medium.voltageMV(rail: rail).count)
      #expect(medium.currentMA(rail: label)?.first == medium.currentMA(rail: rail).first)
    }
    #expect(Array(slow.timeSeconds) == trace.slow.map(\.timeSeconds))
    for (zone, label) in trace.header.thermalZoneNames.enumerated() {
      let temperature = trace.slow.map { $0.temperatureC[zone] }
      #expect(same(slow.temperatureC(zone: zone), temperature))
      #expect(same(try #require(slow.temperatureC(zone: label)), temperature))
    }
  }

  /// Equal, NaN to NaN.
  private func same(_ column: TraceColumn<Float>, _ values: [Float]) -> Bool {
    column.map(\.bitPattern) == values.map(\.bitPattern)
  }

  @Test func whatIsNotThereHasNoColumn() throws {
    try withFixture { tree in
      try TraceBytes.write(TraceBytes.complete(), to: tree.output())
      let trace = try Trace(path: tree.output())
      for label in ["", "VDD", "vdd_cpu_cv", "VDD_CPU_CV\0"] {
        #expect(trace.mediumColumns.powerMW(rail: label) == nil)
        #expect(trace.mediumColumns.voltageMV(rail: label) == nil)
        #expect(trace.mediumColumns.currentMA(rail: label) == nil)
        #expect(trace.slowColumns.temperatureC(zone: label) == nil)
      }
    }
  }

  @Test func aColumnKeepsItsTraceOpen() throws {
    try withFixture { tree in
      try TraceBytes.write(TraceBytes.complete(), to: tree.output())
      let times = try Trace(path: tree.output()).fastColumns.timeSeconds
      #expect(times.count == 40 && times.last == 0.04)
      #expect(Array(times[10..<12]) == [0.011, 0.012] && times.reversed().first == 0.04)
    }
  }

  @Test func anEmptyTraceHasEmptyColumns() throws {
    try withFixture { tree in
      try TraceBytes.write(TraceBytes.complete(fast: 0), to: tree.output())
      let trace = try Trace(path: tree.output())
      #expect(trace.fastColumns.gpuLoad.isEmpty)
      #expect(trace.mediumColumns.powerMW(rail: 1).isEmpty)
      #expect(trace.slowColumns.temperatureC(zone: 2).last == nil)
      #expect(trace.fastColumns.timeSeconds.positions(from: 0, to: .max).isEmpty)
    }
  }

  @Test(
    arguments: [
      (0, 0, 0..<0), (0, 1_000_000, 0..<0), (1_000_000, 3_000_000, 0..<2),
      (1_000_001, 3_000_001, 1..<3), (0, .max, 0..<40), (50_000_000, .max, 40..<40),
      (3_000_000, 1_000_000, 2..<2),
    ] as [(UInt64, UInt64, Range<Int>)])
  func samplesOfAStretchOfTimeAreFound(begin: UInt64, end: UInt64, expected: Range<Int>) throws {
    try withFixture { tree in
      try TraceBytes.write(TraceBytes.complete(), to: tree.output())
      let times = try Trace(path: tree.output()).fastColumns.timeSeconds
      #expect(times.positions(from: begin, to: end) == expected)
      let phase = Phase(
        id: 1, name: "x", parent: nil, depth: 0, thread: 1, beginNanoseconds: begin,
        endNanoseconds: end, wasEnded: true)
      #expect(times.positions(in: phase) == expected)
    }
  }

  /// Times that are none, and values that cannot be.
  @Test func damagedSamplesDoNoHarm() throws {
    try withFixture { tree in
      var numbers = SystemRandomNumberGenerator()
      for fill in [nil, 0xFF, 0x7F, 0] as [UInt8?] {
        var bytes = TraceBytes.complete()
        for i in TraceFormat.headerSize..<bytes.count {
          bytes[i] = fill ?? UInt8.random(in: 0...255, using: &numbers)
        }
        try TraceBytes.write(bytes, to: tree.output())
        let trace = try Trace(path: tree.output())
        let fast = trace.fastColumns
        #expect(fast.gpuLoad.reduce(0) { $0 + UInt64($1) } <= 40 * UInt64(UInt16.max))
        #expect(fast.cpuUtilization(core: 11).count == 40)
        for (begin, end) in [(0, .max), (20_000_000, 30_000_000), (.max, 0)] as [(UInt64, UInt64)] {
          let positions = fast.timeSeconds.positions(from: begin, to: end)
          #expect(positions.clamped(to: 0..<40) == positions)
        }
      }
    }
  }

  @Test func aPositionOutsideTraps() async throws {
    await #expect(processExitsWith: .failure) {
      try withFixture { tree in
        try TraceBytes.write(TraceBytes.complete(), to: tree.output())
        _ = try Trace(path: tree.output()).fastColumns.gpuLoad[40]
        exit(EXIT_SUCCESS)
      }
    }
    await #expect(processExitsWith: .failure) {
      try withFixture { tree in
        try TraceBytes.write(TraceBytes.complete(), to: tree.output())
        _ = try Trace(path: tree.output()).mediumColumns.powerMW(rail: 2)
        exit(EXIT_SUCCESS)
      }
    }
  }

  @Test func theHeaderKnowsWhichRailsAddUp() throws {
    var header = TraceHeader()
    header.boardName = "agx_orin"
    header.powerRailNames = ["VDDQ_VDD2_1V8AO", "VIN_SYS_5V0", "VDD_GPU_SOC", "VDD_CPU_CV"]
    #expect(header.totalPowerRails == [2, 3, 1])
    header.powerRailNames.removeLast()
    #expect(header.totalPowerRails == [])
    header.powerRailNames = ["VDD_IN"]
    header.boardName = "orin_nx"
    #expect(header.totalPowerRails == [0])
    header.boardName = "generic_linux"
    #expect(header.totalPowerRails == [])
  }
}
