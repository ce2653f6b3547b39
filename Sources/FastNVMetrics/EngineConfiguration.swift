/// How to record.
///
///     var configuration = EngineConfiguration(fastHz: 2000)
///     configuration.sources.native = true
///     configuration.writesMetadata = true
///
/// `Engine` checks it: what is out of range is `.invalid`. The corresponding C type is `fnvm_options`.
public struct EngineConfiguration: Equatable, Sendable {
  /// What a rate can be, in Hz.
  public static let rateRange: ClosedRange<UInt32> = 1...20_000

  /// GPU, CPU, RAM and EMC samples per second, in `rateRange`.
  public var fastHz: UInt32 = 1000
  /// Power rail samples per second, in `rateRange`.
  public var mediumHz: UInt32 = 100
  /// Thermal zone samples per second, in `rateRange`.
  public var slowHz: UInt32 = 10

  /// How often the disk is made to keep what was written (`fdatasync`): a power cut loses at most this and
  /// a quarter of a second. 0: only at the end. A crash of the program loses at most a quarter of a second
  /// either way.
  public var flushIntervalMilliseconds: UInt32 = 1000

  /// How often each source is read inside its tier.
  public var sources = SourceRates()

  /// SCHED_FIFO with this priority, 1 to 99, for the threads that sample, and rings locked in memory; 0: the usual
  /// scheduling. Where that is not permitted a notice says so and the recording goes on.
  public var realtimePriority: UInt32 = 0
  /// The CPU that the threads that sample run on, 0 to 1023; nil: any. Where that is not possible a
  /// notice says so and the recording goes on.
  public var cpu: UInt32?

  /// Whether the trace gets a STAT chunk: what `Engine.stats` says at the end.
  public var writesStats = false
  /// Whether the trace gets a META chunk: facts of the board and of the run. One with statistics, phases
  /// or labels has it anyway.
  public var writesMetadata = false

  /// What the power sensors are set to for the recording: 0 leaves them as they are.
  public var sensors = SensorRequest()

  /// The rate that somebody chose for the power rails; nil where each is read as fast as its sensor measures.
  var railHz: UInt32? {
    if sources.currentHz > 0 { return min(sources.currentHz, mediumHz) }
    return sources.isNative(mediumHz) ? nil : mediumHz
  }

  /// A configuration; what is not given has its usual value.
  ///
  /// - Parameters:
  ///   - fastHz: GPU, CPU, RAM and EMC samples per second.
  ///   - mediumHz: power rail samples per second.
  ///   - slowHz: thermal zone samples per second.
  public init(fastHz: UInt32 = 1000, mediumHz: UInt32 = 100, slowHz: UInt32 = 10) {
    self.fastHz = fastHz
    self.mediumHz = mediumHz
    self.slowHz = slowHz
  }

  /// - Throws: `.invalid`.
  func validate() throws(FNVMError) {
    for (name, rate) in [("fast_hz", fastHz), ("medium_hz", mediumHz), ("slow_hz", slowHz)]
    where !Self.rateRange.contains(rate) {
      throw FNVMError(.invalid, joined(name, " is 1 to 20000 Hz, not ", decimal(rate)))
    }
    for (name, rate) in sources.named where rate > Self.rateRange.upperBound {
      throw FNVMError(
        .invalid,
        joined(name, " is 1 to 20000 Hz, or 0 for the rate of its tier, not ", decimal(rate)))
    }
    if realtimePriority > 99 {
      throw FNVMError(
        .invalid,
        joined("realtime is a priority of 1 to 99, or 0 for none, not ", decimal(realtimePriority)))
    }
    if let cpu, cpu >= 1024 {
      throw FNVMError(.invalid, joined("cpu is the number of a CPU, 0 to 1023, not ", decimal(cpu)))
    }
    try sensors.validate()
  }
}

/// How often each source is read inside its tier, in Hz; 0: at every tick, unless `native` says otherwise.
/// A rate above the tier's is the tier's. Between reads a column holds exactly what was read last.
public struct SourceRates: Equatable, Sendable {
  /// GPU load, at most 20000 like all of these; a GPU with `counters` is read at every tick unless this
  /// says otherwise.
  public var gpuHz: UInt32 = 0
  /// RAM.
  public var ramHz: UInt32 = 0
  /// Memory controller.
  public var emcHz: UInt32 = 0
  /// Voltage of the power rails.
  public var voltageHz: UInt32 = 0
  /// Current of the power rails.
  public var currentHz: UInt32 = 0
  /// Thermal zones.
  public var thermalHz: UInt32 = 0
  /// Whether a source that nobody gave a rate is read no faster than its value can change (GPU load 60
  /// Hz, EMC 50 Hz, a power sensor's `update_interval` and voltage a tenth as often, zones 10 Hz), and an
  /// idle GPU is left to sleep; nil: in tiers above 1 kHz.
  public var native: Bool?

  /// Every source at every tick.
  public init() {}

  /// Whether sources without a rate of their own are read no faster than they change, in a tier of that rate: above
  /// 1 kHz nobody wants repeats.
  func isNative(_ hz: UInt32) -> Bool { native ?? (hz > 1000) }

  /// The rates by the names that users know them by.
  var named: [(String, UInt32)] {
    [
      ("gpu_hz", gpuHz), ("ram_hz", ramHz), ("emc_hz", emcHz), ("voltage_hz", voltageHz),
      ("current_hz", currentHz), ("thermal_hz", thermalHz),
    ]
  }
}

/// What the board's INA3221 power sensors are set to while recording; they are put back: at the stop, or
/// after a crash by the next start. Only root can do that; notices say what was done.
public struct SensorRequest: Equatable, Sendable {
  /// How often a chip measures all its channels, in milliseconds (`update_interval`), 1 to 60000; 0: as it is.
  public var updateIntervalMilliseconds: UInt32 = 0
  /// How many measurements a chip averages (`samples`): 1, 4, 16, 64, 128, 256, 512 or 1024; 0: as it is.
  public var samples: UInt32 = 0

  /// As they are.
  public init() {}

  var isEmpty: Bool { updateIntervalMilliseconds == 0 && samples == 0 }

  /// - Throws: `.invalid`.
  func validate() throws(FNVMError) {
    let averages: [UInt32] = [0, 1, 4, 16, 64, 128, 256, 512, 1024]
    if !averages.contains(samples) {
      throw FNVMError(
        .invalid,
        joined(
          "rail_samples is 1, 4, 16, 64, 128, 256, 512 or 1024, or 0 to leave it, not ",
          decimal(samples)))
    }
    if updateIntervalMilliseconds > 60_000 {
      throw FNVMError(
        .invalid,
        joined(
          "rail_update_interval_ms is 1 to 60000, or 0 to leave it, not ",
          decimal(updateIntervalMilliseconds))
      )
    }
  }
}
