import Foundation
import Testing

@testable import FastNVMetrics

/// One node and its mailbox, with the keeper's rounds called by hand.
@Suite struct NodeTests {
  private static let place = "sys/node"

  /// Runs the body with a node at `sys/node`, and its mailbox.
  private func withNode(
    content: String? = "1\n",
    _ body: (FixtureTree, inout Node, UnsafeMutablePointer<NodeMailbox>, borrowing Scratch) throws
      -> Void
  ) throws {
    try withFixture { tree in
      if let content { try tree.write(Self.place, content) }
      let mailbox = UnsafeMutablePointer<NodeMailbox>.allocate(capacity: 1)
      mailbox.initialize(to: NodeMailbox(.fixed(tree.path(Self.place))))
      defer {
        mailbox.deinitialize(count: 1)
        mailbox.deallocate()
      }
      var node = Node(mailbox)
      try body(tree, &node, mailbox, Scratch(byteCount: 256))
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
    try withNode(content: nil) { tree, node, mailbox, scratch in
      #expect(node.integer(scratch).errno == ENOENT)
      try tree.write(Self.place, "5")
      mailbox.pointee.tend(searching: false)
      #expect(node.integer(scratch).value == 5)
    }
  }

  @Test func aFileThatWasReplacedIsTakenInTheSecondRound() throws {
    try withNode { tree, node, mailbox, scratch in
      for text in ["2", "3", "4"] {
        try tree.remove(Self.place)
        try tree.write(Self.place, text)
        mailbox.pointee.tend(searching: false)
        #expect(!node.integer(scratch).isGood)
        mailbox.pointee.tend(searching: false)
        let value = node.integer(scratch).value
        #expect(value == Int64(text))
      }
    }
  }

  /// The tick and the keeper can find out at the same moment that a file is gone: the keeper's word then
  /// arrives when the tick has already given up.
  @Test func aNodeGivenUpTwiceStillNoticesTheNextReplacement() throws {
    try withNode { tree, node, mailbox, scratch in
      try tree.remove(Self.place)
      mailbox.pointee.tend(searching: false)
      _ = node.integer(scratch)
      mailbox.pointee.isStale.store(true, ordering: .relaxed)
      try tree.write(Self.place, "2")
      for _ in 0..<3 {
        mailbox.pointee.tend(searching: false)
        _ = node.integer(scratch)
      }
      #expect(node.integer(scratch).value == 2)

      try tree.remove(Self.place)
      try tree.write(Self.place, "3")
      for _ in 0..<4 {
        mailbox.pointee.tend(searching: false)
        _ = node.integer(scratch)
      }
      #expect(node.integer(scratch).value == 3)
    }
  }
}
