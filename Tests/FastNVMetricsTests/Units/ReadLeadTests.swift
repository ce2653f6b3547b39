import Testing

@testable import FastNVMetrics

/// How long before its tick a reading of a source that can block begins.
@Suite struct ReadLeadTests {
  private static let tick: UInt64 = 10_000_000

  /// A rail's voltage is read with every tenth current at native rates: those readings take twice as long.
  @Test func everyTenthReadingMayTakeTwiceAsLong() {
    var lead = ReadLead()
    for number in 0..<1000 {
      let reading: UInt64 = number % 10 == 0 ? 1_108_000 : 554_000
      if number > 0 { #expect(lead.nanoseconds >= reading, "reading \(number)") }
      lead.follow(reading, tick: Self.tick)
    }
  }

  @Test func aReadingThatGotShorterIsFollowed() {
    var lead = ReadLead()
    lead.follow(4_000_000, tick: Self.tick)
    for _ in 0..<200 { lead.follow(100_000, tick: Self.tick) }
    #expect(lead.nanoseconds < 250_000)
    #expect(lead.nanoseconds >= 125_000)
  }

  @Test func itIsNeverMoreThanHalfATick() {
    var lead = ReadLead()
    lead.follow(3_000_000_000, tick: Self.tick)
    #expect(lead.nanoseconds == Self.tick / 2)
  }
}
