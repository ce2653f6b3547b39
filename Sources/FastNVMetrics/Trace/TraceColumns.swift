extension Trace {
  /// The columns of the fast samples: GPU, CPU, RAM, EMC.
  public var fastColumns: FastColumns { FastColumns(trace: self) }
  /// The columns of the medium samples: power rails.
  public var mediumColumns: MediumColumns { MediumColumns(trace: self) }
  /// The columns of the slow samples: thermal zones.
  public var slowColumns: SlowColumns { SlowColumns(trace: self) }
}

/// The columns of a trace's fast samples. Names and units are those of ``FastSample``.
public struct FastColumns: Sendable {
  /// The trace that they are read from.
  public let trace: Trace

  private typealias At = TraceFormat.Fast

  private func column<Value>(_ offset: Int) -> TraceColumn<Value> {
    TraceColumn(trace, .fast, trace.fastBytes, offset: offset)
  }

  /// Seconds since t = 0.
  public var timeSeconds: TraceColumn<Double> { column(At.time) }
  /// Per mille, 0 to 1000.
  public var gpuLoad: TraceColumn<UInt16> { column(At.gpuLoad) }
  /// Percent, mean of the online cores.
  public var cpuAggregate: TraceColumn<Float> { column(At.cpuAggregate) }
  /// MemTotal − MemAvailable in kB.
  public var ramUsedKB: TraceColumn<UInt64> { column(At.ramUsed) }
  /// MemAvailable in kB.
  public var ramAvailableKB: TraceColumn<UInt64> { column(At.ramAvailable) }
  /// Percent, −1: not available.
  public var emcUtilization: TraceColumn<Float> { column(At.emcUtilization) }

  /// Percent of a core, NaN: offline.
  ///
  /// - Parameter core: below the header's `cpuCoreCount`. Traps where there is none, as arrays do.
  public func cpuUtilization(core: Int) -> TraceColumn<Float> {
    precondition(core >= 0 && core < trace.header.cpuCoreCount, "no such core")
    return column(At.cpuUtilization + 4 * core)
  }
}

/// The columns of a trace's medium samples. Names and units are those of ``MediumSample``.
public struct MediumColumns: Sendable {
  /// The trace that they are read from.
  public let trace: Trace

  private typealias At = TraceFormat.Medium

  private func column<Value>(_ offset: Int) -> TraceColumn<Value> {
    TraceColumn(trace, .medium, trace.mediumBytes, offset: offset)
  }

  private func column<Value>(_ offset: Int, rail: Int) -> TraceColumn<Value> {
    precondition(rail >= 0 && rail < trace.header.powerRailNames.count, "no such rail")
    return column(offset + 4 * rail)
  }

  /// Seconds since t = 0.
  public var timeSeconds: TraceColumn<Double> { column(At.time) }

  /// Millivolts of a rail.
  ///
  /// - Parameter rail: its position in the header's `powerRailNames`. Traps where there is none, as arrays do.
  public func voltageMV(rail: Int) -> TraceColumn<UInt32> { column(At.voltage, rail: rail) }
  /// Milliamperes of a rail.
  ///
  /// - Parameter rail: its position in the header's `powerRailNames`. Traps where there is none, as arrays do.
  public func currentMA(rail: Int) -> TraceColumn<UInt32> { column(At.current, rail: rail) }
  /// Milliwatts of a rail, NaN: read failed.
  ///
  /// - Parameter rail: its position in the header's `powerRailNames`. Traps where there is none, as arrays do.
  public func powerMW(rail: Int) -> TraceColumn<Float> { column(At.power, rail: rail) }

  /// Millivolts of the rail with that label, nil where there is none.
  public func voltageMV(rail label: String) -> TraceColumn<UInt32>? {
    position(of: label, in: trace.header.powerRailNames).map { voltageMV(rail: $0) }
  }
  /// Milliamperes of the rail with that label, nil where there is none.
  public func currentMA(rail label: String) -> TraceColumn<UInt32>? {
    position(of: label, in: trace.header.powerRailNames).map { currentMA(rail: $0) }
  }
  /// Milliwatts of the rail with that label, nil where there is none; NaN: read failed.
  public func powerMW(rail label: String) -> TraceColumn<Float>? {
    position(of: label, in: trace.header.powerRailNames).map { powerMW(rail: $0) }
  }
}

/// The columns of a trace's slow samples. Names and units are those of ``SlowSample``.
public struct SlowColumns: Sendable {
  /// The trace that they are read from.
  public let trace: Trace

  private func column<Value>(_ offset: Int) -> TraceColumn<Value> {
    TraceColumn(trace, .slow, trace.slowBytes, offset: offset)
  }

  /// Seconds since t = 0.
  public var timeSeconds: TraceColumn<Double> { column(TraceFormat.Slow.time) }

  /// Degrees Celsius of a zone, NaN: read failed, or powered down.
  ///
  /// - Parameter zone: its position in the header's `thermalZoneNames`. Traps where there is none, as arrays do.
  public func temperatureC(zone: Int) -> TraceColumn<Float> {
    precondition(zone >= 0 && zone < trace.header.thermalZoneNames.count, "no such zone")
    return column(TraceFormat.Slow.temperature + 4 * zone)
  }

  /// Degrees Celsius of the zone with that name, nil where there is none; NaN: read failed, or powered down.
  public func temperatureC(zone name: String) -> TraceColumn<Float>? {
    position(of: name, in: trace.header.thermalZoneNames).map { temperatureC(zone: $0) }
  }
}

/// Where a name is, byte by byte.
private func position(of name: String, in names: [String]) -> Int? {
  let wanted = Array(name.utf8)
  return names.firstIndex { Array($0.utf8) == wanted }
}
