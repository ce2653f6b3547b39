internal import CFastNVMetricsShims

extension TraceFiles {
  /// Creates the files of a new trace under a temporary name; `publish` puts it at its path.
  ///
  /// - Parameter notice: receives a sentence where a crashed trace at the path was set aside.
  /// - Throws: `.io`; EBUSY where another recorder is at work there. Nothing is left behind then,
  ///   and what was at the path is still there.
  static func create(
    at path: SystemPath, notice: (String) -> Void
  ) throws(FNVMError) -> TraceFiles {
    let location = try TraceLocation(path)
    if let status = location.status(of: location.name) {
      if status.is_directory { throw .io(ErrorNumber.isDirectory, "write the trace", path) }
      if !status.is_regular {
        throw .io(ErrorNumber.invalid, "write the trace", path, hint: "it is not a regular file")
      }
    }
    let trace = try openLocked(location)
    do throws(FNVMError) {
      try setAside(location, notice: notice)
      let spools = try openSpools(location)
      return TraceFiles(location, trace: trace, spools: spools, fastBytes: 0)
    } catch {
      location.remove(location.name(suffix: newSuffix))
      throw error
    }
  }

  /// Puts the trace at its path, over an older complete one.
  func publish(_ header: TraceHeader) throws(FNVMError) {
    do throws(FNVMError) {
      try write(header)
      let error = rename(suffix: Self.newSuffix)
      if error != 0 { throw .io(error, "create the trace", path) }
    } catch {
      discard(suffix: Self.newSuffix)
      throw error
    }
  }

  private static var newSuffix: String { ".fnvm-new" }

  /// The new file, locked, so that of two recorders that start at once one is refused.
  private static func openLocked(_ location: borrowing TraceLocation) throws(FNVMError)
    -> OwnedDescriptor
  {
    let name = location.name(suffix: newSuffix)
    for _ in 0..<8 {
      let file = try OwnedDescriptor(
        opening: name, in: location.directory.rawValue,
        flags: OpenFlag.write | OpenFlag.create | OpenFlag.noFollow, purpose: "create the trace",
        shownAs: location.shown)
      if fnvm_sys_try_lock(file.rawValue) != 0 { throw busy(location.shown) }
      // Between opening and locking, its owner may have renamed or removed it: then it is not ours.
      if let mine = file.status, let there = location.status(of: name),
        mine.inode == there.inode, mine.device == there.device
      {
        let error = fnvm_sys_ftruncate(file.rawValue, 0)
        if error != 0 { throw .io(-error, "create the trace", location.shown) }
        return file
      }
    }
    throw busy(location.shown)
  }

  static func busy(_ path: SystemPath) -> FNVMError {
    .io(ErrorNumber.busy, "write the trace", path, hint: "another recorder is writing it")
  }

  /// Refuses a path where a recorder is at work, and renames what a crashed one left there.
  private static func setAside(
    _ location: borrowing TraceLocation, notice: (String) -> Void
  ) throws(FNVMError) {
    let fd = location.name.withCString {
      fnvm_sys_openat(location.directory.rawValue, $0, OpenFlag.nonBlocking, 0)
    }
    // Nothing there, or nothing that we may look into: the new trace replaces it.
    if fd < 0 { return }
    let old = OwnedDescriptor(owning: fd)
    if fnvm_sys_try_lock(old.rawValue) != 0 { throw busy(location.shown) }
    var bytes = [UInt8](repeating: 0, count: TraceFormat.headerSize)
    let header = bytes.withUnsafeMutableBytes { raw -> TraceHeader? in
      guard fnvm_sys_pread(old.rawValue, raw.baseAddress, raw.count, 0) == raw.count,
        raw.loadUnaligned(as: UInt32.self) == TraceFormat.magic.littleEndian
      else { return nil }
      return TraceHeader(decoding: UnsafeRawBufferPointer(raw))
    }
    guard let header, header.isUnfinished else { return }
    let suffix = ".unfinished-\(header.startRealtimeNanoseconds)"
    for stream in TraceStream.spooled {
      let spool = stream.spoolSuffix ?? ""
      location.rename(location.name(suffix: spool), to: location.name(suffix: suffix + spool))
    }
    let error = location.rename(location.name, to: location.name(suffix: suffix))
    if error != 0 { throw .io(error, "set the crashed trace aside at", location.shown) }
    notice(
      "The trace of a recorder that crashed was set aside as \(location.shown)\(suffix); complete it with: fastnvmetrics recover \(location.shown)\(suffix)"
    )
  }

  private static func openSpools(_ location: borrowing TraceLocation) throws(FNVMError) -> [CInt] {
    var spools: [CInt] = []
    for stream in TraceStream.spooled {
      let fd = location.name(suffix: stream.spoolSuffix ?? "").withCString {
        fnvm_sys_openat(
          location.directory.rawValue, $0,
          OpenFlag.write | OpenFlag.create | OpenFlag.truncate | OpenFlag.noFollow, 0o666)
      }
      if fd < 0 {
        for spool in spools { fnvm_sys_close(spool) }
        location.removeSpools()
        throw .io(-fd, "create the trace", location.shown)
      }
      spools.append(fd)
    }
    return spools
  }
}
