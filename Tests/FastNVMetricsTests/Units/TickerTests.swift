import Testing

@testable import FastNVMetrics

/// Deadlines on a grid.
@Suite struct TickerTests {
  private func ticker(period: UInt64 = 100, _ body: (inout Ticker) -> Void) {
    let stop = FutexWord(0)
    var ticker = Ticker(first: 1000, period: period, stop: stop.reference)
    body(&ticker)
    withExtendedLifetime(stop) {}
  }

  @Test(
    arguments: [
      // Now, the next deadline, and what was missed.
      (1000, 1100, 0), (1099, 1100, 0), (1100, 1200, 1), (1101, 1200, 1), (1199, 1200, 1),
      (1200, 1300, 2), (1550, 1600, 5), (101_000, 101_100, 1000), (0, 1100, 0),
    ] as [(UInt64, UInt64, UInt64)])
  func deadlinesThatHavePassedAreSkippedAndCounted(now: UInt64, deadline: UInt64, missed: UInt64) {
    ticker { ticker in
      ticker.advance(now: now)
      #expect(ticker.deadline == deadline)
      #expect(ticker.missed == missed)
    }
  }

  @Test func beingLateDoesNotMoveTheGrid() {
    ticker { ticker in
      for now in [1007, 1180, 1350, 1351, 1999, 2000] as [UInt64] {
        ticker.advance(now: now)
        #expect(ticker.deadline % 100 == 0)
        #expect(ticker.deadline > now)
      }
      // Every deadline was either waited for or missed.
      #expect((ticker.deadline - 1000) / 100 == 6 + ticker.missed)
    }
  }

  @Test func aDeadlineInThePastIsATickAtOnce() {
    ticker { #expect($0.wait() == .tick) }
  }

  @Test func aTierThatWasStoppedTicksNoMore() {
    let stop = FutexWord(0)
    let ticker = Ticker(first: .max - 1, period: 1, stop: stop.reference)
    stop.reference.post(1)
    #expect(ticker.wait() == .stopped)
  }
}
