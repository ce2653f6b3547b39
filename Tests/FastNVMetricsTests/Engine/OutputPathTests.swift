import FastNVMetrics
import Foundation
import Testing

/// Where traces can be written, and what is left where they cannot.
@Suite struct OutputPathTests {
  /// Runs the body with a way to start a recorder at a path.
  private func withRecorder(
    _ body: (FixtureTree, (SystemPath) throws -> Engine) throws -> Void
  ) throws {
    try withFixture { tree in
      try OrinFixture(.nano).build(on: tree)
      let board = try BoardConfig.detect(root: tree.root)
      try body(tree) {
        try Engine(outputPath: $0, board: board, configuration: .forTests)
      }
    }
  }

  private func startError(_ engine: Engine) -> FNVMError? {
    FNVMError.from { () throws(FNVMError) in try engine.start() }
  }

  @Test func aSecondRecorderAtAPathIsRefused() throws {
    try withRecorder { tree, engine in
      let first = try engine(tree.output())
      let second = try engine(tree.output())
      try first.start()
      try first.waitForWarmUp()
      for _ in 0..<3 {
        let error = startError(second)
        #expect(error?.code == .io)
        #expect(error?.errno == EBUSY)
        #expect(error?.path == tree.output())
      }
      #expect(!second.isRunning)
      try first.waitForSamples(fast: 60, medium: 5, slow: 3)
      try first.stop()
      let trace = try Trace(path: tree.output())
      #expect(trace.fast.count >= 60 && trace.medium.count >= 5 && trace.slow.count >= 3)
      #expect(try tree.outputNames == ["run.bin"])
      // And afterwards the path is free.
      try second.start()
      try second.stop()
    }
  }

  @Test func aMissingDirectoryIsToldAtTheStart() throws {
    try withRecorder { tree, engine in
      let path = tree.output("nowhere/run.bin")
      let error = startError(try engine(path))
      #expect(error?.code == .io)
      #expect(error?.errno == ENOENT)
      #expect(error?.path == path)
      #expect(try tree.outputNames == [])
    }
  }

  @Test(arguments: ["", "/", "/.", "/.."])
  func aDirectoryIsNoPlaceForATrace(ending: String) throws {
    try withRecorder { tree, engine in
      #expect(mkdir(tree.output("d").description, 0o755) == 0)
      let error = startError(try engine(tree.output("d" + ending)))
      #expect(error?.code == .io)
      #expect(error?.errno == EISDIR)
      #expect(try tree.outputNames == ["d"])
    }
  }

  @Test func aFIFOIsNoPlaceForATraceAndIsLeftAlone() throws {
    try withRecorder { tree, engine in
      #expect(mkfifo(tree.output().description, 0o644) == 0)
      let error = startError(try engine(tree.output()))
      #expect(error?.code == .io)
      #expect(error?.errno == EINVAL)
      #expect(try tree.outputNames == ["run.bin"])
      let reading = FNVMError.from { () throws(FNVMError) in try Trace(path: tree.output()) }
      #expect(reading?.code == .io)
      let recovery = FNVMError.from { () throws(FNVMError) in
        try Trace.recover(path: tree.output())
      }
      #expect(recovery?.code == .io)
    }
  }

  @Test func anOlderTraceIsReplaced() throws {
    try withRecorder { tree, engine in
      try TraceBytes.write(TraceBytes.complete(), to: tree.output())
      let engine = try engine(tree.output())
      try engine.start()
      try engine.stop()
      #expect(try Trace(path: tree.output()).header.boardName == "orin_nano")
      #expect(engine.notices.isEmpty)
      #expect(try tree.outputNames == ["run.bin"])
    }
  }

  @Test func anOlderTraceIsUntouchedWhereTheStartFails() throws {
    try withRecorder { tree, engine in
      let old = TraceBytes.complete()
      try TraceBytes.write(old, to: tree.output())
      // A spool cannot be made where a directory has its name.
      let blocker = tree.output("run.bin.fnvm-slow").description
      #expect(mkdir(blocker, 0o755) == 0)
      let engine = try engine(tree.output())
      #expect(startError(engine)?.errno == EEXIST)
      #expect(!engine.isRunning)
      #expect(try TraceBytes.read(tree.output()) == old)
      #expect(try tree.outputNames == ["run.bin", "run.bin.fnvm-slow"])
      #expect(rmdir(blocker) == 0)
      try engine.start()
      try engine.stop()
    }
  }

  @Test func anOlderTraceThatIsBeingReadKeepsItsContent() throws {
    try withRecorder { tree, engine in
      try TraceBytes.write(TraceBytes.complete(), to: tree.output())
      let old = try Trace(path: tree.output())
      let engine = try engine(tree.output())
      try engine.start()
      #expect(old.fast.count == 40)
      #expect(old.fast[39].timeSeconds == 0.04)
      try engine.stop()
    }
  }

  @Test func aLinkStandsForTheFileItLeadsTo() throws {
    try withRecorder { tree, engine in
      #expect(symlink("real.bin", tree.output("link.bin").description) == 0)
      let engine = try engine(tree.output("link.bin"))
      try engine.start()
      try engine.stop()
      #expect(try Trace(path: tree.output("real.bin")).header.isClosed)
      #expect(try Trace(path: tree.output("link.bin")).header.isClosed)
      #expect(try tree.outputNames == ["link.bin", "real.bin"])
    }
  }

  @Test func aNameThatIsNotUTF8IsKept() throws {
    try withRecorder { tree, engine in
      let path = SystemPath(bytes: tree.output("").bytes + [0xFF, 0xFE, 0x2E, 0x80])
      let engine = try engine(path)
      try engine.start()
      try engine.stop()
      #expect(try Trace(path: path).header.isClosed)
    }
  }

  @Test func whatAKilledRecorderLeftBesideThePathIsNoObstacle() throws {
    try withRecorder { tree, engine in
      for suffix in [".fnvm-new", ".fnvm-medium", ".fnvm-slow", ".fnvm-sync", ".fnvm-phases"] {
        try TraceBytes.write([1, 2, 3], to: tree.output("run.bin" + suffix))
      }
      let engine = try engine(tree.output())
      try engine.start()
      try engine.waitForSamples(medium: 2, slow: 2)
      try engine.stop()
      let trace = try Trace(path: tree.output())
      #expect(try TraceBytes.read(tree.output()).count == trace.expectedByteCount)
      #expect(trace.medium[0].powerMW.allSatisfy { $0 > 0 })
      #expect(try tree.outputNames == ["run.bin"])
    }
  }

  @Test func aFileThatIsNoTraceIsReplacedAtTheStart() throws {
    try withRecorder { tree, engine in
      try TraceBytes.write(Array("notes".utf8), to: tree.output())
      let engine = try engine(tree.output())
      try engine.start()
      try engine.stop()
      #expect(try Trace(path: tree.output()).header.isClosed)
    }
  }
}
