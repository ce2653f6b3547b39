internal import CFastNVMetricsShims

/// Where a trace is: an open directory and a name in it, so that neither a change of the working
/// directory nor of the directory's own name moves it.
struct TraceLocation: ~Copyable {
  /// As the user wrote it, for messages.
  let shown: SystemPath
  let directory: OwnedDescriptor
  let name: SystemPath

  /// - Throws: `.io` where the directory cannot be opened, or the path is no place for a file.
  init(_ path: SystemPath) throws(FNVMError) {
    let target = try Self.followLinks(path)
    let last = target.lastComponent
    let dot = UInt8(ascii: ".")
    if last.isEmpty || last == [dot] || last == [dot, dot] {
      throw .io(ErrorNumber.isDirectory, "write the trace", path)
    }
    let parent = try OwnedDescriptor(
      opening: target.parent, flags: OpenFlag.directory, purpose: "write the trace",
      shownAs: path)
    shown = path
    name = SystemPath(bytes: last)
    directory = parent
  }

  /// A link at the path stands for the file it leads to: that is what is written, not the link.
  private static func followLinks(_ path: SystemPath) throws(FNVMError) -> SystemPath {
    var target = path
    for _ in 0..<40 {
      guard let link = target.linkTarget() else { return target }
      target = link.isAbsolute ? link : target.parent.appending(bytes: link.bytes)
    }
    throw .io(ErrorNumber.tooManyLinks, "open the trace", path)
  }

  func name(suffix: String) -> SystemPath { SystemPath(bytes: name.bytes + Array(suffix.utf8)) }

  func status(of name: SystemPath) -> fnvm_sys_stat? {
    var status = fnvm_sys_stat()
    let error = name.withCString { fnvm_sys_lstatat(directory.rawValue, $0, &status) }
    return error == 0 ? status : nil
  }

  /// 0 or an errno.
  @discardableResult
  func rename(_ from: SystemPath, to: SystemPath) -> CInt {
    -from.withCString { from in
      to.withCString { fnvm_sys_renameat(directory.rawValue, from, $0) }
    }
  }

  func remove(_ name: SystemPath) {
    _ = name.withCString { fnvm_sys_unlinkat(directory.rawValue, $0) }
  }

  /// Whether that name leads to the open file.
  func holds(_ descriptor: CInt, at name: SystemPath) -> Bool {
    var mine = fnvm_sys_stat()
    guard fnvm_sys_fstat(descriptor, &mine) == 0, let there = status(of: name) else { return false }
    return mine.inode == there.inode && mine.device == there.device
  }

  /// Makes a new file. A descriptor, or a negative errno.
  func create(_ name: SystemPath) -> CInt {
    name.withCString {
      fnvm_sys_openat(
        directory.rawValue, $0,
        OpenFlag.write | OpenFlag.create | OpenFlag.exclusive | OpenFlag.noFollow, 0o666)
    }
  }

  /// Opens a file to read it, without waiting for whatever else may be there. A descriptor, or a negative errno.
  func open(_ name: SystemPath) -> CInt {
    name.withCString { fnvm_sys_openat(directory.rawValue, $0, OpenFlag.nonBlocking, 0) }
  }

  static var journalSuffix: String { ".fnvm-journal" }
  static var metadataSuffix: String { ".fnvm-meta" }
  /// Of metadata that is not all written yet.
  static var newMetadataSuffix: String { ".fnvm-newmeta" }

  /// What is put behind the trace's name for the files that are beside it from the start.
  static var sidecarSuffixes: [String] {
    TraceStream.spooled.compactMap { $0.spoolSuffix } + [journalSuffix]
  }

  /// Renames a trace and what is beside it. 0 or the errno of the trace's own renaming.
  func setAside(_ suffix: String) -> CInt {
    for sidecar in Self.sidecarSuffixes + [Self.metadataSuffix] {
      rename(name(suffix: sidecar), to: name(suffix: suffix + sidecar))
    }
    return rename(name, to: name(suffix: suffix))
  }

  /// The opposite of `setAside`.
  func putBack(_ suffix: String) {
    for sidecar in Self.sidecarSuffixes + [Self.metadataSuffix] {
      rename(name(suffix: suffix + sidecar), to: name(suffix: sidecar))
    }
    rename(name(suffix: suffix), to: name)
  }
}
