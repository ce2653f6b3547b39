import Foundation
import Testing

@testable import FastNVMetrics

@Suite struct ChunkTests {
  private func write(
    _ tree: FixtureTree, _ chunks: [UInt8], offset: (UInt64) -> UInt64 = { $0 }
  ) throws -> SystemPath {
    let bytes = TraceBytes.complete { header in
      header.chunksOffset = offset(header.byteCount ?? 0)
    }
    try TraceBytes.write(bytes + chunks, to: tree.output())
    return tree.output()
  }

  @Test(
    arguments: [
      ("", 0), ("a", 0xE8B7_BE43), ("123456789", 0xCBF4_3926),
      ("The quick brown fox jumps over the lazy dog", 0x414F_A339),
    ] as [(String, UInt32)])
  func checksumsAreThoseOfZlib(text: String, expected: UInt32) {
    let bytes = Array(text.utf8)
    #expect(bytes.withUnsafeBytes { Checksum().of($0) } == expected)
    for cut in 0...bytes.count {
      let first = bytes[..<cut].withUnsafeBytes { Checksum().of($0) }
      #expect(bytes[cut...].withUnsafeBytes { Checksum().of($0, after: first) } == expected)
    }
  }

  @Test func chunksComeBackAsTheyWereWritten() throws {
    try withFixture { tree in
      let chunks = [
        TraceChunk(type: "META", payload: Array("{\"a\": 1}".utf8)),
        TraceChunk(type: "xxxx", payload: []),
        TraceChunk(type: "STAT", payload: (0..<1000).map { UInt8(truncatingIfNeeded: $0) }),
      ]
      let trace = try Trace(path: try write(tree, TraceChunk.encoded(chunks)))
      #expect(trace.fast.count == 40 && trace.chunkCount == 3)
      for (index, chunk) in chunks.enumerated() { #expect(try trace.chunk(index) == chunk) }
      let beyond = FNVMError.from { () throws(FNVMError) in try trace.chunk(3) }
      #expect(beyond?.code == .invalid)
    }
  }

  @Test func chunksAreFoundByType() throws {
    try withFixture { tree in
      let first = TraceChunk(type: "META", payload: [1])
      var bytes = TraceChunk.encoded([
        TraceChunk(type: "xxxx", payload: []), first, TraceChunk(type: "META", payload: [2]),
        TraceChunk(type: "STAT", payload: [3]),
      ])
      bytes[bytes.count - 1] ^= 1
      let trace = try Trace(path: try write(tree, bytes))
      #expect(try trace.chunk(ofType: "META") == first)
      for absent in ["PHAS", "META ", "met", ""] {
        #expect(try trace.chunk(ofType: absent) == nil)
      }
      let damaged = FNVMError.from { () throws(FNVMError) in try trace.chunk(ofType: "STAT") }
      #expect(damaged?.code == .format)
    }
  }

  @Test func aDamagedChunkIsRefusedAndTheOthersAreNot() throws {
    try withFixture { tree in
      var bytes = TraceChunk.encoded([
        TraceChunk(type: "AAAA", payload: [1, 2, 3]), TraceChunk(type: "BBBB", payload: [4]),
      ])
      bytes[17] ^= 1
      let trace = try Trace(path: try write(tree, bytes))
      let error = FNVMError.from { () throws(FNVMError) in try trace.chunk(0) }
      #expect(error?.code == .format)
      #expect(error?.message.hasPrefix("Corrupt chunk") == true)
      #expect(try trace.chunk(1).payload == [4])
    }
  }

  @Test(arguments: [UInt64.max, UInt64(Int64.max), 1000, 5])
  func aChunkLongerThanTheFileIsRefused(length: UInt64) throws {
    try withFixture { tree in
      var bytes = TraceChunk.encoded([TraceChunk(type: "AAAA", payload: [1, 2, 3, 4])])
      withUnsafeBytes(of: length.littleEndian) { bytes.replaceSubrange(4..<12, with: $0) }
      let trace = try Trace(path: try write(tree, bytes))
      #expect(trace.chunkCount == 1)
      #expect(FNVMError.from { () throws(FNVMError) in try trace.chunk(0) }?.code == .format)
    }
  }

  @Test(arguments: [UInt64.max, 1 << 62, 100_000])
  func chunksThatBeginBehindTheFileAreNone(offset: UInt64) throws {
    try withFixture { tree in
      let trace = try Trace(path: try write(tree, [1, 2, 3]) { _ in offset })
      #expect(trace.chunkCount == 0 && trace.fast.count == 40)
    }
  }

  /// A hole in a file costs nothing and reads as zeros: as many chunks as memory has room for, were they any.
  @Test func zerosAreNoChunks() throws {
    try withFixture { tree in
      let good = TraceChunk(type: "AAAA", payload: [1])
      let path = try write(tree, TraceChunk.encoded([good]))
      let size = try FileManager.default.attributesOfItem(atPath: path.description)[.size]
      let end = (size as? Int ?? 0) + 64 << 20
      #expect(path.description.withCString { truncate($0, end) } == 0)
      let trace = try Trace(path: path)
      #expect(trace.chunkCount == 2)
      #expect(try trace.chunk(0) == good)
      let error = FNVMError.from { () throws(FNVMError) in try trace.chunk(1) }
      #expect(error?.code == .format)
      #expect(error?.message.hasPrefix("Corrupt chunk") == true)
      #expect(trace.fast.count == 40)
    }
  }

  @Test func bytesAfterTheRecordsAreNoChunksWhereTheHeaderNamesNone() throws {
    try withFixture { tree in
      let chunk = TraceChunk.encoded([TraceChunk(type: "AAAA", payload: [1])])
      let trace = try Trace(path: try write(tree, chunk) { _ in 0 })
      #expect(trace.chunkCount == 0)
    }
  }
}
