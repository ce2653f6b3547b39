internal import CFastNVMetricsShims

extension Trace {
  /// Completes a trace whose recorder was killed or crashed, from the file and the spools beside
  /// it. Does nothing to a trace that is complete. Killed half-way, it can be run again.
  ///
  /// - Returns: whether the trace was completed now.
  /// - Throws: `.io` (EBUSY: it is being recorded), `.format`.
  ///
  /// The corresponding C function is `fnvm_trace_recover`.
  @discardableResult
  public static func recover(path: SystemPath) throws(FNVMError) -> Bool {
    let location = try TraceLocation(path)
    // Looked at before it is opened for writing: a complete trace may be read-only.
    let readable = try OwnedDescriptor(
      opening: location.name, in: location.directory.rawValue,
      flags: OpenFlag.nonBlocking, purpose: "recover the trace", shownAs: path)
    if let status = readable.status, !status.is_regular {
      throw .io(
        status.is_directory ? ErrorNumber.isDirectory : ErrorNumber.invalid, "recover the trace",
        path)
    }
    guard try header(of: readable, path).isUnfinished else { return false }

    let trace = try OwnedDescriptor(
      opening: location.name, in: location.directory.rawValue,
      flags: OpenFlag.write | OpenFlag.nonBlocking, purpose: "recover the trace", shownAs: path)
    if fnvm_sys_try_lock(trace.rawValue) != 0 { throw TraceFiles.busy(path) }
    // Another recovery may have completed it while this one waited for the lock.
    var header = try header(of: trace, path)
    guard header.isUnfinished, let status = trace.status else { return false }
    // Between opening and locking, a new recorder may have set it aside: the spools are its own then.
    guard let there = location.status(of: location.name), there.inode == status.inode,
      there.device == status.device
    else { throw TraceFiles.busy(path) }
    let size = status.size

    let spools = try openSpools(location)
    // Counts in an unfinished header: the crash came while the spools were being appended, or
    // after.
    let isClosing = header.fastSampleCount > 0 || header.mediumSampleCount > 0
    let wasAppended = isClosing && spools.allSatisfy { $0 < 0 } && header.fileSize == UInt64(size)
    let recordSize = Int64(TraceFormat.Fast.size)
    var fastRecords = max(0, size - Int64(TraceFormat.headerSize)) / recordSize
    if isClosing { fastRecords = min(fastRecords, Int64(clamping: header.fastSampleCount)) }
    if !isClosing { fastRecords = writtenRecords(trace.rawValue, .fast, fastRecords) }
    let files = TraceFiles(
      location, trace: trace, spools: spools,
      fastBytes: fastRecords * recordSize)
    files.forgetUnwritten(writtenRecords)
    header.isRecovered = true
    if wasAppended {
      try files.write(header)
    } else {
      try files.complete(header)
    }
    return true
  }

  /// The spools, −1 for one that does not exist. One that cannot be opened must not be taken for missing.
  private static func openSpools(_ location: borrowing TraceLocation) throws(FNVMError) -> [CInt] {
    var spools: [CInt] = []
    for stream in TraceStream.spooled {
      let fd = location.name(suffix: stream.spoolSuffix ?? "").withCString {
        fnvm_sys_openat(location.directory.rawValue, $0, OpenFlag.nonBlocking, 0)
      }
      if fd < 0 && fd != -ErrorNumber.noEntry {
        for spool in spools { fnvm_sys_close(spool) }
        throw .io(
          -fd, "open the spools of the trace", location.shown, hint: "nothing was changed")
      }
      spools.append(max(fd, -1))
    }
    return spools
  }

  private static func header(
    of file: borrowing OwnedDescriptor, _ path: SystemPath
  ) throws(FNVMError) -> TraceHeader {
    var bytes = [UInt8](repeating: 0, count: TraceFormat.headerSize)
    let fd = file.rawValue
    let count = bytes.withUnsafeMutableBytes {
      fnvm_sys_pread(fd, $0.baseAddress, $0.count, 0)
    }
    if count < 0 { throw .io(CInt(truncatingIfNeeded: -count), "recover the trace", path) }
    // `withUnsafeBytes` does not pass typed errors on.
    let result = bytes.withUnsafeBytes { raw -> Result<TraceHeader, FNVMError> in
      do throws(FNVMError) {
        return .success(
          try TraceHeader.recognise(UnsafeRawBufferPointer(rebasing: raw[..<Int(count)]), path))
      } catch {
        return .failure(error)
      }
    }
    return try result.get()
  }

  /// How many records are left when those at the end that were never written are taken away: after a
  /// power cut a file can be longer than its data, and reads as zeros there.
  ///
  /// Every record begins with 8 bytes that are not 0: a time above 0, or the id of a sync point.
  private static func writtenRecords(
    _ descriptor: CInt, _ stream: TraceStream, _ records: Int64
  ) -> Int64 {
    var records = records
    while records > 0 {
      var first: UInt64 = 0
      let offset = stream.startOffset + (records - 1) * Int64(stream.recordSize)
      if fnvm_sys_pread(descriptor, &first, 8, offset) == 8 {
        let bits = UInt64(littleEndian: first)
        let seconds = Double(bitPattern: bits)
        if stream == .syncPoints ? bits > 0 : seconds.isFinite && seconds > 0 { break }
      }
      records -= 1
    }
    return records
  }
}

extension TraceHeader {
  /// The size of a file without chunks that has these counts; nil where that overflows.
  fileprivate var fileSize: UInt64? {
    var total = UInt64(TraceFormat.headerSize)
    let parts = [
      (fastSampleCount, TraceStream.fast), (mediumSampleCount, .medium), (slowSampleCount, .slow),
      (syncPointCount, .syncPoints),
    ]
    for (count, stream) in parts {
      let (size, overflow) = count.multipliedReportingOverflow(by: UInt64(stream.recordSize))
      let (sum, carry) = total.addingReportingOverflow(size)
      if overflow || carry { return nil }
      total = sum
    }
    return total
  }
}
