internal import CFastNVMetricsShims

extension TraceFiles {
  /// Creates the files of a new trace under a temporary name; `publish` puts it at its path.
  ///
  /// - Throws: `.io`; EBUSY where another recorder is at work there. Nothing is left behind then,
  ///   and what was at the path is still there.
  static func create(at path: SystemPath) throws(FNVMError) -> TraceFiles {
    let location = try TraceLocation(path)
    if let status = location.status(of: location.name) {
      if status.is_directory { throw .io(ErrorNumber.isDirectory, "write the trace", path) }
      if !status.is_regular {
        throw .io(ErrorNumber.invalid, "write the trace", path, hint: "it is not a regular file")
      }
    }
    let trace = try openLocked(location)
    var aside = ""
    do throws(FNVMError) {
      aside = try setAside(location)
      let sidecars = try openSidecars(location)
      return TraceFiles(
        location, trace: trace, spools: Array(sidecars.dropLast()),
        journal: TraceJournal(OwnedDescriptor(owning: sidecars[TraceStream.spooled.count])),
        asideSuffix: aside)
    } catch {
      location.remove(location.name(suffix: newSuffix))
      if !aside.isEmpty { location.putBack(aside) }
      throw error
    }
  }

  /// Puts the trace at its path, over an older complete one.
  func publish(_ header: TraceHeader) throws(FNVMError) {
    do throws(FNVMError) {
      try write(header)
      keepReplaced()
      let error = rename(suffix: Self.newSuffix)
      if error != 0 { throw .io(error, "create the trace", path) }
    } catch {
      discardUnpublished()
      throw error
    }
  }

  /// Removes a trace that was created and not published.
  func discardUnpublished() { discard(suffix: Self.newSuffix) }

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
      if location.holds(file.rawValue, at: name) {
        let error = fnvm_sys_ftruncate(file.rawValue, 0)
        if error != 0 {
          location.remove(name)
          throw .io(-error, "create the trace", location.shown)
        }
        return file
      }
    }
    throw busy(location.shown)
  }

  static func busy(_ path: SystemPath) -> FNVMError {
    .io(ErrorNumber.busy, "write the trace", path, hint: "another recorder is writing it")
  }

  /// Refuses a path where a recorder is at work, and renames what a crashed one left there.
  ///
  /// - Returns: what it was renamed with, empty where there was nothing of the kind.
  private static func setAside(
    _ location: borrowing TraceLocation
  ) throws(FNVMError) -> String {
    let fd = location.open(location.name)
    if fd == -ErrorNumber.noEntry { return "" }
    // Whether somebody is recording there could not be found out.
    if fd < 0 { throw .io(-fd, "replace the trace", location.shown) }
    let old = OwnedDescriptor(owning: fd)
    if fnvm_sys_try_lock(old.rawValue) != 0 { throw busy(location.shown) }
    var bytes = [UInt8](repeating: 0, count: TraceFormat.headerSize)
    let count = bytes.withUnsafeMutableBytes {
      fnvm_sys_pread(old.rawValue, $0.baseAddress, $0.count, 0)
    }
    // It may be all that is left of a recording.
    if count < 0 {
      throw .io(CInt(truncatingIfNeeded: -count), "replace the trace", location.shown)
    }
    let header = bytes.withUnsafeBytes { raw -> TraceHeader? in
      guard Int(count) == raw.count,
        raw.loadUnaligned(as: UInt32.self) == TraceFormat.magic.littleEndian
      else { return nil }
      return TraceHeader(decoding: raw)
    }
    guard let header, header.isUnfinished else { return "" }
    var suffix = joined(".unfinished-", decimal(header.startRealtimeNanoseconds))
    // Boards without a clock of their own begin at the same time again and again.
    var copy = 1
    while location.status(of: location.name(suffix: suffix)) != nil {
      copy += 1
      suffix = joined(".unfinished-", decimal(header.startRealtimeNanoseconds), "-", decimal(copy))
    }
    let error = location.setAside(suffix)
    if error != 0 {
      location.putBack(suffix)
      throw .io(error, "set the crashed trace aside at", location.shown)
    }
    return suffix
  }

  /// The spools and the journal, each a new file: what is there by that name belongs to nobody by now.
  private static func openSidecars(
    _ location: borrowing TraceLocation
  ) throws(FNVMError) -> [CInt] {
    var opened: [CInt] = []
    for suffix in TraceLocation.sidecarSuffixes {
      let name = location.name(suffix: suffix)
      location.remove(name)
      let fd = location.create(name)
      if fd < 0 {
        for (made, descriptor) in zip(TraceLocation.sidecarSuffixes, opened) {
          fnvm_sys_close(descriptor)
          location.remove(location.name(suffix: made))
        }
        throw .io(
          -fd, "create the trace", location.shown,
          hint: fd == -ErrorNumber.nameTooLong
            ? "the files beside it need 13 bytes more than its own name" : "")
      }
      opened.append(fd)
    }
    for suffix in [TraceLocation.metadataSuffix, TraceLocation.newMetadataSuffix] {
      location.remove(location.name(suffix: suffix))
    }
    return opened
  }
}
