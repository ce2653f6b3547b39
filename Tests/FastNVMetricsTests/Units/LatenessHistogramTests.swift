import Testing

@testable import FastNVMetrics

@Suite struct LatenessHistogramTests {
  @Test(
    arguments: [
      0, 1, 63, 64, 1023, 1024, 1025, 20_000, 999_999, 123_456_789, 3_000_000_000, (1 << 40) - 1,
    ] as [UInt64])
  func aBucketHoldsItsValueAndIsSixPercentWide(nanoseconds: UInt64) {
    let histogram = LatenessHistogram()
    histogram.note(nanoseconds)
    let lateness = histogram.summary()
    #expect(lateness.ticks == 1 && lateness.maximumNanoseconds == nanoseconds)
    let end = lateness.buckets[0].endNanoseconds
    #expect(nanoseconds < end)
    #expect(Double(end) <= max(Double(nanoseconds) * 1.0626, 64 + Double(nanoseconds)))
  }

  @Test(arguments: [1 << 40, 1 << 41, UInt64.max])
  func whatIsLaterThanAllBucketsIsInTheLast(nanoseconds: UInt64) {
    let histogram = LatenessHistogram()
    histogram.note(nanoseconds)
    #expect(histogram.summary().buckets.count == 1)
    #expect(histogram.summary().p99Nanoseconds > 1 << 39)
    #expect(histogram.summary().maximumNanoseconds == nanoseconds)
  }

  @Test func quantilesAreThoseOfTheTicks() {
    let histogram = LatenessHistogram()
    for microsecond in 1...1000 as ClosedRange<UInt64> { histogram.note(microsecond * 1000) }
    let lateness = histogram.summary()
    #expect(lateness.ticks == 1000)
    #expect((500_000...532_000).contains(lateness.medianNanoseconds))
    #expect((990_000...1_000_000).contains(lateness.p99Nanoseconds))
    #expect(lateness.quantile(1) == 1_000_000)
    #expect(lateness.quantile(0) <= 1_100)
    #expect(lateness.buckets.map(\.ticks).reduce(0, +) == 1000)
    let ends = lateness.buckets.map(\.endNanoseconds)
    #expect(ends == ends.sorted())
  }

  @Test func nothingCountedIsZero() {
    let lateness = LatenessHistogram().summary()
    #expect(lateness.ticks == 0 && lateness.medianNanoseconds == 0 && lateness.buckets.isEmpty)
  }
}
