public import CFastNVMetrics
internal import FastNVMetrics

/// What an `fnvm_trace` points to: a trace, and what is said of its phases, once somebody asked.
final class TraceHandle: @unchecked Sendable {
  let trace: Trace
  // `marks` is guarded by `gate`; what it holds does not change.
  private let gate = ControlMutex()
  private var marks: TraceMarks?

  init(_ trace: Trace) { self.trace = trace }

  func withMarks() -> TraceMarks {
    gate.locked {
      if let marks { return marks }
      let made = TraceMarks(trace)
      marks = made
      return made
    }
  }
}

private func handle(_ opaque: OpaquePointer) -> TraceHandle {
  Unmanaged<TraceHandle>.fromOpaque(UnsafeRawPointer(opaque)).takeUnretainedValue()
}

private func opened(_ opaque: OpaquePointer) -> Trace { handle(opaque).trace }

@_cdecl("fnvm_trace_open")
public func traceOpen(
  _ path: UnsafePointer<CChar>?, _ out: UnsafeMutablePointer<OpaquePointer?>?
) -> fnvm_status {
  guard let out else { return invalid("fnvm_trace_open: out is NULL") }
  out.pointee = nil
  guard let path else { return invalid("fnvm_trace_open: path is NULL") }
  return status { () throws(FNVMError) in
    let trace = try Trace(path: SystemPath(cString: path))
    out.pointee = OpaquePointer(Unmanaged.passRetained(TraceHandle(trace)).toOpaque())
  }
}

@_cdecl("fnvm_trace_close")
public func traceClose(_ handle: OpaquePointer?) {
  guard let handle else { return }
  Unmanaged<TraceHandle>.fromOpaque(UnsafeRawPointer(handle)).release()
}

@_cdecl("fnvm_trace_header")
public func traceHeader(_ handle: OpaquePointer?) -> UnsafePointer<fnvm_file_header>? {
  guard let handle else { return nil }
  return opened(handle).headerBytes?.assumingMemoryBound(to: fnvm_file_header.self)
}

/// The records of a tier and how many there are.
private func records<Record>(
  _ bytes: UnsafeRawBufferPointer?, _ total: UInt64, _ count: UnsafeMutablePointer<UInt64>?
) -> UnsafePointer<Record>? {
  count?.pointee = bytes == nil ? 0 : total
  return bytes?.baseAddress?.assumingMemoryBound(to: Record.self)
}

@_cdecl("fnvm_trace_fast")
public func traceFast(
  _ handle: OpaquePointer?, _ count: UnsafeMutablePointer<UInt64>?
) -> UnsafePointer<fnvm_fast_sample>? {
  let trace = handle.map { opened($0) }
  return records(trace?.fastBytes, trace?.header.fastSampleCount ?? 0, count)
}

@_cdecl("fnvm_trace_medium")
public func traceMedium(
  _ handle: OpaquePointer?, _ count: UnsafeMutablePointer<UInt64>?
) -> UnsafePointer<fnvm_medium_sample>? {
  let trace = handle.map { opened($0) }
  return records(trace?.mediumBytes, trace?.header.mediumSampleCount ?? 0, count)
}

@_cdecl("fnvm_trace_slow")
public func traceSlow(
  _ handle: OpaquePointer?, _ count: UnsafeMutablePointer<UInt64>?
) -> UnsafePointer<fnvm_slow_sample>? {
  let trace = handle.map { opened($0) }
  return records(trace?.slowBytes, trace?.header.slowSampleCount ?? 0, count)
}

@_cdecl("fnvm_trace_sync_points")
public func traceSyncPoints(
  _ handle: OpaquePointer?, _ count: UnsafeMutablePointer<UInt64>?
) -> UnsafePointer<fnvm_sync_point>? {
  let trace = handle.map { opened($0) }
  return records(trace?.syncPointBytes, trace?.header.syncPointCount ?? 0, count)
}

@_cdecl("fnvm_trace_num_chunks")
public func traceNumChunks(_ handle: OpaquePointer?) -> UInt32 {
  guard let handle else { return 0 }
  return UInt32(clamping: opened(handle).chunkCount)
}

