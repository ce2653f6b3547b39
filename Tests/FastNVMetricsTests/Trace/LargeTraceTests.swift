import Foundation
import Testing

@testable import FastNVMetrics

/// Traces past the reach of 32-bit offsets, on files that are mostly holes.
@Suite struct LargeTraceTests {
  @Test func aTraceOverFourGigabytesIsWrittenAndRead() throws {
    try withFixture { tree in
      let already: UInt64 = 45_000_000  // 4.4 GB of fast samples
      let files = try TraceFiles.forTests(at: tree.output(), fastRecords: already)
      var header = TraceHeader()
      header.boardName = "agx_orin"
      header.powerRailNames = ["VDD_IN"]
      try files.publish(header)
      for (stream, time) in [
        (TraceStream.fast, 45_000.5), (.medium, 45_000.25), (.slow, 45_000.125),
      ] {
        let record = TraceBytes.record(stream.recordSize, time: time)
        let appended = record.withUnsafeBytes { files.append($0, to: stream) }
        #expect(appended == (1, 0))
      }
      header.isClosed = true
      try files.complete(header)

      let trace = try Trace(path: tree.output())
      #expect(trace.header.byteCount! > UInt64(UInt32.max))
      #expect(trace.fast.count == 45_000_001)
      #expect(trace.fast.last?.timeSeconds == 45_000.5)
      #expect(trace.medium.map(\.timeSeconds) == [45_000.25])
      #expect(trace.slow.map(\.timeSeconds) == [45_000.125])
    }
  }
}

extension TraceFiles {
  /// A trace that has so many fast samples already.
  fileprivate static func forTests(
    at path: SystemPath, fastRecords: UInt64
  ) throws -> TraceFiles {
    let location = try TraceLocation(path)
    let names = TraceLocation.sidecarSuffixes + [".fnvm-new"]
    let opened = try names.map { suffix in
      let fd = location.name(suffix: suffix).withCString { name in
        openat(location.directory.rawValue, name, O_RDWR | O_CREAT, 0o644)
      }
      return try #require(fd >= 0 ? fd : nil)
    }
    let spools = Array(opened.prefix(TraceStream.spooled.count))
    let journal = TraceJournal(OwnedDescriptor(owning: opened[spools.count]))
    let trace = OwnedDescriptor(owning: opened[spools.count + 1])
    return TraceFiles(
      location, trace: trace, spools: spools, journal: journal,
      recordCounts: [fastRecords, 0, 0, 0, 0])
  }
}
