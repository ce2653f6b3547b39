import Foundation
import Testing

@testable import FastNVMetrics

@Suite struct AnnotationTests {
  private func engine(_ tree: FixtureTree) throws -> Engine {
    try OrinFixture(.nx).build(on: tree)
    return try Engine(
      outputPath: tree.output(), board: .detect(root: tree.root), configuration: .forTests)
  }

  private func record(_ engine: Engine, while body: () throws -> Void = {}) throws {
    try engine.start()
    try engine.waitForWarmUp()
    try body()
    try engine.stop()
  }

  @Test func theyAreInEveryTraceOfTheirEngine() throws {
    try withFixture { tree in
      let engine = try engine(tree)
      try engine.annotate("command", "train \"all\"\n")
      for _ in 0..<2 {
        try record(engine)
        let annotations = try Trace(path: tree.output()).annotations()
        #expect(annotations == ["command": "train \"all\"\n"])
      }
    }
  }

  @Test func aKeyIsReplacedUpToTheStop() throws {
    try withFixture { tree in
      let engine = try engine(tree)
      try engine.annotate("loss", "8")
      try record(engine) {
        try engine.annotate("loss", "4")
        try engine.annotate("état", "")
        try engine.annotate("loss", "2")
      }
      let trace = try Trace(path: tree.output())
      #expect(try trace.annotations() == ["loss": "2", "état": ""])
      #expect(try trace.metadata()["clocks"] is [String: Any])
    }
  }

  @Test func oneThatComesLateMakesAChunk() throws {
    try withFixture { tree in
      let engine = try engine(tree)
      try record(engine)
      #expect(try Trace(path: tree.output()).chunkCount == 0)
      try record(engine) { try engine.annotate("late", "yes") }
      #expect(try Trace(path: tree.output()).annotations() == ["late": "yes"])
      // What is said after the stop is for the next one.
      try engine.annotate("later", "yes")
      #expect(try Trace(path: tree.output()).annotations() == ["late": "yes"])
    }
  }

  @Test func whatDoesNotFitIsRefused() throws {
    try withFixture { tree in
      let engine = try engine(tree)
      func refusal(_ key: String, _ value: String) -> FNVMError? {
        FNVMError.from { () throws(FNVMError) in try engine.annotate(key, value) }
      }
      for (key, value) in [
        ("", "x"), (String(repeating: "k", count: 65), "x"),
        ("k", String(repeating: "v", count: 4097)), (String(repeating: "ä", count: 33), "x"),
      ] {
        #expect(refusal(key, value)?.code == .invalid)
      }
      for i in 0..<128 { try engine.annotate("\(i)", String(repeating: "v", count: 4096)) }
      #expect(refusal("129", "x")?.message == "there are 128 annotations already: no room for 129")
      try engine.annotate("127", "replaced")
      try record(engine)
      let annotations = try Trace(path: tree.output()).annotations()
      #expect(annotations.count == 128 && annotations["127"] == "replaced")
    }
  }
}

extension Trace {
  /// What the META chunk says.
  func metadata() throws -> [String: Any] {
    let chunk = try #require(try chunk(ofType: "META"))
    return try #require(
      try JSONSerialization.jsonObject(with: Data(chunk.payload)) as? [String: Any])
  }

  func annotations() throws -> [String: String] {
    try #require(try metadata()["annotations"] as? [String: String])
  }
}
