internal import CFastNVMetricsShims
internal import Synchronization

/// The META chunk beside a trace that is being recorded, as far as it is known: a recovery appends it.
extension TraceFiles {
  /// Keeps a chunk in the place of what was kept before, in one step: a crash leaves one or the other.
  ///
  /// - Returns: whether that was done, or need not be tried again.
  func keepMetadata(_ chunk: TraceChunk) -> Bool {
    // Another recorder may have come to the path, and the name beside it is its own.
    guard location.holds(trace.rawValue, at: location.name) else { return true }
    let name = location.name(suffix: TraceLocation.newMetadataSuffix)
    location.remove(name)
    let fd = location.create(name)
    if fd < 0 { return false }
    var done = 0
    var error = TraceChunk.encoded([chunk]).withUnsafeBytes {
      fnvm_sys_pwrite_all(fd, $0.baseAddress, $0.count, 0, &done)
    }
    if error == 0 {
      error = location.rename(name, to: location.name(suffix: TraceLocation.metadataSuffix))
    }
    if error != 0 {
      fnvm_sys_close(fd)
      location.remove(name)
      return false
    }
    fnvm_sys_close(metadata)
    metadata = fd
    hasNewMetadata.store(true, ordering: .releasing)
    return true
  }

  /// Waits until the disk has the metadata that was kept since the last call, by its name. 0 or an errno.
  func flushMetadata() -> CInt {
    if !hasNewMetadata.exchange(false, ordering: .acquiring) { return 0 }
    // By its name: the spool's thread may be closing the descriptor that it holds.
    let fd = location.open(location.name(suffix: TraceLocation.metadataSuffix))
    if fd < 0 { return fd == -ErrorNumber.noEntry ? 0 : -fd }
    let file = OwnedDescriptor(owning: fd)
    let error = -fnvm_sys_fdatasync(file.rawValue)
    return error == 0 ? flushNames() : error
  }

  /// What a recorder that crashed kept; nil where there is nothing, or something else than it wrote.
  ///
  /// - Throws: `.io` where it cannot be read: that is no reason to take it for lost.
  static func keptMetadata(
    _ location: borrowing TraceLocation
  ) throws(FNVMError) -> TraceChunk? {
    let fd = location.open(location.name(suffix: TraceLocation.metadataSuffix))
    if fd == -ErrorNumber.noEntry { return nil }
    if fd < 0 { throw unreadable(-fd, location) }
    let file = OwnedDescriptor(owning: fd)
    guard let size = file.status?.size, size > Int64(TraceChunk.prefixSize), size <= longest else {
      return nil
    }
    var bytes = [UInt8](repeating: 0, count: Int(size))
    let count = bytes.withUnsafeMutableBytes {
      fnvm_sys_pread(file.rawValue, $0.baseAddress, $0.count, 0)
    }
    if count < 0 { throw unreadable(CInt(truncatingIfNeeded: -count), location) }
    let chunk = TraceChunk(type: "META", payload: Array(bytes[TraceChunk.prefixSize...]))
    return TraceChunk.encoded([chunk]) == bytes ? chunk : nil
  }

  /// Far above what annotations have room for.
  private static var longest: Int64 { 1 << 24 }

  static func unreadable(_ errno: CInt, _ location: borrowing TraceLocation) -> FNVMError {
    .io(errno, "open the files beside the trace", location.shown, hint: "nothing was changed")
  }
}
