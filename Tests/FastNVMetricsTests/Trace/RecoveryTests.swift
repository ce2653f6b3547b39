import Foundation
import Testing

@testable import FastNVMetrics

/// Traces whose recorder was killed. A copy of a running recorder's files is what a crash leaves behind.
@Suite struct RecoveryTests {
  /// Makes a crashed trace at `crashed.bin` in the tree, by a recorder at `run.bin` that is stopped properly.
  private func crash(_ tree: FixtureTree, marks: Int = 2) throws {
    try OrinFixture(.agx).build(on: tree)
    _ = try tree.record(try .detect(root: tree.root)) { engine in
      for _ in 0..<marks { try engine.sync() }
      // Past what is open for correction, so that samples are in the file.
      try engine.waitForSamples(fast: 200, medium: 20, slow: 8)
      try TraceBytes.copyFiles(tree.output(), to: tree.output("crashed.bin"))
    }
  }

  @Test func aCrashedTraceIsCompleted() throws {
    try withFixture { tree in
      try crash(tree)
      let path = tree.output("crashed.bin")
      let opening = FNVMError.from { () throws(FNVMError) in try Trace(path: path) }
      #expect(opening?.code == .unfinished)

      #expect(try Trace.recover(path: path))
      let trace = try Trace(path: path)
      #expect(trace.header.isRecovered && !trace.header.isClosed)
      #expect(trace.header.boardName == "agx_orin")
      #expect(trace.header.startRealtimeNanoseconds > 0)
      #expect(trace.fast.count > 50 && trace.medium.count > 5 && trace.slow.count > 2)
      #expect(trace.syncPoints.map(\.id) == [1, 2])
      #expect(trace.fast.allSatisfy { $0.gpuLoad == OrinFixture.gpuLoad && $0.timeSeconds > 0 })
      #expect(trace.medium.allSatisfy { $0.powerMW[1] == 15_737.6 })
      #expect(trace.slow.allSatisfy { $0.temperatureC[0] == 42 })
      #expect(try TraceBytes.read(path).count == trace.expectedByteCount)
      #expect(try tree.outputNames == ["crashed.bin", "run.bin"])
    }
  }

  @Test func itsSamplesAreThoseOfTheRecording() throws {
    try withFixture { tree in
      try crash(tree)
      try Trace.recover(path: tree.output("crashed.bin"))
      let whole = try Trace(path: tree.output())
      let recovered = try Trace(path: tree.output("crashed.bin"))
      #expect(Array(recovered.fast) == Array(whole.fast.prefix(recovered.fast.count)))
      #expect(Array(recovered.medium) == Array(whole.medium.prefix(recovered.medium.count)))
      #expect(Array(recovered.slow) == Array(whole.slow.prefix(recovered.slow.count)))
    }
  }

  @Test func recoveringTwiceChangesNothing() throws {
    try withFixture { tree in
      try crash(tree)
      let path = tree.output("crashed.bin")
      #expect(try Trace.recover(path: path))
      let bytes = try TraceBytes.read(path)
      #expect(try !Trace.recover(path: path))
      #expect(try TraceBytes.read(path) == bytes)
    }
  }

  @Test func aCompleteTraceIsLeftAlone() throws {
    try withFixture { tree in
      for bytes in [
        TraceBytes.complete(), TraceBytes.complete { $0.hasExtension = false },
      ] {
        try TraceBytes.write(bytes, to: tree.output())
        #expect(chmod(tree.output().description, 0o444) == 0)
        #expect(try !Trace.recover(path: tree.output()))
        #expect(try TraceBytes.read(tree.output()) == bytes)
      }
    }
  }

  @Test func aTraceThatIsBeingRecordedIsBusy() throws {
    try withFixture { tree in
      try OrinFixture(.nx).build(on: tree)
      let recorded = try tree.record(try .detect(root: tree.root)) { engine in
        let error = FNVMError.from { () throws(FNVMError) in
          try Trace.recover(path: tree.output())
        }
        #expect(error?.code == .io)
        #expect(error?.errno == EBUSY)
        try engine.waitForSamples(fast: 60, medium: 4, slow: 2)
      }
      #expect(recorded.trace.header.isClosed)
      #expect(recorded.trace.medium.count >= 4)
    }
  }

