import Foundation
import Testing

@testable import FastNVMetrics

/// What a power cut leaves: files longer than their data, holes, torn blocks.
@Suite struct PowerCutTests {
  /// A crashed trace at `crashed.bin`, and how many fast samples its journal vouches for.
  private func crash(_ tree: FixtureTree) throws -> SystemPath {
    try OrinFixture(.agx).build(on: tree)
    _ = try tree.record(try .detect(root: tree.root)) { engine in
      try engine.sync()
      try engine.waitForSamples(fast: 300, medium: 40, slow: 20)
      try TraceBytes.copyFiles(tree.output(), to: tree.output("crashed.bin"))
    }
    return tree.output("crashed.bin")
  }

  private func beside(_ path: SystemPath, _ suffix: String) -> SystemPath {
    SystemPath(path.description + suffix)
  }

  @Test func theJournalVouchesForEveryRecordWithoutAGap() throws {
    try withFixture { tree in
      let path = try crash(tree)
      var next = [TraceStream: UInt64]()
      for entry in try TraceBytes.journal(of: path) {
        #expect(entry.first == next[entry.stream, default: 0])
        next[entry.stream] = entry.first + UInt64(entry.count)
      }
      #expect(next[.fast]! > 100 && next[.medium]! > 10 && next[.slow]! > 5)
      #expect(next[.syncPoints] == 1)
      try Trace.recover(path: path)
      let trace = try Trace(path: path)
      #expect(
        UInt64(trace.fast.count) == next[.fast] && UInt64(trace.medium.count) == next[.medium])
    }
  }

  @Test(arguments: [true, false])
  func aHoleEndsTheStreamBeforeIt(hasJournal: Bool) throws {
    try withFixture { tree in
      let path = try crash(tree)
      var bytes = try TraceBytes.read(path)
      let there =
        try (bytes.count - 728) / 98 + TraceBytes.read(beside(path, ".fnvm-medium")).count / 104
        + TraceBytes.read(beside(path, ".fnvm-slow")).count / 72
      // A page of the file that never reached the disk.
      for i in 8192..<12288 { bytes[i] = 0 }
      try TraceBytes.write(bytes, to: path)
      if !hasJournal { unlink(beside(path, ".fnvm-journal").description) }

      let blocks = hasJournal ? try TraceBytes.journal(of: path).filter { $0.stream == .fast } : []
      #expect(try Trace.recover(path: path))
      let trace = try Trace(path: path)
      let firstInHole = (8192 - 728) / 98
      // With the journal whole blocks are taken or left.
      let longest = Int(blocks.map { $0.count }.max() ?? 1)
      #expect(trace.fast.count <= firstInHole && trace.fast.count >= firstInHole - longest)
      #expect(trace.fast.allSatisfy { $0.gpuLoad == OrinFixture.gpuLoad })
      let recovered = trace.fast.count + trace.medium.count + trace.slow.count
      #expect(trace.header.droppedSamples == UInt64(there - recovered))
      #expect(trace.medium.count > 10 && trace.slow.count > 5)
    }
  }

  @Test(arguments: [".fnvm-medium", ".fnvm-slow"])
  func aFlippedBitIsNotTakenForData(suffix: String) throws {
    try withFixture { tree in
      let path = try crash(tree)
      let spool = beside(path, suffix)
      var bytes = try TraceBytes.read(spool)
      let size = suffix == ".fnvm-slow" ? 72 : 104
      bytes[size * 4 + 20] ^= 0x10
      try TraceBytes.write(bytes, to: spool)
      try Trace.recover(path: path)
      let trace = try Trace(path: path)
      #expect((suffix == ".fnvm-slow" ? trace.slow.count : trace.medium.count) <= 4)
      #expect((suffix == ".fnvm-slow" ? trace.medium.count : trace.slow.count) > 5)
      #expect(trace.fast.count > 100)
    }
  }

  @Test func whatAJournalThatIsCutNoLongerVouchesForIsLeftOut() throws {
    try withFixture { tree in
      let path = try crash(tree)
      let journal = beside(path, ".fnvm-journal")
      let bytes = try TraceBytes.read(journal)
      let kept = try TraceBytes.journal(of: path).prefix(6)
      try TraceBytes.write(Array(bytes.prefix(6 * JournalEntry.size + 11)), to: journal)
      try Trace.recover(path: path)
      let trace = try Trace(path: path)
      for (stream, count) in [
        (TraceStream.fast, trace.fast.count), (.medium, trace.medium.count),
        (.slow, trace.slow.count),
      ] {
        let expected = kept.filter { $0.stream == stream }.map { Int($0.count) }.reduce(0, +)
        #expect(count == expected)
      }
    }
  }

  @Test func aCompleteTraceKeepsNothingBesideIt() throws {
    try withFixture { tree in
      try OrinFixture(.nx).build(on: tree)
      var configuration = EngineConfiguration.forTests
      configuration.flushIntervalMilliseconds = 5
      let recorded = try tree.record(try .detect(root: tree.root), configuration)
      #expect(recorded.trace.header.droppedSamples == 0)
      #expect(try tree.outputNames == ["run.bin"])
    }
  }
}
