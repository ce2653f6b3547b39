/// Memory controller utilisation: 100 × active clocks (kHz) × 1000 / clock (Hz).
///
/// `mc_all` is already divided by its period: `sample_period_usec` has no place in the formula.
struct EMCProbe: ~Copyable, Probe {
  private var actmon: Node
  private var rate: Node
  private let wantedInterval: UInt64

  /// The utilisation, and whether one was ever read: what the header says of it.
  static var wordCount: Int { 2 }

  /// What stands for "not available".
  static var missing: Float { -1 }

  init(_ board: BoardConfig, interval: UInt64, keeper: NodeKeeper) {
    wantedInterval = interval
    let root = Root(board.root)
    actmon = keeper.node(
      board.isDetected ? .emcActmon(board.emcActmonPath, root) : .fixed(board.emcActmonPath))
    rate = keeper.node(
      board.isDetected ? .emcRate(board.emcClkRatePath, root) : .fixed(board.emcClkRatePath))
  }

  /// Whether a read can take long.
  static func canBlock(_ board: BoardConfig) -> Bool {
    Node.canBlock(board.emcActmonPath, board) || Node.canBlock(board.emcClkRatePath, board)
  }

  var interval: UInt64 {
    actmon.isAbsent || rate.isAbsent ? max(wantedInterval, Node.absentInterval) : wantedInterval
  }

  /// Puts the utilisation now in percent, 0 to 100, into the first word; −1 where it cannot be read.
  mutating func read(
    at now: UInt64, into words: UnsafeMutablePointer<UInt32>, _ scratch: borrowing Scratch,
    _ tally: inout ReadTally
  ) -> Bool {
    let wasThere = actmon.wasEverOpen && rate.wasEverOpen
    let active = actmon.integer(scratch)
    let clock = rate.integer(scratch)
    guard active.isGood, clock.isGood, active.value >= 0, clock.value > 0 else {
      words[0] = Self.missing.bitPattern
      if wasThere { tally.errors &+= 1 }
      return wasThere
    }
    let percent = 100_000 * Double(active.value) / Double(clock.value)
    words[0] = Float(min(max(percent, 0), 100)).bitPattern
    words[1] = 1
    return true
  }
}