@_cdecl("fnvm_trace_chunk")
public func traceChunk(
  _ handle: OpaquePointer?, _ index: UInt32, _ out: UnsafeMutablePointer<fnvm_chunk>?
) -> fnvm_status {
  guard let handle, let out else { return invalid("fnvm_trace_chunk: trace or out is NULL") }
  guard hasRoom(out) else { return tooSmall("fnvm_trace_chunk") }
  return status { () throws(FNVMError) in
    let (type, payload) = try opened(handle).chunkBytes(Int(index))
    withUnsafeMutableBytes(of: &out.pointee.type) {
      for i in 0..<$0.count { $0[i] = i < type.count ? type[i] : 0 }
    }
    out.pointee.payload = payload.baseAddress
    out.pointee.size = UInt64(payload.count)
  }
}

@_cdecl("fnvm_trace_num_phases")
public func traceNumPhases(_ trace: OpaquePointer?) -> UInt32 {
  guard let trace else { return 0 }
  return UInt32(clamping: handle(trace).withMarks().phases.count)
}

@_cdecl("fnvm_trace_phase")
public func tracePhase(
  _ trace: OpaquePointer?, _ index: UInt32, _ out: UnsafeMutablePointer<fnvm_phase>?
) -> fnvm_status {
  guard let trace, let out else { return invalid("fnvm_trace_phase: trace or out is NULL") }
  guard hasRoom(out) else { return tooSmall("fnvm_trace_phase") }
  let marks = handle(trace).withMarks()
  guard Int(index) < marks.phases.count else {
    return invalid("fnvm_trace_phase: index is past the last")
  }
  let phase = marks.phases[Int(index)]
  out.pointee.thread = phase.thread
  out.pointee.id = phase.id
  out.pointee.parent = phase.parent ?? 0
  out.pointee.depth = UInt64(phase.depth)
  out.pointee.begin_ns = phase.beginNanoseconds
  out.pointee.end_ns = phase.endNanoseconds
  out.pointee.was_ended = phase.wasEnded ? 1 : 0
  out.pointee.name = marks.name(ofPhase: Int(index))
  return FNVM_OK
}

@_cdecl("fnvm_trace_sync_label")
public func traceSyncLabel(
  _ trace: OpaquePointer?, _ syncID: UInt64, _ time: UnsafeMutablePointer<UInt64>?
) -> UnsafePointer<CChar>? {
  guard let trace else { return nil }
  return handle(trace).withMarks().label(of: syncID, time)
}

@_cdecl("fnvm_trace_recover")
public func traceRecover(
  _ path: UnsafePointer<CChar>?, _ recovered: UnsafeMutablePointer<CInt>?
) -> fnvm_status {
  guard let path else { return invalid("fnvm_trace_recover: path is NULL") }
  return status { () throws(FNVMError) in
    let isNew = try Trace.recover(path: SystemPath(cString: path))
    recovered?.pointee = isNew ? 1 : 0
  }
}

private func headerAgreement() {
  let h1 = CFastNVMetrics.fnvm_trace_open, s1 = traceOpen
  agree(type(of: h1), type(of: s1))
  let h2 = CFastNVMetrics.fnvm_trace_close, s2 = traceClose
  agree(type(of: h2), type(of: s2))
  let h3 = CFastNVMetrics.fnvm_trace_header, s3 = traceHeader
  agree(type(of: h3), type(of: s3))
  let h4 = CFastNVMetrics.fnvm_trace_fast, s4 = traceFast
  agree(type(of: h4), type(of: s4))
  let h5 = CFastNVMetrics.fnvm_trace_medium, s5 = traceMedium
  agree(type(of: h5), type(of: s5))
  let h6 = CFastNVMetrics.fnvm_trace_slow, s6 = traceSlow
  agree(type(of: h6), type(of: s6))
  let h7 = CFastNVMetrics.fnvm_trace_sync_points, s7 = traceSyncPoints
  agree(type(of: h7), type(of: s7))
  let h8 = CFastNVMetrics.fnvm_trace_recover, s8 = traceRecover
  agree(type(of: h8), type(of: s8))
  let h9 = CFastNVMetrics.fnvm_trace_num_chunks, s9 = traceNumChunks
  agree(type(of: h9), type(of: s9))
  let h10 = CFastNVMetrics.fnvm_trace_chunk, s10 = traceChunk
  agree(type(of: h10), type(of: s10))
  let h11 = CFastNVMetrics.fnvm_trace_num_phases, s11 = traceNumPhases
  agree(type(of: h11), type(of: s11))
  let h12 = CFastNVMetrics.fnvm_trace_phase, s12 = tracePhase
  agree(type(of: h12), type(of: s12))
  let h13 = CFastNVMetrics.fnvm_trace_sync_label, s13 = traceSyncLabel
  agree(type(of: h13), type(of: s13))
}
