import Testing

@testable import FastNVMetrics

/// The header's 728 bytes.
@Suite struct TraceHeaderTests {
  private var full: TraceHeader {
    var header = TraceHeader()
    header.boardName = "agx_orin"
    header.cpuCoreCount = 16
    header.powerRailNames = (0..<8).map { "rail \($0)" }
    header.thermalZoneNames = (0..<16).map { "zone \($0)" }
    header.isEMCAvailable = true
    header.fastHz = 20_000
    header.mediumHz = 2
    header.slowHz = 3
    header.fastSampleCount = 1 << 40
    header.mediumSampleCount = 5
    header.slowSampleCount = 6
    header.syncPointCount = 7
    header.isClosed = true
    header.isRecovered = true
    header.isGPUAvailable = true
    header.missedFast = 8
    header.missedMedium = 9
    header.missedSlow = 10
    header.startMonotonicNanoseconds = .max
    header.startRealtimeNanoseconds = 1_700_000_000_000_000_000
    header.chunksOffset = 11
    header.droppedSamples = 12
    header.readErrors = 13
    header.writerVersion = 14
    return header
  }

  private func decode(_ bytes: [UInt8]) -> TraceHeader? {
    bytes.withUnsafeBytes { TraceHeader(decoding: $0) }
  }

  @Test func decodingGivesWhatWasEncoded() {
    #expect(full.encoded().count == 728)
    #expect(decode(full.encoded()) == full)
    #expect(decode(TraceHeader().encoded()) == TraceHeader())
  }

  @Test func fieldsAreAtTheirOffsets() {
    let bytes = full.encoded()
    func number(_ offset: Int, _ size: Int) -> UInt64 {
      bytes[offset..<(offset + size)].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
    let fields: [(offset: Int, size: Int, value: UInt64)] = [
      (0, 4, 0x4E56_4D54), (4, 4, 1), (40, 1, 16), (41, 1, 8), (42, 1, 16), (43, 1, 1),
      (44, 4, 20_000), (48, 4, 2), (52, 4, 3), (56, 8, 1 << 40), (64, 8, 5), (72, 8, 6), (80, 8, 7),
      (664, 4, 0b1111), (668, 4, 8), (672, 4, 9), (676, 4, 10), (680, 8, .max),
      (688, 8, 1_700_000_000_000_000_000), (696, 8, 11), (704, 4, 12), (708, 4, 13), (712, 4, 14),
      (716, 4, 0), (720, 8, 0),
    ]
    for field in fields { #expect(number(field.offset, field.size) == field.value) }
    #expect(Array(bytes[8..<17]) == Array("agx_orin\0".utf8))
    #expect(Array(bytes[256..<263]) == Array("rail 7\0".utf8))
    #expect(Array(bytes[640..<648]) == Array("zone 15\0".utf8))
  }

  @Test func countsThatDoNotFitSaturate() {
    var header = full
    header.missedFast = 1 << 40
    header.readErrors = .max
    header.droppedSamples = UInt64(UInt32.max) + 1
    let decoded = decode(header.encoded())
    #expect(decoded?.missedFast == UInt64(UInt32.max))
    #expect(decoded?.readErrors == UInt64(UInt32.max))
    #expect(decoded?.droppedSamples == UInt64(UInt32.max))
  }

  @Test func theReferencesHeaderHasNothingOfOurs() {
    var header = full
    header.hasExtension = false
    let bytes = header.encoded()
    #expect(bytes[664...].allSatisfy { $0 == 0 })
    let decoded = decode(bytes)
    #expect(decoded?.hasExtension == false)
    #expect(decoded?.isUnfinished == false)
    #expect(decoded?.startMonotonicNanoseconds == 0)
  }

  @Test func aNameEndsAtItsFirstNUL() {
    var header = full
    header.boardName = "a\0b"
    #expect(decode(header.encoded())?.boardName == "a")
  }

  @Test func anUnfinishedHeaderIsOursAndNeitherClosedNorRecovered() {
    var header = TraceHeader()
    #expect(header.isUnfinished)
    header.isRecovered = true
    #expect(!header.isUnfinished)
    header.isRecovered = false
    header.isClosed = true
    #expect(!header.isUnfinished)
  }
}
