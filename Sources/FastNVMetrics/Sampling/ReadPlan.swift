/// How often each source of a recording is read, in nanoseconds; 0: at every tick of its tier.
struct ReadPlan {
  let fastTick: UInt64
  let mediumTick: UInt64
  let slowTick: UInt64
  let gpu: UInt64
  /// Whether the GPU, where nobody gave it a rate, is read no faster than its load can change.
  let isGPUNative: Bool
  let ram: UInt64
  let emc: UInt64
  let thermal: UInt64
  private let rates: SourceRates
  private let areRailsNative: Bool

  /// The memory controller's hardware average changes this often, and the firmware's temperatures.
  private static var emcRefresh: UInt64 { 20_000_000 }
  private static var thermalRefresh: UInt64 { 100_000_000 }
  /// The voltage of a regulated rail is nearly constant: it is read this much less often than its current.
  private static var currentsPerVoltage: UInt64 { 10 }

  init(_ configuration: EngineConfiguration) {
    fastTick = Self.period(configuration.fastHz)
    mediumTick = Self.period(configuration.mediumHz)
    slowTick = Self.period(configuration.slowHz)
    rates = configuration.sources
    gpu = Self.period(rates.gpuHz)
    isGPUNative = rates.isNative(configuration.fastHz)
    ram = Self.period(rates.ramHz)
    emc = Self.period(
      rates.emcHz, orEvery: Self.emcRefresh, where: rates.isNative(configuration.fastHz))
    thermal = Self.period(
      rates.thermalHz, orEvery: Self.thermalRefresh, where: rates.isNative(configuration.slowHz))
    areRailsNative = rates.isNative(configuration.mediumHz)
  }

  private static func period(_ hz: UInt32) -> UInt64 { hz == 0 ? 0 : 1_000_000_000 / UInt64(hz) }

  /// The period of a rate that somebody asked for, else the source's own where that is native.
  private static func period(
    _ hz: UInt32, orEvery refresh: UInt64, where isNative: Bool
  ) -> UInt64 {
    hz == 0 && isNative ? refresh : period(hz)
  }

  /// Where the slower tiers' ticks lie between those of the fast one.
  var mediumOffset: UInt64 { min(fastTick / 2, 500_000) }
  var slowOffset: UInt64 { min(fastTick / 4, 250_000) }

  /// How often a rail is read: by default its sensor says how often it measures.
  func rail(_ rail: PowerRailConfig) -> PowerRailProbe.Pace {
    var pace = PowerRailProbe.Pace(
      voltage: Self.period(rates.voltageHz), current: Self.period(rates.currentHz))
    if areRailsNative {
      if rates.currentHz == 0 {
        let refresh = SensorRefresh(besides: rail.currentPath).milliseconds ?? 0
        pace.current = max(UInt64(clamping: min(refresh, 60_000)) * 1_000_000, mediumTick)
      }
      if rates.voltageHz == 0 { pace.voltage = pace.current * Self.currentsPerVoltage }
    }
    return pace
  }
}
