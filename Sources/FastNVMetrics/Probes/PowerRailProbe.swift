/// One power rail: millivolts and milliamperes of an INA3221 channel or the like.
struct PowerRailProbe: ~Copyable {
  private var voltage: Node
  private var current: Node
  private var held = Power(voltageMV: 0, currentMA: 0, powerMW: .nan)

  struct Power {
    var voltageMV: UInt32
    var currentMA: UInt32
    /// NaN where a read failed.
    var powerMW: Float
  }

  init(_ rail: PowerRailConfig, board: BoardConfig, keeper: NodeKeeper) {
    let root = Root(board.root)
    voltage = keeper.node(
      board.isDetected
        ? .rail(rail.voltagePath, label: rail.label, isCurrent: false, root)
        : .fixed(rail.voltagePath))
    current = keeper.node(
      board.isDetected
        ? .rail(rail.currentPath, label: rail.label, isCurrent: true, root)
        : .fixed(rail.currentPath))
  }

  /// The values now. Where a read fails the integers hold the last good values and the power is
  /// NaN.
  ///
  /// Shunt currents are signed and can be slightly negative near zero; the field is not, so they
  /// are stored as 0 and counted.
  mutating func read(_ scratch: borrowing Scratch, _ tally: inout ReadTally) -> Power {
    let millivolts = voltage.integer(scratch)
    let milliamperes = current.integer(scratch)
    if millivolts.isGood {
      held.voltageMV = Self.clamped(millivolts.value)
    } else if voltage.wasEverOpen {
      tally.errors &+= 1
    }
    if milliamperes.isGood {
      held.currentMA = Self.clamped(milliamperes.value)
      if milliamperes.value < 0 { tally.negativeCurrents &+= 1 }
    } else if current.wasEverOpen {
      tally.errors &+= 1
    }
    held.powerMW =
      millivolts.isGood && milliamperes.isGood
      ? Float(Double(held.voltageMV) * Double(held.currentMA) / 1000) : .nan
    return held
  }

  private static func clamped(_ value: Int64) -> UInt32 {
    UInt32(truncatingIfNeeded: min(max(value, 0), Int64(UInt32.max)))
  }
}

/// All rails of a board, one after the other.
struct PowerRailProbes: ~Copyable, SampleSource {
  private let probes: UnsafeMutablePointer<PowerRailProbe>
  private let count: Int

  init(_ board: BoardConfig, keeper: NodeKeeper) {
    count = board.powerRails.count
    probes = .allocate(capacity: max(count, 1))
    for (i, rail) in board.powerRails.enumerated() {
      (probes + i).initialize(to: PowerRailProbe(rail, board: board, keeper: keeper))
    }
  }

  deinit {
    probes.deinitialize(count: count)
    probes.deallocate()
  }

  mutating func fill(
    _ record: UnsafeMutableRawPointer, _ scratch: borrowing Scratch, _ tally: inout ReadTally
  ) {
    for i in 0..<count {
      let power = probes[i].read(scratch, &tally)
      typealias At = TraceFormat.Medium
      record.storeBytes(of: power.voltageMV, toByteOffset: At.voltage &+ 4 &* i, as: UInt32.self)
      record.storeBytes(of: power.currentMA, toByteOffset: At.current &+ 4 &* i, as: UInt32.self)
      record.storeBytes(of: power.powerMW, toByteOffset: At.power &+ 4 &* i, as: Float.self)
    }
  }
}
