internal import CFastNVMetricsShims

/// One thermal zone, in degrees Celsius.
struct ThermalProbe: ~Copyable {
  private var temp: Node

  /// What L4T 35 answers for a zone that is powered down.
  static var poweredDownMillidegrees: Int64 { -256_000 }

  init(_ zone: ThermalZoneConfig, board: BoardConfig, keeper: NodeKeeper) {
    temp = keeper.node(
      board.isDetected
        ? .zone(zone.tempPath, name: zone.name, Root(board.root)) : .fixed(zone.tempPath))
  }

  /// The temperature now; NaN where the read fails or the zone is powered down, which is no error:
  /// EAGAIN on L4T 36, ENODATA on newer kernels, −256000 on L4T 35.
  mutating func read(_ scratch: borrowing Scratch, errors: inout UInt64) -> Float {
    let reading = temp.integer(scratch)
    if reading.isGood {
      return reading.value == Self.poweredDownMillidegrees
        ? .nan : Float(Double(reading.value) / 1000)
    }
    let isFailure = reading.errno != EAGAIN && reading.errno != ENODATA
    if isFailure && temp.wasEverOpen { errors &+= 1 }
    return .nan
  }
}