  @Test func aTraceWithoutItsSpoolsKeepsItsFastSamples() throws {
    try withFixture { tree in
      try crash(tree)
      for suffix in [".fnvm-journal", ".fnvm-medium", ".fnvm-slow", ".fnvm-sync", ".fnvm-phases"] {
        #expect(unlink(tree.output("crashed.bin" + suffix).description) == 0)
      }
      #expect(try Trace.recover(path: tree.output("crashed.bin")))
      let trace = try Trace(path: tree.output("crashed.bin"))
      #expect(trace.fast.count > 50)
      #expect(trace.medium.isEmpty && trace.slow.isEmpty && trace.syncPoints.isEmpty)
    }
  }

  @Test func recordsThatWereTornOrNeverWrittenAreLeftOut() throws {
    try withFixture { tree in
      try crash(tree)
      let path = tree.output("crashed.bin")
      var bytes = try TraceBytes.read(path)
      // Blocks are as long as the machine is busy, and a copy can have some that its journal lacks.
      let blocks = try TraceBytes.journal(of: path)
      let fastCount = blocks.filter { $0.stream == .fast }.reduce(0) { $0 + Int($1.count) }
      let mediumCount = blocks.filter { $0.stream == .medium }.dropLast().reduce(0) {
        $0 + Int($1.count)
      }
      bytes.removeLast((bytes.count - 728) % 98)
      // What a power cut leaves: zeros where data was promised, and half a record.
      bytes += [UInt8](repeating: 0, count: 98 * 3 + 40)
      try TraceBytes.write(bytes, to: path)
      let medium = SystemPath(path.description + ".fnvm-medium")
      try TraceBytes.write(
        Array(try TraceBytes.read(medium).prefix(104 * mediumCount + 50)), to: medium)
      try Trace.recover(path: path)
      let trace = try Trace(path: path)
      #expect(trace.fast.count == fastCount)
      #expect(trace.medium.count == mediumCount && mediumCount > 0)
      #expect(try TraceBytes.read(path).count == trace.expectedByteCount)
    }
  }

  @Test func spooledRecordsThatWereNeverWrittenAreLeftOut() throws {
    try withFixture { tree in
      try crash(tree)
      let path = tree.output("crashed.bin")
      for (suffix, size) in [(".fnvm-medium", 104), (".fnvm-slow", 72), (".fnvm-sync", 16)] {
        let spool = SystemPath(path.description + suffix)
        let bytes = Array(try TraceBytes.read(spool).prefix(2 * size))
        try TraceBytes.write(bytes + [UInt8](repeating: 0, count: 2 * size), to: spool)
      }
      try Trace.recover(path: path)
      let trace = try Trace(path: path)
      #expect(trace.medium.allSatisfy { $0.timeSeconds > 0 })
      #expect(trace.slow.allSatisfy { $0.timeSeconds > 0 })
      #expect(trace.syncPoints.map(\.id) == [1, 2])
    }
  }

  @Test func marksWithoutASampleAfterThemAreLeftOut() throws {
    try withFixture { tree in
      try crash(tree)
      let path = tree.output("crashed.bin")
      // As if the crash had come when only 15 samples were in the file, and no journal to say what is whole.
      unlink(path.description + ".fnvm-journal")
      try TraceBytes.write(Array(try TraceBytes.read(path).prefix(728 + 98 * 15)), to: path)
      var marks: [UInt8] = []
      for (id, index) in [(1, 3), (2, 14), (3, 15), (4, 99)] as [(UInt64, UInt64)] {
        withUnsafeBytes(of: id.littleEndian) { marks += $0 }
        withUnsafeBytes(of: index.littleEndian) { marks += $0 }
      }
      try TraceBytes.write(marks, to: SystemPath(path.description + ".fnvm-sync"))
      try Trace.recover(path: path)
      let trace = try Trace(path: path)
      #expect(trace.fast.count == 15)
      #expect(trace.syncPoints.map(\.id) == [1, 2])
    }
  }

  @Test func aRecoveryThatWasKilledCanBeRepeated() throws {
    try withFixture { tree in
      try crash(tree)
      let path = tree.output("crashed.bin")
      let suffixes = [".fnvm-medium", ".fnvm-slow", ".fnvm-sync", ".fnvm-phases"]
      let spools = try suffixes.map { try TraceBytes.read(SystemPath(path.description + $0)) }
      try Trace.recover(path: path)
      let done = try TraceBytes.read(path)
      let fastEnd = 728 + 98 * (try Trace(path: path)).fast.count
      // Counts in the header, which says that it is unfinished, and part of the spools appended.
      for cut in [fastEnd, fastEnd + 150, done.count] {
        var half = Array(done.prefix(cut))
        half[664] &= ~6
        try TraceBytes.write(half, to: path)
        for (suffix, spool) in zip(suffixes, spools) {
          try TraceBytes.write(spool, to: SystemPath(path.description + suffix))
        }
        #expect(try Trace.recover(path: path))
        #expect(try TraceBytes.read(path) == done)
      }
    }
  }

