public import CFastNVMetrics
internal import FastNVMetrics
internal import Synchronization

/// What an `fnvm_engine` points to: an engine, and its notices and names as C strings.
final class EngineHandle {
  let engine: Engine
  /// Texts handed out stay for as long as the engine: there are few of them, and any thread may be reading one
  /// while another starts the engine again. Without a lock: a forked child would wait for it for ever where a
  /// thread of its parent held it.
  private let newest = Atomic<UnsafeMutablePointer<Text>?>(nil)

  private struct Text {
    let copy: UnsafeMutablePointer<CChar>
    let older: UnsafeMutablePointer<Text>?
  }

  init(_ engine: Engine) { self.engine = engine }

  deinit {
    var next = newest.load(ordering: .acquiring)
    while let text = next {
      next = text.pointee.older
      text.pointee.copy.deallocate()
      text.deallocate()
    }
  }

  func notice(_ index: UInt32) -> UnsafePointer<CChar>? {
    let notices = engine.notices
    return index < notices.count ? kept(notices[Int(index)]) : nil
  }

  /// The text as a C string that stays.
  func kept(_ text: String) -> UnsafePointer<CChar> {
    let bytes = Array(text.utf8)
    var first = newest.load(ordering: .acquiring)
    if let known = Self.find(bytes, from: first) { return known }
    let copy = ownedCString(bytes)
    let added = UnsafeMutablePointer<Text>.allocate(capacity: 1)
    while true {
      added.initialize(to: Text(copy: copy, older: first))
      let (exchanged, now) = newest.compareExchange(
        expected: first, desired: added, ordering: .acquiringAndReleasing)
      if exchanged { return UnsafePointer(copy) }
      // Another thread was faster, perhaps with the same text.
      first = now
      if let known = Self.find(bytes, from: first) {
        copy.deallocate()
        added.deallocate()
        return known
      }
    }
  }

  private static func find(
    _ bytes: [UInt8], from first: UnsafeMutablePointer<Text>?
  ) -> UnsafePointer<CChar>? {
    var next = first
    while let text = next {
      let copy = UnsafePointer(text.pointee.copy)
      if SystemPath(cString: copy).bytes == bytes { return copy }
      next = text.pointee.older
    }
    return nil
  }
}

func engineHandle(_ engine: OpaquePointer) -> EngineHandle {
  Unmanaged<EngineHandle>.fromOpaque(UnsafeRawPointer(engine)).takeUnretainedValue()
}

/// The options as the caller filled them.
///
/// - Throws: `.invalid` where this version does not know their size or what a field says.
private func configuration(
  _ options: UnsafePointer<fnvm_options>?
) throws(FNVMError) -> EngineConfiguration {
  guard let options else { return EngineConfiguration() }
  // Only the size may be read before it is known to be right.
  let size = Int(UnsafeRawPointer(options).loadUnaligned(as: UInt32.self))
  let firstVersion = 16
  guard size >= firstVersion, size <= MemoryLayout<fnvm_options>.size, size % 4 == 0 else {
    throw FNVMError(
      code: .invalid,
      message:
        joined(
          "options.struct_size is ", decimal(size),
          ", and none that this version knows: begin with FNVM_OPTIONS_INIT")
    )
  }
  // What the caller's header did not have yet has its usual value.
  var configuration = EngineConfiguration()
  var given = fnvm_options()
  given.flush_interval_ms = configuration.flushIntervalMilliseconds
  given.native_rates = -1
  given.cpu = -1
  withUnsafeMutableBytes(of: &given) {
    $0.copyMemory(from: UnsafeRawBufferPointer(start: options, count: size))
  }
  // A later version may give other values a meaning.
  let flags = [given.write_stats, given.write_metadata]
  guard (-1...1).contains(given.native_rates), given.cpu >= -1, flags.allSatisfy({ $0 <= 1 }) else {
    throw FNVMError(
      code: .invalid,
      message:
        "of the options native_rates is -1, 0 or 1, cpu is -1 or a CPU, and write_stats and write_metadata are 0 or 1"
    )
  }
  configuration.fastHz = given.fast_hz
  configuration.mediumHz = given.medium_hz
  configuration.slowHz = given.slow_hz
  configuration.flushIntervalMilliseconds = given.flush_interval_ms
  configuration.sources.gpuHz = given.gpu_hz
  configuration.sources.ramHz = given.ram_hz
  configuration.sources.emcHz = given.emc_hz
  configuration.sources.voltageHz = given.voltage_hz
  configuration.sources.currentHz = given.current_hz
  configuration.sources.thermalHz = given.thermal_hz
  configuration.sources.native = given.native_rates < 0 ? nil : given.native_rates != 0
  configuration.realtimePriority = given.realtime_priority
  configuration.cpu = given.cpu < 0 ? nil : UInt32(given.cpu)
  configuration.writesStats = given.write_stats != 0
  configuration.writesMetadata = given.write_metadata != 0
  configuration.sensors.updateIntervalMilliseconds = given.rail_update_interval_ms
  configuration.sensors.samples = given.rail_samples
  return configuration
}

