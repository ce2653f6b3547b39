/// Facts of the board and of the run, for the META chunk: gathered at the start, completed at the stop.
/// docs/trace-format.md says what each means.
///
/// Reads nodes, on a thread that may wait for them.
struct RunMetadata {
  /// What does not change, as members of an object.
  private var facts = JSONWriter()
  private let gpuLoadPath: SystemPath
  /// nil where nobody knew at the start that it would be asked for.
  private var clocksAtStart: RunClocks?
  /// t = 0.
  private var start: ClockReading?
  private var end: End?

  /// What is known at the stop.
  struct End {
    let reading: ClockReading
    let gpuSource: GPUSource
    let clocks: RunClocks
  }

  /// Gathers what is known, once the power sensors are set.
  ///
  /// - Parameter isStart: whether nothing was sampled yet.
  init(board: BoardConfig, configuration: EngineConfiguration, isStart: Bool) {
    let root = Root(board.root)
    gpuLoadPath = board.gpuLoadPath
    clocksAtStart = isStart ? RunClocks(board: board, root: root) : nil
    facts.text("library_version", FastNVMetricsVersion.text)
    facts.number("format_version", TraceFormat.version)
    facts.object("board") { json in
      json.text("name", board.boardName)
      json.number("cpu_cores", board.cpuCoreCount)
      json.flag("detected", board.isDetected)
      json.path("root", root.prefix)
      RunFacts.write(machine: root, to: &json)
    }
    facts.object("options") { configuration.write(to: &$0) }
    RunFacts.write(railsOf: board, root: root, to: &facts)
    facts.array("zones") { json in
      for zone in board.thermalZones {
        json.object { json in
          json.text("name", zone.name)
          json.path("path", zone.tempPath)
        }
      }
    }
    facts.object("emc") { json in
      json.path("actmon_path", board.emcActmonPath)
      json.path("rate_path", board.emcClkRatePath)
    }
  }

  /// Adds when t = 0 was.
  mutating func begin(at start: ClockReading) { self.start = start }

  /// Adds what is known at the stop.
  mutating func finish(_ end: End) { self.end = end }

  func chunk(_ annotations: Annotations) -> TraceChunk {
    var json = JSONWriter()
    json.object { json in
      json.members(facts)
      json.number("start_monotonic_ns", start?.monotonic)
      json.number("start_realtime_ns", start?.realtime)
      json.number("start_boottime_ns", start?.boottime)
      json.number("stop_monotonic_ns", end?.reading.monotonic)
      json.number("stop_realtime_ns", end?.reading.realtime)
      json.number("stop_boottime_ns", end?.reading.boottime)
      json.number("duration_s", durationSeconds)
      json.object("annotations") { json in
        for entry in annotations.all { json.text(named: entry.key, entry.value) }
      }
      json.object("gpu") { json in
        json.path("load_path", gpuLoadPath)
        json.text("source", end.map { $0.gpuSource.name })
      }
      json.object("clocks") { json in
        if let clocksAtStart { json.value("start", clocksAtStart.json) }
        if let end { json.value("stop", end.clocks.json) }
      }
    }
    return TraceChunk(type: "META", payload: json.bytes)
  }

  private var durationSeconds: Double? {
    guard let start, let end else { return nil }
    return Double(end.reading.monotonic &- start.monotonic) / 1e9
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
