/// Facts of the board and of the run, for the META chunk: gathered at the start, completed at the stop.
/// docs/trace-format.md says what each means.
///
/// Reads nodes: before the tiers begin and after they ended, on the thread that starts and stops.
struct RunMetadata {
  private let board: BoardConfig
  private let configuration: EngineConfiguration
  private let root: Root
  private let machine: MachineFacts
  private let rails: [RailFacts]
  private let sensors: [SensorFacts]
  /// nil where nobody knew at the start that it would be asked for.
  private let clocksAtStart: RunClocks?
  private var end: End?

  /// What is known at the stop.
  private struct End {
    let startMonotonicNanoseconds: UInt64
    let startRealtimeNanoseconds: UInt64
    let durationNanoseconds: UInt64
    let gpuSource: GPUSource
    let clocks: RunClocks
  }

  /// Gathers what is known, once the power sensors are set.
  ///
  /// - Parameter isStart: whether nothing was sampled yet.
  init(board: BoardConfig, configuration: EngineConfiguration, isStart: Bool) {
    self.board = board
    self.configuration = configuration
    root = Root(board.root)
    machine = MachineFacts(root: root)
    let rails = RailFacts.all(of: board, root: root)
    self.rails = rails
    sensors = SensorFacts.all(of: rails)
    clocksAtStart = isStart ? RunClocks(board: board, root: root) : nil
  }

  /// Adds what is known at the stop.
  mutating func finish(header: TraceHeader, gpuSource: GPUSource) {
    end = End(
      startMonotonicNanoseconds: header.startMonotonicNanoseconds,
      startRealtimeNanoseconds: header.startRealtimeNanoseconds,
      durationNanoseconds: Clock.monotonic() &- header.startMonotonicNanoseconds,
      gpuSource: gpuSource, clocks: RunClocks(board: board, root: root))
  }

  func chunk() -> TraceChunk {
    var json = JSONWriter()
    json.object { json in
      json.text("library_version", FastNVMetricsVersion.text)
      json.number("format_version", TraceFormat.version)
      json.number("start_monotonic_ns", end?.startMonotonicNanoseconds)
      json.number("start_realtime_ns", end?.startRealtimeNanoseconds)
      json.number("duration_s", end.map { Double($0.durationNanoseconds) / 1e9 })
      json.object("board") { json in
        json.text("name", board.boardName)
        json.number("cpu_cores", board.cpuCoreCount)
        json.flag("detected", board.isDetected)
        json.path("root", root.prefix)
        machine.write(to: &json)
      }
      json.object("options") { configuration.write(to: &$0) }
      json.array("rails") { json in
        for rail in rails { rail.write(to: &json) }
      }
      json.array("sensors") { json in
        for sensor in sensors { sensor.write(to: &json) }
      }
      json.array("zones") { json in
        for zone in board.thermalZones {
          json.object { json in
            json.text("name", zone.name)
            json.path("path", zone.tempPath)
          }
        }
      }
      json.object("gpu") { json in
        json.path("load_path", board.gpuLoadPath)
        json.text("source", end.map { $0.gpuSource.name })
      }
      json.object("emc") { json in
        json.path("actmon_path", board.emcActmonPath)
        json.path("rate_path", board.emcClkRatePath)
      }
      json.object("clocks") { json in
        clocksAtStart?.write("start", to: &json)
        end?.clocks.write("stop", to: &json)
      }
    }
    return TraceChunk(type: "META", payload: json.bytes)
  }
}

extension GPUSource {
  /// The name in metadata, as Python has it.
  var name: String {
    switch self {
    case .none: return "none"
    case .load: return "load"
    case .counters: return "counters"
    }
  }
}

extension EngineConfiguration {
  /// All of it, by the names of `fnvm_options`.
  func write(to json: inout JSONWriter) {
    json.number("fast_hz", fastHz)
    json.number("medium_hz", mediumHz)
    json.number("slow_hz", slowHz)
    json.number("flush_interval_ms", flushIntervalMilliseconds)
    json.number("gpu_hz", sources.gpuHz)
    json.number("ram_hz", sources.ramHz)
    json.number("emc_hz", sources.emcHz)
    json.number("voltage_hz", sources.voltageHz)
    json.number("current_hz", sources.currentHz)
    json.number("thermal_hz", sources.thermalHz)
    json.flag("native_rates", sources.native)
    json.number("realtime_priority", realtimePriority)
    json.number("cpu", cpu)
    json.flag("write_stats", writesStats)
    json.flag("write_metadata", writesMetadata)
    json.number("rail_update_interval_ms", sensors.updateIntervalMilliseconds)
    json.number("rail_samples", sensors.samples)
  }
}