@_cdecl("fnvm_engine_create")
public func engineCreate(
  _ outputPath: UnsafePointer<CChar>?, _ board: OpaquePointer?,
  _ options: UnsafePointer<fnvm_options>?, _ out: UnsafeMutablePointer<OpaquePointer?>?
) -> fnvm_status {
  guard let out else { return invalid("fnvm_engine_create: out is NULL") }
  out.pointee = nil
  guard let outputPath else { return invalid("fnvm_engine_create: output_path is NULL") }
  return status { () throws(FNVMError) in
    let configuration = try configuration(options)
    let config: BoardConfig
    if let board { config = boardHandle(board).config } else { config = try BoardConfig.detect() }
    let engine = try Engine(
      outputPath: SystemPath(cString: outputPath), board: config, configuration: configuration)
    out.pointee = OpaquePointer(Unmanaged.passRetained(EngineHandle(engine)).toOpaque())
  }
}

@_cdecl("fnvm_engine_free")
public func engineFree(_ engine: OpaquePointer?) {
  guard let engine else { return }
  Unmanaged<EngineHandle>.fromOpaque(UnsafeRawPointer(engine)).release()
}

@_cdecl("fnvm_engine_start")
public func engineStart(_ engine: OpaquePointer?) -> fnvm_status {
  guard let engine else { return invalid("fnvm_engine_start: engine is NULL") }
  return status { () throws(FNVMError) in try engineHandle(engine).engine.start() }
}

@_cdecl("fnvm_engine_stop")
public func engineStop(_ engine: OpaquePointer?) -> fnvm_status {
  guard let engine else { return invalid("fnvm_engine_stop: engine is NULL") }
  return status { () throws(FNVMError) in try engineHandle(engine).engine.stop() }
}

@_cdecl("fnvm_engine_wait_for_warmup")
public func engineWaitForWarmup(_ engine: OpaquePointer?, _ timeout: UInt64) -> fnvm_status {
  guard let engine else { return invalid("fnvm_engine_wait_for_warmup: engine is NULL") }
  return status { () throws(FNVMError) in
    try engineHandle(engine).engine.waitForWarmUp(timeoutNanoseconds: timeout)
  }
}

@_cdecl("fnvm_engine_sync")
public func engineSync(_ engine: OpaquePointer?, _ id: UnsafeMutablePointer<UInt64>?) -> fnvm_status
{
  guard let engine else { return invalid("fnvm_engine_sync: engine is NULL") }
  return status { () throws(FNVMError) in
    let mark = try engineHandle(engine).engine.sync()
    id?.pointee = mark
  }
}

@_cdecl("fnvm_engine_sync_labelled")
public func engineSyncLabelled(
  _ engine: OpaquePointer?, _ label: UnsafePointer<CChar>?, _ id: UnsafeMutablePointer<UInt64>?
) -> fnvm_status {
  guard let engine, let label else {
    return invalid("fnvm_engine_sync_labelled: engine or label is NULL")
  }
  return status { () throws(FNVMError) in
    let mark = try engineHandle(engine).engine.sync(String(cString: label))
    id?.pointee = mark
  }
}

@_cdecl("fnvm_engine_phase_begin")
public func enginePhaseBegin(
  _ engine: OpaquePointer?, _ name: UnsafePointer<CChar>?, _ id: UnsafeMutablePointer<UInt64>?
) -> fnvm_status {
  guard let engine, let name, let id else {
    return invalid("fnvm_engine_phase_begin: engine, name or id is NULL")
  }
  return status { () throws(FNVMError) in
    id.pointee = try engineHandle(engine).engine.beginPhase(String(cString: name))
  }
}

@_cdecl("fnvm_engine_phase_end")
public func enginePhaseEnd(_ engine: OpaquePointer?, _ id: UInt64) -> fnvm_status {
  guard let engine else { return invalid("fnvm_engine_phase_end: engine is NULL") }
  return status { () throws(FNVMError) in try engineHandle(engine).engine.endPhase(id) }
}

@_cdecl("fnvm_engine_annotate")
public func engineAnnotate(
  _ engine: OpaquePointer?, _ key: UnsafePointer<CChar>?, _ value: UnsafePointer<CChar>?
) -> fnvm_status {
  guard let engine, let key, let value else {
    return invalid("fnvm_engine_annotate: engine, key or value is NULL")
  }
  return status { () throws(FNVMError) in
    try engineHandle(engine).engine.annotate(String(cString: key), String(cString: value))
  }
}

@_cdecl("fnvm_engine_rotate")
public func engineRotate(
  _ engine: OpaquePointer?, _ outputPath: UnsafePointer<CChar>?
) -> fnvm_status {
  guard let engine, let outputPath else {
    return invalid("fnvm_engine_rotate: engine or output_path is NULL")
  }
  return status { () throws(FNVMError) in
    try engineHandle(engine).engine.rotate(to: SystemPath(cString: outputPath))
  }
}