  /// The samples that it found bad are not found again.
  @Test func aRecoveryThatWasKilledCountsNothingTwice() throws {
    try withFixture { tree in
      try crash(tree)
      let path = tree.output("crashed.bin")
      let spool = SystemPath(path.description + ".fnvm-medium")
      var medium = Array(try TraceBytes.read(spool))
      medium.removeLast(medium.count % 104)
      medium += [UInt8](repeating: 0, count: 104 * 3)
      try TraceBytes.write(medium, to: spool)
      let journal = SystemPath(path.description + ".fnvm-journal")
      let (slow, sync) = (
        try TraceBytes.read(SystemPath(path.description + ".fnvm-slow")),
        try TraceBytes.read(SystemPath(path.description + ".fnvm-sync"))
      )
      let blocks = try TraceBytes.read(journal)
      try Trace.recover(path: path)
      let trace = try Trace(path: path)
      #expect(trace.header.droppedSamples >= 3)
      let done = try TraceBytes.read(path)

      var half = Array(done.prefix(728 + 98 * trace.fast.count + 10))
      half[664] &= ~6
      try TraceBytes.write(half, to: path)
      for (suffix, bytes) in [
        (".fnvm-medium", medium), (".fnvm-slow", slow), (".fnvm-sync", sync),
        (".fnvm-journal", blocks),
      ] {
        try TraceBytes.write(bytes, to: SystemPath(path.description + suffix))
      }
      #expect(try Trace.recover(path: path))
      #expect(try TraceBytes.read(path) == done)
    }
  }

  /// Where a power cut took the fast and the medium samples, slow ones alone are counted.
  @Test func onlySlowSamplesSurviveTheLastStepOfACompletion() throws {
    try withFixture { tree in
      var bytes = TraceBytes.complete(fast: 0) {
        $0.slowSampleCount = 3
        $0.syncPointCount = 0
        $0.isClosed = false
      }
      bytes = Array(bytes.prefix(728))
      for i in 1...3 { bytes += TraceBytes.record(72, time: Double(i) / 10) }
      try TraceBytes.write(bytes, to: tree.output())
      // Of the files beside it the first are gone: all they held is in the trace.
      try TraceBytes.write([], to: SystemPath(tree.output().description + ".fnvm-sync"))
      #expect(try Trace.recover(path: tree.output()))
      let trace = try Trace(path: tree.output())
      #expect(trace.slow.map(\.timeSeconds) == [0.1, 0.2, 0.3])
      #expect(trace.header.droppedSamples == 0)
      #expect(try tree.outputNames == ["run.bin"])
    }
  }

  @Test func aCrashedTraceIsSetAsideAtTheNextStart() throws {
    try withFixture { tree in
      try crash(tree)
      let path = tree.output("crashed.bin")
      let bytes = try TraceBytes.read(path)
      let header = try #require(bytes.withUnsafeBytes { TraceHeader(decoding: $0) })
      let aside = "crashed.bin.unfinished-\(header.startRealtimeNanoseconds)"

      let recorded = try tree.record(
        try .detect(root: tree.root), to: "crashed.bin")
      #expect(recorded.notices.count == 1)
      #expect(recorded.notices[0].contains(aside))
      #expect(recorded.notices[0].contains("fastnvmetrics recover"))
      #expect(recorded.trace.header.isClosed)
      #expect(try TraceBytes.read(tree.output(aside)) == bytes)
      #expect(try Trace.recover(path: tree.output(aside)))
      let old = try Trace(path: tree.output(aside))
      #expect(old.header.startRealtimeNanoseconds == header.startRealtimeNanoseconds)
      #expect(old.medium.count > 5 && old.syncPoints.count == 2)
      #expect(try tree.outputNames == ["crashed.bin", aside, "run.bin"])
    }
  }

  @Test(arguments: [0, 727])
  func aFileTooSmallForAHeaderIsNotRecovered(size: Int) throws {
    try withFixture { tree in
      try TraceBytes.write(Array(TraceBytes.complete().prefix(size)), to: tree.output())
      let error = FNVMError.from { () throws(FNVMError) in try Trace.recover(path: tree.output()) }
      #expect(error?.code == .format)
      #expect(error?.message.hasPrefix("File too small") == true)
    }
  }
}
