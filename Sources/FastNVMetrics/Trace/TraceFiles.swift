internal import CFastNVMetricsShims

/// The files of a trace that is not complete yet: the trace itself, with a header and the fast
/// samples, and one spool for each other stream. docs/trace-format.md says what lies on disk at
/// each moment.
///
/// Used by one thread at a time, streams apart: `append` may be called for different streams at once.
final class TraceFiles {
  let location: TraceLocation
  private let trace: OwnedDescriptor
  /// A cell for each stream, so that threads that append to different ones share nothing.
  private let streams: UnsafeMutablePointer<Stream>
  /// What a crashed trace was renamed with that was found at the path; empty where there was none.
  private let asideSuffix: String

  private struct Stream {
    /// -1 where a recovery found no spool.
    var descriptor: CInt
    var byteCount: Int64
  }

  /// Takes over open files. `spools` are the medium, slow and sync point spools, −1 for a missing
  /// one.
  init(
    _ location: consuming TraceLocation, trace: consuming OwnedDescriptor, spools: [CInt],
    fastBytes: Int64, asideSuffix: String = ""
  ) {
    self.location = location
    self.trace = trace
    self.asideSuffix = asideSuffix
    streams = .allocate(capacity: TraceStream.count)
    streams.initialize(to: Stream(descriptor: self.trace.rawValue, byteCount: fastBytes))
    for (i, spool) in spools.enumerated() {
      var status = fnvm_sys_stat()
      let size = spool >= 0 && fnvm_sys_fstat(spool, &status) == 0 ? status.size : 0
      (streams + i + 1).initialize(to: Stream(descriptor: spool, byteCount: size))
    }
    // A child that keeps the open file keeps its lock, also when this process is gone.
    fnvm_sys_close_in_children(self.trace.rawValue, true)
  }

  deinit {
    for stream in TraceStream.spooled { fnvm_sys_close(streams[stream.rawValue].descriptor) }
    streams.deallocate()
    fnvm_sys_close_in_children(trace.rawValue, false)
    fnvm_sys_unlock(trace.rawValue)
  }

  var path: SystemPath { location.shown }

  /// Whole records written so far.
  func recordCount(_ stream: TraceStream) -> UInt64 {
    UInt64(streams[stream.rawValue].byteCount / Int64(stream.recordSize))
  }

  /// Cuts records off the ends of the spools.
  ///
  /// - Parameter written: how many records of a stream's file are good, given how many there seem to be.
  func forgetUnwritten(_ written: (CInt, TraceStream, Int64) -> Int64) {
    for stream in TraceStream.spooled where streams[stream.rawValue].descriptor >= 0 {
      let records = written(
        streams[stream.rawValue].descriptor, stream, Int64(recordCount(stream)))
      streams[stream.rawValue].byteCount = records * Int64(stream.recordSize)
    }
  }

  /// Appends whole records.
  ///
  /// - Returns: how many of them are in the file now, and an errno where those are not all. What
  ///   was written of a torn record is overwritten by the next call.
  func append(_ bytes: UnsafeRawBufferPointer, to stream: TraceStream) -> (
    records: Int, errno: CInt
  ) {
    let index = stream.rawValue
    let whole = Int64(stream.recordSize) * Int64(recordCount(stream))
    var done = 0
    let error = fnvm_sys_pwrite_all(
      streams[index].descriptor, bytes.baseAddress, bytes.count, stream.startOffset + whole, &done)
    let records = done / stream.recordSize
    streams[index].byteCount = whole + Int64(records * stream.recordSize)
    return (records, -error)
  }

  /// Writes the header in place.
  func write(_ header: TraceHeader) throws(FNVMError) {
    let bytes = header.encoded()
    var done = 0
    let error = bytes.withUnsafeBytes {
      fnvm_sys_pwrite_all(trace.rawValue, $0.baseAddress, $0.count, 0, &done)
    }
    if error != 0 { throw .io(-error, "write the header of the trace", path) }
  }