@_cdecl("fnvm_engine_snapshot")
public func engineSnapshot(
  _ engine: OpaquePointer?, _ out: UnsafeMutablePointer<fnvm_snapshot>?
) -> fnvm_status {
  guard let engine, let out else { return invalid("fnvm_engine_snapshot: engine or out is NULL") }
  guard hasRoom(out) else { return tooSmall("fnvm_engine_snapshot") }
  return status { () throws(FNVMError) in
    var snapshot = fnvm_snapshot()
    snapshot.struct_size = out.pointee.struct_size
    snapshot.start_monotonic_ns = try engineHandle(engine).engine.copyNewest { tier, bytes in
      snapshot.tiers |= 1 << UInt32(tier)
      switch UInt32(tier) {
      case FNVM_TIER_FAST: withUnsafeMutableBytes(of: &snapshot.fast) { $0.copyMemory(from: bytes) }
      case FNVM_TIER_MEDIUM:
        withUnsafeMutableBytes(of: &snapshot.medium) { $0.copyMemory(from: bytes) }
      default: withUnsafeMutableBytes(of: &snapshot.slow) { $0.copyMemory(from: bytes) }
      }
    }
    out.pointee = snapshot
  }
}

@_cdecl("fnvm_engine_sample_count")
public func engineSampleCount(_ engine: OpaquePointer?) -> UInt64 {
  guard let engine else { return 0 }
  return engineHandle(engine).engine.sampleCount
}

@_cdecl("fnvm_engine_is_running")
public func engineIsRunning(_ engine: OpaquePointer?) -> CInt {
  guard let engine else { return 0 }
  return engineHandle(engine).engine.isRunning ? 1 : 0
}

@_cdecl("fnvm_engine_counts")
public func engineCounts(
  _ engine: OpaquePointer?, _ out: UnsafeMutablePointer<fnvm_counts>?
) -> fnvm_status {
  guard let engine, let out else { return invalid("fnvm_engine_counts: engine or out is NULL") }
  guard hasRoom(out) else { return tooSmall("fnvm_engine_counts") }
  let counts = engineHandle(engine).engine.counts
  out.pointee.gpu_source = counts.gpuSource.rawValue
  out.pointee.fast_samples = counts.fastSamples
  out.pointee.medium_samples = counts.mediumSamples
  out.pointee.slow_samples = counts.slowSamples
  out.pointee.sync_points = counts.syncPoints
  out.pointee.missed_fast = counts.missedFast
  out.pointee.missed_medium = counts.missedMedium
  out.pointee.missed_slow = counts.missedSlow
  out.pointee.dropped_samples = counts.droppedSamples
  out.pointee.read_errors = counts.readErrors
  out.pointee.negative_currents = counts.negativeCurrents
  return FNVM_OK
}

@_cdecl("fnvm_engine_notice")
public func engineNotice(_ engine: OpaquePointer?, _ index: UInt32) -> UnsafePointer<CChar>? {
  guard let engine else { return nil }
  return engineHandle(engine).notice(index)
}

private func headerAgreement() {
  let h1 = CFastNVMetrics.fnvm_engine_create, s1 = engineCreate
  agree(type(of: h1), type(of: s1))
  let h2 = CFastNVMetrics.fnvm_engine_free, s2 = engineFree
  agree(type(of: h2), type(of: s2))
  let h3 = CFastNVMetrics.fnvm_engine_start, s3 = engineStart
  agree(type(of: h3), type(of: s3))
  let h4 = CFastNVMetrics.fnvm_engine_stop, s4 = engineStop
  agree(type(of: h4), type(of: s4))
  let h5 = CFastNVMetrics.fnvm_engine_wait_for_warmup, s5 = engineWaitForWarmup
  agree(type(of: h5), type(of: s5))
  let h6 = CFastNVMetrics.fnvm_engine_sync, s6 = engineSync
  agree(type(of: h6), type(of: s6))
  let h7 = CFastNVMetrics.fnvm_engine_sample_count, s7 = engineSampleCount
  agree(type(of: h7), type(of: s7))
  let h8 = CFastNVMetrics.fnvm_engine_is_running, s8 = engineIsRunning
  agree(type(of: h8), type(of: s8))
  let h9 = CFastNVMetrics.fnvm_engine_counts, s9 = engineCounts
  agree(type(of: h9), type(of: s9))
  let h10 = CFastNVMetrics.fnvm_engine_notice, s10 = engineNotice
  agree(type(of: h10), type(of: s10))
  let h11 = CFastNVMetrics.fnvm_engine_sync_labelled, s11 = engineSyncLabelled
  agree(type(of: h11), type(of: s11))
  let h12 = CFastNVMetrics.fnvm_engine_phase_begin, s12 = enginePhaseBegin
  agree(type(of: h12), type(of: s12))
  let h13 = CFastNVMetrics.fnvm_engine_phase_end, s13 = enginePhaseEnd
  agree(type(of: h13), type(of: s13))
  let h14 = CFastNVMetrics.fnvm_engine_snapshot, s14 = engineSnapshot
  agree(type(of: h14), type(of: s14))
  let h15 = CFastNVMetrics.fnvm_engine_annotate, s15 = engineAnnotate
  agree(type(of: h15), type(of: s15))
  let h16 = CFastNVMetrics.fnvm_engine_rotate, s16 = engineRotate
  agree(type(of: h16), type(of: s16))
}
