import FastNVMetrics
import Foundation
import Testing

/// Files that are not traces, and traces that are not whole.
@Suite struct TraceRefusalTests {
  /// What opening a file with these bytes throws.
  private func error(_ bytes: [UInt8]) throws -> FNVMError? {
    try withFixture { tree in
      try TraceBytes.write(bytes, to: tree.output())
      return FNVMError.from { () throws(FNVMError) in try Trace(path: tree.output()) }
    }
  }

  private func expect(
    _ bytes: [UInt8], _ beginning: String, location: SourceLocation = #_sourceLocation
  ) throws {
    let error = try error(bytes)
    #expect(error?.code == .format, sourceLocation: location)
    #expect(
      error?.message.hasPrefix(beginning) == true, "\(error?.message ?? "no error")",
      sourceLocation: location)
  }

  @Test func aWholeTraceIsRead() throws {
    #expect(try error(TraceBytes.complete()) == nil)
    #expect(try error(TraceBytes.complete(fast: 0) { $0.syncPointCount = 0 }) == nil)
  }

  @Test(arguments: [0, 1, 4, 727])
  func aFileShorterThanAHeaderIsTooSmall(size: Int) throws {
    try expect(Array(TraceBytes.complete().prefix(size)), "File too small")
  }

  @Test func anotherMagicIsBad() throws {
    var bytes = TraceBytes.complete()
    bytes[0] ^= 1
    try expect(bytes, "Bad magic")
    try expect([UInt8](repeating: 0, count: 800), "Bad magic")
  }

  @Test(arguments: [0, 2, 255] as [UInt8])
  func anotherVersionIsUnsupported(version: UInt8) throws {
    var bytes = TraceBytes.complete()
    bytes[4] = version
    try expect(bytes, "Unsupported version")
  }

  @Test(arguments: [(40, 17), (40, 255), (41, 9), (42, 17)] as [(Int, UInt8)])
  func moreCoresRailsOrZonesThanFitAreCorrupt(offset: Int, count: UInt8) throws {
    var bytes = TraceBytes.complete()
    bytes[offset] = count
    try expect(bytes, "Corrupt header")
  }

  @Test(arguments: [1, 15, 16, 500, 3000])
  func missingBytesAtTheEndAreATruncation(count: Int) throws {
    try expect(Array(TraceBytes.complete().dropLast(count)), "Truncated")
  }

  @Test(arguments: [0, 1, 2, 3])
  func countsThatOverflowAreATruncation(stream: Int) throws {
    let counts: [UInt64] = [
      .max, .max / 98, .max / 98 + 1, .max / 104 + 1, .max / 72 + 1, .max / 16 + 1, 1 << 63,
      UInt64(Int64.max), 1 << 60,
    ]
    for count in counts {
      var bytes = TraceBytes.complete()
      withUnsafeBytes(of: count.littleEndian) {
        bytes.replaceSubrange((56 + 8 * stream)..<(64 + 8 * stream), with: $0)
      }
      try expect(bytes, "Truncated")
    }
  }

  @Test func countsWhoseSumOverflowsAreATruncation() throws {
    var bytes = TraceBytes.complete()
    let sizes: [UInt64] = [98, 104, 72, 16]
    for (i, size) in sizes.enumerated() {
      let count = UInt64.max / size
      withUnsafeBytes(of: count.littleEndian) {
        bytes.replaceSubrange((56 + 8 * i)..<(64 + 8 * i), with: $0)
      }
    }
    try expect(bytes, "Truncated")
  }

  @Test func aTraceThatWasNotClosedIsUnfinished() throws {
    let error = try error(TraceBytes.complete { $0.isClosed = false })
    #expect(error?.code == .unfinished)
    #expect(error?.message.hasPrefix("Unfinished trace") == true)
    #expect(error?.message.contains("fastnvmetrics recover") == true)
  }

  @Test func bytesAfterTheSyncPointsAreIgnored() throws {
    #expect(try error(TraceBytes.complete() + [1, 2, 3]) == nil)
  }

  @Test func namesThatAreNotUTF8AreReplaced() throws {
    try withFixture { tree in
      var bytes = TraceBytes.complete()
      bytes[8] = 0xFF
      bytes[88] = 0xC3
      bytes.replaceSubrange(280..<304, with: [UInt8](repeating: 0x41, count: 24))
      try TraceBytes.write(bytes, to: tree.output())
      let header = try Trace(path: tree.output()).header
      #expect(header.boardName == "\u{FFFD}gx_orin")
      #expect(header.powerRailNames[0] == "\u{FFFD}DD_GPU_SOC")
      // Without a NUL a name ends where its field does.
      #expect(header.thermalZoneNames[0] == String(repeating: "A", count: 24))
    }
  }

  @Test func aFileThatIsNotThereIsAnIOError() throws {
    try withFixture { tree in
      let error = FNVMError.from { () throws(FNVMError) in try Trace(path: tree.output()) }
      #expect(error?.code == .io)
      #expect(error?.errno == ENOENT)
      #expect(error?.path == tree.output())
      let directory = FNVMError.from { () throws(FNVMError) in try Trace(path: tree.root) }
      #expect(directory?.errno == EISDIR)
    }
  }
}
