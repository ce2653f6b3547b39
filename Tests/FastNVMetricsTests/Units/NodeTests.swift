import Foundation
import Testing

@testable import FastNVMetrics

/// One node and its mailbox, with the keeper's rounds called by hand.
@Suite struct NodeTests {
  private static let place = "sys/node"

  /// Runs the body with a node at `sys/node`, and the keeper's side of it.
  private func withNode(
    content: String? = "1\n",
    _ body: (FixtureTree, inout Node, NodeWatch, borrowing Scratch) throws
      -> Void
  ) throws {
    try withFixture { tree in
      if let content { try tree.write(Self.place, content) }
      let news = NodeNews.allocate()
      defer { news.deallocate() }
      let watch = NodeWatch(.fixed(tree.path(Self.place)), news: news)
      var node = Node(watch)
      try body(tree, &node, watch, Scratch(byteCount: 256))
    }
  }

  @Test func aNumberIsReadAgainAtEachRead() throws {
    try withNode { tree, node, _, scratch in
      var values: [Int64] = []
      for text in ["1", "-7", "12"] {
        try tree.write(Self.place, text)
        values.append(node.integer(scratch).value)
      }
      #expect(values == [1, -7, 12])
    }
  }

  @Test(arguments: ["", "\n", "text", "-"])
  func aFileWithoutANumberIsAFailure(text: String) throws {
    try withNode(content: text) { _, node, _, scratch in
      let reading = node.integer(scratch)
      #expect(!reading.isGood)
    }
  }

  @Test func aFileThatAppearsIsTakenInTheNextRound() throws {
    try withNode(content: nil) { tree, node, watch, scratch in
      #expect(node.integer(scratch).errno == ENOENT)
      try tree.write(Self.place, "5")
      watch.tend(searching: false, looking: true)
      #expect(node.integer(scratch).value == 5)
    }
  }

  @Test func aFileThatWasReplacedIsTakenWithoutAGap() throws {
    try withNode { tree, node, watch, scratch in
      for text in ["2", "3", "4"] {
        try tree.remove(Self.place)
        try tree.write(Self.place, text)
        #expect(node.integer(scratch).isGood)
        watch.tend(searching: false, looking: true)
        let value = node.integer(scratch).value
        #expect(value == Int64(text))
      }
    }
  }

  @Test func aFileThatWasRemovedIsAFailureUntilItIsBack() throws {
    try withNode { tree, node, watch, scratch in
      try tree.remove(Self.place)
      watch.tend(searching: false, looking: true)
      #expect(!node.integer(scratch).isGood)
      try tree.write(Self.place, "8")
      #expect(!node.integer(scratch).isGood)
      watch.tend(searching: false, looking: true)
      #expect(node.integer(scratch).value == 8)
    }
  }

  /// The tick and the keeper can find out at the same moment that a file is gone: the keeper's word then
  /// arrives when the tick has already given up.
  @Test func aNodeGivenUpTwiceStillNoticesTheNextReplacement() throws {
    try withNode { tree, node, watch, scratch in
      try tree.remove(Self.place)
      watch.tend(searching: false, looking: true)
      _ = node.integer(scratch)
      watch.mailbox.pointee.isStale.store(true, ordering: .relaxed)
      try tree.write(Self.place, "2")
      for _ in 0..<3 {
        watch.tend(searching: false, looking: true)
        _ = node.integer(scratch)
      }
      #expect(node.integer(scratch).value == 2)

      try tree.remove(Self.place)
      try tree.write(Self.place, "3")
      for _ in 0..<4 {
        watch.tend(searching: false, looking: true)
        _ = node.integer(scratch)
      }
      #expect(node.integer(scratch).value == 3)
    }
  }
}
