import Foundation
import Testing

@testable import FastNVMetrics

/// The META chunk of traces whose recorder was killed. A copy of a running recorder's files is what a crash leaves.
@Suite struct KeptMetadataTests {
  private var suffix: String { TraceLocation.metadataSuffix }

  /// Makes a crashed trace at `crashed.bin`, copied when its metadata says what `isReady` wants.
  private func crash(
    _ tree: FixtureTree, _ change: (inout EngineConfiguration) -> Void = { _ in },
    until isReady: (String) -> Bool = { !$0.isEmpty },
    while body: (Engine) throws -> Void = { _ in }
  ) throws -> Trace {
    try OrinFixture(.agx).build(on: tree)
    var configuration = EngineConfiguration.forTests
    change(&configuration)
    let recorded = try tree.record(try .detect(root: tree.root), configuration) { engine in
      try body(engine)
      try engine.waitForSamples(fast: 200, medium: 20, slow: 8)
      #expect(try eventually { isReady(try kept(tree.output())) })
      try TraceBytes.copyFiles(tree.output(), to: tree.output("crashed.bin"))
      let meta = try TraceBytes.read(tree.output("run.bin" + suffix))
      try TraceBytes.write(meta, to: tree.output("crashed.bin" + suffix))
    }
    return recorded.trace
  }

  /// What is kept beside a trace as text, empty where nothing is.
  private func kept(_ path: SystemPath) throws -> String {
    let file = SystemPath(path.description + suffix)
    return TraceBytes.exists(file) ? String(decoding: try TraceBytes.read(file), as: UTF8.self) : ""
  }

  @Test func aRecoveredTraceHasWhatWasKnown() throws {
    try withFixture { tree in
      let whole = try crash(tree, { $0.writesMetadata = true }, until: { $0.contains("early") }) {
        try $0.annotate("early", "yes")
      }
      #expect(try Trace.recover(path: tree.output("crashed.bin")))
      #expect(try tree.outputNames == ["crashed.bin", "run.bin"])
      let recovered = try Trace(path: tree.output("crashed.bin"))
      #expect(recovered.chunkCount == 1 && recovered.header.isRecovered)
      var found = try recovered.metadata()
      var expected = try whole.metadata()
      // What only the end knows.
      for name in ["duration_s", "stop_monotonic_ns", "stop_realtime_ns", "stop_boottime_ns"] {
        #expect(found[name] is NSNull && expected[name] is NSNumber, "\(name)")
        found[name] = nil
        expected[name] = nil
      }
      let clocks = try #require(found["clocks"] as? [String: Any])
      #expect(Array(clocks.keys) == ["start"])
      let gpu = try #require(found["gpu"] as? [String: Any])
      #expect(gpu["source"] is NSNull && gpu["load_path"] is String)
      for name in ["clocks", "gpu"] {
        found[name] = nil
        expected[name] = nil
      }
      #expect(found as NSDictionary == expected as NSDictionary)
    }
  }

  @Test func phasesAndAnnotationsHaveItKeptWithoutBeingAsked() throws {
    try withFixture { tree in
      _ = try crash(tree, until: { $0.contains("\"rails\"") }) { _ = try $0.beginPhase("open") }
      #expect(try Trace.recover(path: tree.output("crashed.bin")))
      let trace = try Trace(path: tree.output("crashed.bin"))
      #expect(trace.phases.map(\.name) == ["open"])
      #expect(try trace.metadata()["board"] is [String: Any])
    }
    try withFixture { tree in
      _ = try crash(tree, until: { $0.contains("\"loss\":\"2\"") }) { engine in
        try engine.annotate("loss", "1")
        #expect(try eventually { try kept(tree.output()).contains("\"loss\":\"1\"") })
        try engine.annotate("loss", "2")
      }
      #expect(try Trace.recover(path: tree.output("crashed.bin")))
      #expect(try Trace(path: tree.output("crashed.bin")).annotations() == ["loss": "2"])
    }
  }

  @Test func nothingIsKeptThatNobodyWants() throws {
    try withFixture { tree in
      try OrinFixture(.agx).build(on: tree)
      _ = try tree.record(try .detect(root: tree.root)) { engine in
        try engine.sync()
        try engine.waitForSamples(fast: 200, medium: 20, slow: 8)
        #expect(try !tree.outputNames.contains { $0.hasSuffix("meta") })
      }
    }
  }

  @Test(arguments: 0..<6)
  func whatWasDamagedIsLeftOut(_ kind: Int) throws {
    try withFixture { tree in
      _ = try crash(tree) { $0.writesMetadata = true }
      let path = tree.output("crashed.bin" + suffix)
      var bytes = try TraceBytes.read(path)
      switch kind {
      case 0: bytes[0] ^= 1
      case 1: bytes[4] ^= 1
      case 2: bytes[bytes.count - 1] ^= 1
      case 3: bytes.removeLast()
      case 4: bytes.append(0)
      default: bytes = []
      }
      try TraceBytes.write(bytes, to: path)
      #expect(try Trace.recover(path: tree.output("crashed.bin")))
      #expect(try Trace(path: tree.output("crashed.bin")).chunkCount == 0)
      #expect(try tree.outputNames == ["crashed.bin", "run.bin"])
    }
  }

  @Test func aTraceThatIsSetAsideKeepsIt() throws {
    try withFixture { tree in
      _ = try crash(tree) { $0.writesMetadata = true }
      let path = tree.output("crashed.bin")
      // Of a recorder that died a moment earlier.
      try TraceBytes.write([1], to: tree.output("crashed.bin.fnvm-newmeta"))
      _ = try tree.record(try .detect(root: tree.root), to: "crashed.bin")
      #expect(try Trace(path: path).chunkCount == 0)
      let aside = try #require(try tree.outputNames.first { $0.hasSuffix(suffix) })
      let name = String(aside.dropLast(suffix.count))
      #expect(name.hasPrefix("crashed.bin.unfinished-"))
      #expect(try Trace.recover(path: tree.output(name)))
      #expect(try Trace(path: tree.output(name)).metadata()["board"] is [String: Any])
      #expect(try tree.outputNames == ["crashed.bin", name, "run.bin"])
    }
  }
}
