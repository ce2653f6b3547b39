import FastNVMetrics
import Foundation
import Testing

/// The header of a recording.
@Suite struct RecordedHeaderTests {
  @Test func itDescribesTheRecording() throws {
    try withFixture { tree in
      let fixture = OrinFixture(.agx)
      try fixture.build(on: tree)
      let before = clock_gettime_nsec(CLOCK_REALTIME)
      let beforeMonotonic = clock_gettime_nsec(CLOCK_MONOTONIC)
      let recorded = try tree.record(
        try .detect(root: tree.root), EngineConfiguration(fastHz: 501, mediumHz: 51, slowHz: 21))
      let header = recorded.trace.header
      #expect(header.boardName == "agx_orin")
      #expect(header.cpuCoreCount == 12)
      #expect(header.powerRailNames == fixture.railNames)
      #expect(header.thermalZoneNames == fixture.zoneNames)
      #expect([header.fastHz, header.mediumHz, header.slowHz] == [501, 51, 21])
      #expect(header.hasExtension && header.isClosed && !header.isRecovered)
      #expect(header.chunksOffset == 0)
      #expect(header.writerVersion == FastNVMetricsVersion.packed)
      let clocks = [
        (header.startRealtimeNanoseconds, before, CLOCK_REALTIME),
        (header.startMonotonicNanoseconds, beforeMonotonic, CLOCK_MONOTONIC),
      ]
      for (start, before, clock) in clocks {
        #expect(start >= before && start <= clock_gettime_nsec(clock))
      }
    }
  }

  @Test func longNamesAreCutBetweenCharacters() throws {
    try withFixture { tree in
      let long = "VDD_" + String(repeating: "é", count: 20)
      let board = BoardConfig(
        boardName: String(repeating: "€", count: 20), cpuCoreCount: 1,
        powerRails: [
          PowerRailConfig(label: long, voltagePath: "", currentPath: ""),
          PowerRailConfig(
            label: String(repeating: "a", count: 23), voltagePath: "", currentPath: ""),
          PowerRailConfig(
            label: String(repeating: "b", count: 24), voltagePath: "", currentPath: ""),
        ],
        thermalZones: [ThermalZoneConfig(name: "z🌡️" + long, tempPath: "")], root: tree.root)
      let header = try tree.record(board).trace.header
      // 31 bytes hold ten characters of three; 23 hold four and nine of two.
      #expect(header.boardName == String(repeating: "€", count: 10))
      #expect(
        header.powerRailNames == [
          "VDD_" + String(repeating: "é", count: 9), String(repeating: "a", count: 23),
          String(repeating: "b", count: 23),
        ])
      #expect(!header.thermalZoneNames[0].unicodeScalars.contains("\u{FFFD}"))
      #expect(header.thermalZoneNames[0].utf8.count <= 23)
    }
  }

  @Test func unusedSlotsAreZero() throws {
    try withFixture { tree in
      try OrinFixture(.nx).build(on: tree)
      let trace = try tree.record(try .detect(root: tree.root)).trace
      let bytes = try TraceBytes.read(tree.output())
      let (fast, medium) = (trace.fast.count, trace.medium.count)
      for i in 0..<fast {
        let record = bytes[(728 + 98 * i)...].prefix(98).dropFirst(10 + 4 * 8).prefix(32)
        #expect(record.allSatisfy { $0 == 0 })
      }
      for i in 0..<medium {
        let record = Array(bytes[(728 + 98 * fast + 104 * i)...].prefix(104))
        for start in [8, 40, 72] {
          #expect(record[(start + 12)..<(start + 32)].allSatisfy { $0 == 0 })
        }
      }
      for i in 0..<trace.slow.count {
        let record = Array(bytes[(728 + 98 * fast + 104 * medium + 72 * i)...].prefix(72))
        #expect(record[48...].allSatisfy { $0 == 0 })
      }
    }
  }

  @Test func aTraceThatIsBeingRecordedSaysSo() throws {
    try withFixture { tree in
      try OrinFixture(.nx).build(on: tree)
      _ = try tree.record(try .detect(root: tree.root)) { _ in
        let error = FNVMError.from { () throws(FNVMError) in try Trace(path: tree.output()) }
        #expect(error?.code == .unfinished)
        #expect(error?.message.hasPrefix("Unfinished trace") == true)
        #expect(error?.message.contains("fastnvmetrics recover") == true)
      }
    }
  }
}
