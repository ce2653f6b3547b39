internal import CFastNVMetricsShims

extension TraceFiles {
  /// Makes a complete trace of the files: appends the spools to it, then says so in its header.
  ///
  /// A crash in between can be recovered from: counts in the header of an unfinished trace say how
  /// much of it is fast samples, and the spools are removed last. Without space for all of it,
  /// trace and spools stay as they are.
  ///
  /// A trace that was renamed meanwhile is completed where it is, and that is an error.
  func complete(_ header: TraceHeader, chunks: [TraceChunk] = []) throws(FNVMError) {
    let displacement = displacement()
    if displacement == .removed {
      // Nobody can read it any more, nor use its spools.
      removeSidecars()
      throw .io(
        isNameTaken ? ErrorNumber.stale : ErrorNumber.noEntry, "complete the trace", path,
        hint: isNameTaken
          ? "another file was put in its place while it was recorded"
          : "it was removed while it was recorded")
    }
    var header = header
    header.fastSampleCount = recordCount(.fast)
    header.mediumSampleCount = recordCount(.medium)
    header.slowSampleCount = recordCount(.slow)
    header.syncPointCount = try syncPointsBefore(header.fastSampleCount)
    let hasPhases = recordCount(.phaseEvents) > 0
    header.chunksOffset = chunks.isEmpty && !hasPhases ? 0 : header.byteCount ?? 0

    // Once the header has counts, a file that is long enough for them has everything.
    var end =
      Int64(TraceFormat.headerSize) + Int64(header.fastSampleCount) * Int64(TraceFormat.Fast.size)
    var error = fnvm_sys_ftruncate(trace.rawValue, end)
    if error != 0 { throw .io(-error, "complete the trace", path, hint: Self.recoverHint(path)) }
    var closing = header
    closing.isClosed = false
    closing.isRecovered = false
    try write(closing)

    for (stream, count) in zip(TraceStream.spooled, header.recordCounts.dropFirst()) {
      let size = Int64(count) * Int64(stream.recordSize)
      try copy(stream, byteCount: size, to: end)
      end += size
    }
    if hasPhases { end = try appendPhases(at: end) }
    let encoded = TraceChunk.encoded(chunks)
    var done = 0
    error = encoded.withUnsafeBytes {
      fnvm_sys_pwrite_all(trace.rawValue, $0.baseAddress, $0.count, end, &done)
    }
    end += Int64(encoded.count)
    if error == 0 { error = fnvm_sys_fdatasync(trace.rawValue) }
    if error != 0 { throw .io(-error, "complete the trace", path, hint: Self.recoverHint(path)) }
    try write(header)
    removeSidecars()
    if displacement == .renamed {
      throw .io(
        isNameTaken ? ErrorNumber.stale : ErrorNumber.noEntry, "find the trace at", path,
        hint: "it was renamed while it was recorded; it is complete where it is now")
    }
  }

  private enum Displacement {
    case none
    /// The file has another name now.
    case renamed
    /// The file has no name any more: it ends with its last descriptor.
    case removed
  }

  private func displacement() -> Displacement {
    if location.holds(trace.rawValue, at: location.name) { return .none }
    return trace.status.map { $0.links > 0 } ?? false ? .renamed : .removed
  }

  private var isNameTaken: Bool { location.status(of: location.name) != nil }

  static func recoverHint(_ path: SystemPath) -> String {
    joined(
      "what was recorded is kept: make room, then complete it with: fastnvmetrics recover ",
      path.description)
  }

  /// Appends what happened to phases as a chunk, however much of it there is.
  ///
  /// - Returns: where it ends.
  private func appendPhases(at start: Int64) throws(FNVMError) -> Int64 {
    let size = Int64(recordCount(.phaseEvents)) * Int64(PhaseEvent.size)
    let sum = Checksum()
    var checksum: UInt32 = 0
    try copy(.phaseEvents, byteCount: size, to: start + Int64(TraceChunk.prefixSize)) {
      checksum = sum.of($0, after: checksum)
    }
    let prefix = TraceChunk.prefix(
      type: PhaseEvent.chunkType, byteCount: Int(size), checksum: checksum)
    var done = 0
    let error = prefix.withUnsafeBytes {
      fnvm_sys_pwrite_all(trace.rawValue, $0.baseAddress, $0.count, start, &done)
    }
    if error != 0 { throw .io(-error, "complete the trace", path, hint: Self.recoverHint(path)) }
    return start + Int64(TraceChunk.prefixSize) + size
  }

  /// - Parameter seen: called with each piece.
  private func copy(
    _ stream: TraceStream, byteCount: Int64, to end: Int64,
    seen: (UnsafeRawBufferPointer) -> Void = { _ in }
  ) throws(FNVMError) {
    var buffer = [UInt8](repeating: 0, count: Int(min(byteCount, 1 << 20)))
    var copied: Int64 = 0
    while copied < byteCount {
      let wanted = Int(min(byteCount - copied, Int64(buffer.count)))
      let from = descriptor(of: stream)
      let error: CInt = buffer.withUnsafeMutableBytes { raw in
        let count = fnvm_sys_pread(from, raw.baseAddress, wanted, copied)
        if count <= 0 { return count == 0 ? ErrorNumber.io : CInt(truncatingIfNeeded: -count) }
        var done = 0
        let error = fnvm_sys_pwrite_all(
          trace.rawValue, raw.baseAddress, Int(count), end + copied, &done)
        copied += Int64(done)
        if error == 0 { seen(UnsafeRawBufferPointer(rebasing: raw[..<Int(count)])) }
        return -error
      }
      if error != 0 { throw .io(error, "complete the trace", path, hint: Self.recoverHint(path)) }
    }
  }

  /// The sync points that have a fast sample after them in the file: all, unless samples were lost
  /// at the end.
  private func syncPointsBefore(_ fastSamples: UInt64) throws(FNVMError) -> UInt64 {
    var count = recordCount(.syncPoints)
    while count > 0 {
      var index: UInt64 = 0
      let offset =
        Int64(count - 1) * Int64(TraceFormat.SyncPoint.size)
        + Int64(TraceFormat.SyncPoint.fastSampleIndex)
      let read = fnvm_sys_pread(descriptor(of: .syncPoints), &index, 8, offset)
      if read < 0 {
        throw .io(
          CInt(truncatingIfNeeded: -read), "complete the trace", path,
          hint: Self.recoverHint(path))
      }
      if read == 8, UInt64(littleEndian: index) < fastSamples { break }
      count -= 1
    }
    return count
  }
}
