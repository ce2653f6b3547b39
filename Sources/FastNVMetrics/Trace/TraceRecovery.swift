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
    let found = try header(of: readable, path)
    guard found.isUnfinished else {
      // Closed and cut short afterwards: nothing beside it has what is missing.
      if let size = readable.status?.size, (found.byteCount ?? .max) > UInt64(clamping: size) {
        throw truncated(path, byteCount: Int(size))
      }
      return false
    }

    let trace = try OwnedDescriptor(
      opening: location.name, in: location.directory.rawValue,
      flags: OpenFlag.write | OpenFlag.nonBlocking, purpose: "recover the trace", shownAs: path)
    if fnvm_sys_try_lock(trace.rawValue) != 0 { throw TraceFiles.busy(path) }
    // Another recovery may have completed it while this one waited for the lock.
    var header = try header(of: trace, path)
    guard header.isUnfinished, let status = trace.status else { return false }
    // Between opening and locking, a new recorder may have set it aside: the spools are its own then.
    guard location.holds(trace.rawValue, at: location.name) else { throw TraceFiles.busy(path) }

    let metadata = try TraceFiles.keptMetadata(location)
    let sidecars = try openSidecars(location)
    let spools = Array(sidecars.dropLast())
    let journal = OwnedDescriptor(owning: sidecars[spools.count])
    header.isRecovered = true
    // Counts in an unfinished header: the crash came while the spools were being appended, or
    // after. The first of them is removed when all of it is on disk.
    let isClosing = header.recordCounts.contains { $0 > 0 }
    let isWhole = header.byteCount.map { $0 <= UInt64(clamping: status.size) } ?? false
    // The one of the phases goes last, and older recorders made none.
    if isClosing && isWhole && spools.dropLast().contains(where: { $0 < 0 }) {
      let files = TraceFiles(location, trace: trace, spools: spools)
      try files.write(header)
      files.removeSidecars()
      return true
    }

    let descriptors = [trace.rawValue] + spools
    var there = descriptors.enumerated().map { recordsThatFit($0.element, $0.offset) }
    // What the counts leave out was found bad, and counted as dropped, by a recovery that was killed.
    if isClosing {
      for (i, count) in header.recordCounts.enumerated() { there[i] = min(there[i], count) }
    }
    let good: [UInt64]
    do throws(FNVMError) {
      good = try goodRecords(descriptors, journal.rawValue, there, path)
    } catch {
      for spool in spools { fnvm_sys_close(spool) }
      throw error
    }
    // What a power cut took, as far as the files tell.
    for stream in [TraceStream.fast, .medium, .slow] {
      let (sum, isFar) = header.droppedSamples.addingReportingOverflow(
        there[stream.rawValue] - good[stream.rawValue])
      header.droppedSamples = isFar ? .max : sum
    }
    let files = TraceFiles(location, trace: trace, spools: spools, recordCounts: good)
    try files.complete(header, chunks: [metadata].compactMap { $0 })
    return true
  }

  /// How many records of each stream were written and kept.
  ///
  /// - Parameter limits: no more than these.
  private static func goodRecords(
    _ descriptors: [CInt], _ journal: CInt, _ limits: [UInt64], _ path: SystemPath
  ) throws(FNVMError) -> [UInt64] {
    let written = WrittenRecords(path)
    if journal >= 0 {
      let vouched = try written.vouched(by: journal, in: descriptors)
      return zip(vouched, limits).map { min($0, $1) }
    }
    var good: [UInt64] = []
    for stream in [TraceStream.fast] + TraceStream.spooled {
      let index = stream.rawValue
      good.append(
        try written.plausible(in: descriptors[index], stream, atMost: limits[index]))
    }
    return good
  }

  /// Whole records for which a file is long enough.
  private static func recordsThatFit(_ descriptor: CInt, _ index: Int) -> UInt64 {
    var status = fnvm_sys_stat()
    guard let stream = TraceStream(rawValue: index), descriptor >= 0,
      fnvm_sys_fstat(descriptor, &status) == 0
    else { return 0 }
    return UInt64(max(0, status.size - stream.startOffset)) / UInt64(stream.recordSize)
  }

  /// The spools and the journal, −1 for one that does not exist. One that cannot be opened must not be taken
  /// for missing.
  private static func openSidecars(
    _ location: borrowing TraceLocation
  ) throws(FNVMError) -> [CInt] {
    var opened: [CInt] = []
    for suffix in TraceLocation.sidecarSuffixes {
      let fd = location.open(location.name(suffix: suffix))
      if fd < 0 && fd != -ErrorNumber.noEntry {
        for descriptor in opened { fnvm_sys_close(descriptor) }
        throw TraceFiles.unreadable(-fd, location)
      }
      opened.append(max(fd, -1))
    }
    return opened
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
}
