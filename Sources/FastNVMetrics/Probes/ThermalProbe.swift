internal import CFastNVMetricsShims

/// One thermal zone, in degrees Celsius.
struct ThermalProbe: ~Copyable, Probe {
  private var temp: Node
  let interval: UInt64

  /// The bits of the temperature.
  static var wordCount: Int { 1 }

  /// What L4T 35 answers for a zone that is powered down.
  static var poweredDownMillidegrees: Int64 { -256_000 }

  init(_ zone: ThermalZoneConfig, board: BoardConfig, interval: UInt64, keeper: NodeKeeper) {
    self.interval = interval
    temp = keeper.node(
      board.isDetected
        ? .zone(zone.tempPath, name: zone.name, Root(board.root)) : .fixed(zone.tempPath))
  }

  /// Whether a read can take long: it asks firmware.
  static func canBlock(_ zone: ThermalZoneConfig, _ board: BoardConfig) -> Bool {
    Node.canBlock(zone.tempPath, board)
  }

  /// NaN where the read fails or the zone is powered down, which is no error:
  /// EAGAIN on L4T 36, ENODATA on newer kernels, −256000 on L4T 35.
  mutating func read(
    at now: UInt64, into words: UnsafeMutablePointer<UInt32>, _ scratch: borrowing Scratch,
    _ tally: inout ReadTally
  ) -> Bool {
    let reading = temp.integer(scratch)
    var celsius = Float.nan
    if reading.isGood {
      if reading.value != Self.poweredDownMillidegrees {
        celsius = Float(Double(reading.value) / 1000)
      }
    } else if reading.errno != EAGAIN && reading.errno != ENODATA && temp.wasEverOpen {
      tally.errors &+= 1
    }
    words[0] = celsius.bitPattern
    return true
  }
}

/// All zones of a board, one after the other.
struct ThermalProbes: ~Copyable, SampleSource {
  private let zones: UnsafeMutablePointer<PacedProbe<ThermalProbe>>
  private let count: Int

  init(_ board: BoardConfig, _ plan: ReadPlan, keeper: NodeKeeper, roster: ProbeRoster) {
    count = board.thermalZones.count
    zones = .allocate(capacity: max(count, 1))
    for (i, zone) in board.thermalZones.enumerated() {
      let paced = roster.add(
        ThermalProbe(zone, board: board, interval: plan.thermal, keeper: keeper),
        name: zone.name, tier: Tier.slow, tick: plan.slowTick,
        canBlock: ThermalProbe.canBlock(zone, board))
      // Not known before the first read.
      paced.words[0] = Float.nan.bitPattern
      (zones + i).initialize(to: paced)
    }
  }

  deinit {
    zones.deinitialize(count: count)
    zones.deallocate()
  }

  var isEmpty: Bool { count == 0 }

  func align(to deadline: UInt64) {
    for i in 0..<count { zones[i].align(to: deadline) }
  }

  mutating func fill(
    _ record: UnsafeMutableRawPointer, at now: UInt64, _ scratch: borrowing Scratch,
    _ tally: inout ReadTally
  ) {
    var now = now
    for i in 0..<count {
      now = zones[i].update(at: now, scratch, &tally)
      record.storeBytes(
        of: zones[i].words[0], toByteOffset: TraceFormat.Slow.temperature &+ 4 &* i,
        as: UInt32.self)
    }
  }
}