  /// Makes a complete trace of the files: appends the spools to it, then says so in its header.
  ///
  /// A crash in between can be recovered from: counts in the header of an unfinished trace say how
  /// much of it is fast samples, and the spools are removed last. Without space for all of it,
  /// trace and spools stay as they are.
  func complete(_ header: TraceHeader) throws(FNVMError) {
    try checkStillThere()
    var header = header
    header.fastSampleCount = recordCount(.fast)
    header.mediumSampleCount = recordCount(.medium)
    header.slowSampleCount = recordCount(.slow)
    header.syncPointCount = syncPointsBefore(header.fastSampleCount)

    var closing = header
    closing.isClosed = false
    closing.isRecovered = false
    try write(closing)

    var end =
      Int64(TraceFormat.headerSize) + Int64(header.fastSampleCount) * Int64(TraceFormat.Fast.size)
    let counts = [header.mediumSampleCount, header.slowSampleCount, header.syncPointCount]
    for (stream, count) in zip(TraceStream.spooled, counts) {
      let size = Int64(count) * Int64(stream.recordSize)
      try copy(stream, byteCount: size, to: end)
      end += size
    }
    var error = fnvm_sys_ftruncate(trace.rawValue, end)
    if error == 0 { error = fnvm_sys_fdatasync(trace.rawValue) }
    if error != 0 { throw .io(-error, "complete the trace", path, hint: Self.recoverHint(path)) }
    try write(header)
    location.removeSpools()
  }

  /// A trace that was removed or replaced while it was recorded ends with its last descriptor: nobody could
  /// read it.
  private func checkStillThere() throws(FNVMError) {
    guard let mine = trace.status else { throw .io(ErrorNumber.io, "complete the trace", path) }
    guard let there = location.status(of: location.name) else {
      throw .io(
        ErrorNumber.noEntry, "complete the trace", path,
        hint: "it was removed or renamed while it was recorded")
    }
    if there.inode != mine.inode || there.device != mine.device {
      throw .io(
        ErrorNumber.stale, "complete the trace", path,
        hint: "another file was put in its place while it was recorded")
    }
  }

  /// Renames the trace from its name with a suffix to its own. 0 or an errno.
  func rename(suffix: String) -> CInt {
    location.rename(location.name(suffix: suffix), to: location.name)
  }

  /// Removes a trace that never came to its path, and puts back what was set aside for it.
  func discard(suffix: String) {
    location.remove(location.name(suffix: suffix))
    location.removeSpools()
    if !asideSuffix.isEmpty { location.putBack(asideSuffix) }
  }

  /// What the user should know of the crashed trace that was found at the path.
  var notice: String? {
    if asideSuffix.isEmpty { return nil }
    return
      "The trace of a recorder that crashed was set aside as \(path)\(asideSuffix); complete it with: fastnvmetrics recover \(path)\(asideSuffix)"
  }

  static func recoverHint(_ path: SystemPath) -> String {
    "what was recorded is kept: make room, then complete it with: fastnvmetrics recover \(path)"
  }

  private func copy(_ stream: TraceStream, byteCount: Int64, to end: Int64) throws(FNVMError) {
    var buffer = [UInt8](repeating: 0, count: Int(min(byteCount, 1 << 20)))
    var copied: Int64 = 0
    while copied < byteCount {
      let wanted = Int(min(byteCount - copied, Int64(buffer.count)))
      let from = streams[stream.rawValue].descriptor
      let error: CInt = buffer.withUnsafeMutableBytes { raw in
        let count = fnvm_sys_pread(from, raw.baseAddress, wanted, copied)
        if count <= 0 { return count == 0 ? ErrorNumber.io : CInt(truncatingIfNeeded: -count) }
        var done = 0
        let error = fnvm_sys_pwrite_all(
          trace.rawValue, raw.baseAddress, Int(count), end + copied, &done)
        copied += Int64(done)
        return -error
      }
      if error != 0 { throw .io(error, "complete the trace", path, hint: Self.recoverHint(path)) }
    }
  }

  /// The sync points that have a fast sample after them in the file: all, unless samples were lost
  /// at the end.
  private func syncPointsBefore(_ fastSamples: UInt64) -> UInt64 {
    var count = recordCount(.syncPoints)
    while count > 0 {
      var index: UInt64 = 0
      let offset =
        Int64(count - 1) * Int64(TraceFormat.SyncPoint.size)
        + Int64(TraceFormat.SyncPoint.fastSampleIndex)
      let read = fnvm_sys_pread(
        streams[TraceStream.syncPoints.rawValue].descriptor, &index, 8, offset)
      if read == 8, UInt64(littleEndian: index) < fastSamples { break }
      count -= 1
    }
    return count
  }
}
