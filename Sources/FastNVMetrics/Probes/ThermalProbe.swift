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
  mutating func read(_ scratch: borrowing Scratch, _ tally: inout ReadTally) -> Float {
    let reading = temp.integer(scratch)
    if reading.isGood {
      return reading.value == Self.poweredDownMillidegrees
        ? .nan : Float(Double(reading.value) / 1000)
    }
    let isFailure = reading.errno != EAGAIN && reading.errno != ENODATA
    if isFailure && temp.wasEverOpen { tally.errors &+= 1 }
    return .nan
  }
}

/// All zones of a board, one after the other.
struct ThermalProbes: ~Copyable, SampleSource {
  private let probes: UnsafeMutablePointer<ThermalProbe>
  private let count: Int

  init(_ board: BoardConfig, keeper: NodeKeeper) {
    count = board.thermalZones.count
    probes = .allocate(capacity: max(count, 1))
    for (i, zone) in board.thermalZones.enumerated() {
      (probes + i).initialize(to: ThermalProbe(zone, board: board, keeper: keeper))
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
      record.storeBytes(
        of: probes[i].read(scratch, &tally),
        toByteOffset: TraceFormat.Slow.temperature &+ 4 &* i, as: Float.self)
    }
  }
}
