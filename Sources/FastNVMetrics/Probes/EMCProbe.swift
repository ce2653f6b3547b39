/// Memory controller utilisation: 100 × active clocks (kHz) × 1000 / clock (Hz).
///
/// `mc_all` is already divided by its period: `sample_period_usec` has no place in the formula.
struct EMCProbe: ~Copyable {
  private var actmon: Node
  private var rate: Node
  /// Whether a utilisation was ever read: what the header says of it.
  private(set) var isAvailable = false

  /// What stands for "not available".
  static var missing: Float { -1 }

  init(_ board: BoardConfig, keeper: NodeKeeper) {
    let root = Root(board.root)
    actmon = keeper.node(
      board.isDetected ? .emcActmon(board.emcActmonPath, root) : .fixed(board.emcActmonPath))
    rate = keeper.node(
      board.isDetected ? .emcRate(board.emcClkRatePath, root) : .fixed(board.emcClkRatePath))
  }

  /// The utilisation now in percent, 0 to 100; −1 where it cannot be read.
  mutating func read(_ scratch: borrowing Scratch, errors: inout UInt64) -> Float {
    let isThere = actmon.wasEverOpen && rate.wasEverOpen
    let active = actmon.integer(scratch)
    let clock = rate.integer(scratch)
    guard active.isGood, clock.isGood, active.value >= 0, clock.value > 0 else {
      if isThere { errors &+= 1 }
      return Self.missing
    }
    isAvailable = true
    let percent = 100_000 * Double(active.value) / Double(clock.value)
    return Float(percent < 100 ? percent : 100)
  }
}
