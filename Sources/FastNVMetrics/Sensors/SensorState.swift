internal import CFastNVMetricsShims

/// A setting that was changed.
struct SensorChange: Equatable {
  /// The chip's directory inside the root.
  var chip: SystemPath
  var setting: SensorSetting
  /// What was there.
  var original: Int64
  /// What the chip made of what was written; nil where that was not found out: it was about to be written.
  var made: Int64?

  /// "path TAB original TAB made", or "-" for what was not found out.
  var line: [UInt8] {
    let values = joined("\t", decimal(original), "\t", made.map { decimal($0) } ?? "-", "\n")
    return chip.appending(setting.nodeName).bytes + Array(values.utf8)
  }

  init(chip: SystemPath, setting: SensorSetting, original: Int64, made: Int64? = nil) {
    self.chip = chip
    self.setting = setting
    self.original = original
    self.made = made
  }

  /// - Returns: nil where the line is none of ours.
  init?(line: ArraySlice<UInt8>) {
    let fields = line.split(separator: UInt8(ascii: "\t"), omittingEmptySubsequences: false)
    guard fields.count == 3, let original = Self.number(fields[1]) else { return nil }
    let path = SystemPath(bytes: Array(fields[0]))
    guard
      let setting = SensorSetting.allCases.first(where: {
        Array($0.nodeName.utf8) == path.lastComponent
      })
    else { return nil }
    self.init(
      chip: path.parent, setting: setting, original: original, made: Self.number(fields[2]))
    if made == nil && Array(fields[2]) != [UInt8(ascii: "-")] { return nil }
  }

  /// Digits and nothing else: it is written into a node.
  private static func number(_ field: ArraySlice<UInt8>) -> Int64? {
    guard !field.isEmpty, field.count <= 9 else { return nil }
    var value: Int64 = 0
    for byte in field {
      guard byte >= 0x30, byte <= 0x39 else { return nil }
      value = value * 10 + Int64(byte - 0x30)
    }
    return value
  }

  /// The changes that a state file tells of, in the order in which they are to be put back. A later line about
  /// a setting takes the place of an earlier one; one that is cut counts for nothing.
  static func parse(_ bytes: [UInt8]) -> [SensorChange] {
    let newline = UInt8(ascii: "\n")
    guard let end = bytes.lastIndex(of: newline) else { return [] }
    var changes: [SensorChange] = []
    for line in bytes[..<end].split(separator: newline) {
      guard let change = SensorChange(line: line) else { continue }
      if let known = changes.firstIndex(where: {
        $0.chip == change.chip && $0.setting == change.setting
      }) {
        changes[known] = change
      } else {
        changes.append(change)
      }
    }
    return changes
  }
}

extension SensorChange {
  /// Writes what was there into a chip.
  ///
  /// - Parameters:
  ///   - changes: of one chip.
  ///   - write: gives 0 or an errno.
  /// - Returns: what could not be written and why; nil: all could.
  @inline(never)
  static func writeOriginals(
    _ changes: [SensorChange], read: (SensorSetting) -> Int64?,
    write: (Int64, SensorSetting) -> CInt
  ) -> (setting: SensorSetting, errno: CInt)? {
    for setting in SensorSetting.allCases {
      guard let change = changes.first(where: { $0.setting == setting }) else { continue }
      let errno = write(change.original, setting)
      if errno != 0 { return (setting, errno) }
    }
    // To the kernel's driver an interval is that of all samples where it is written, and of one where it is read.
    guard let interval = changes.first(where: { $0.setting == .updateInterval }),
      read(.updateInterval) != interval.original, let samples = read(.samples), samples > 1
    else { return nil }
    let (ofAll, isHuge) = interval.original.multipliedReportingOverflow(by: samples)
    let errno = isHuge ? 0 : write(ofAll, .updateInterval)
    return errno == 0 ? nil : (.updateInterval, errno)
  }
}

/// What one recorder has set, on a file that outlives it where it crashes. The file is locked for as long as
/// the recorder lives: that is how others tell.
final class SensorStateFile {
  private let descriptor: OwnedDescriptor
  private let directory: SensorStateDirectory
  private let name: SystemPath
  private var size: Int64 = 0

  fileprivate init(
    _ descriptor: consuming OwnedDescriptor, _ name: SystemPath, in directory: SensorStateDirectory
  ) {
    self.descriptor = descriptor
    self.name = name
    self.directory = directory
    size = self.descriptor.status?.size ?? 0
    // A child that keeps the open file keeps its lock, also when this process is gone.
    fnvm_sys_close_in_children(self.descriptor.rawValue, true)
  }

  deinit {
    fnvm_sys_close_in_children(descriptor.rawValue, false)
    fnvm_sys_unlock(descriptor.rawValue)
  }

  /// Adds what happens next, and waits until it is there to stay. 0 or an errno.
  @inline(never)
  func append(_ changes: [SensorChange]) -> CInt {
    var bytes: [UInt8] = []
    for change in changes { bytes += change.line }
    var done = 0
    let error = bytes.withUnsafeBytes {
      fnvm_sys_pwrite_all(descriptor.rawValue, $0.baseAddress, $0.count, size, &done)
    }
    if error != 0 {
      _ = fnvm_sys_ftruncate(descriptor.rawValue, size)
      return -error
    }
    size += Int64(done)
    return -fnvm_sys_fdatasync(descriptor.rawValue)
  }

  func remove() {
    var mine = fnvm_sys_stat()
    var there = fnvm_sys_stat()
    let place = directory.descriptor.rawValue
    guard fnvm_sys_fstat(descriptor.rawValue, &mine) == 0,
      name.withCString({ fnvm_sys_lstatat(place, $0, &there) }) == 0,
      mine.inode == there.inode, mine.device == there.device
    else { return }
    _ = name.withCString { fnvm_sys_unlinkat(place, $0) }
  }
}

/// ROOT/run/fastnvmetrics: a reboot clears it, and the chips' settings alike.
final class SensorStateDirectory {
  fileprivate let descriptor: OwnedDescriptor
  let path: SystemPath

  private init(_ descriptor: consuming OwnedDescriptor, _ path: SystemPath) {
    self.descriptor = descriptor
    self.path = path
  }

  private static func place(_ root: Root) -> SystemPath {
    (root.resolve("/run")?.path ?? root.path("/run")).appending("fastnvmetrics")
  }

  /// nil where there is none.
  static func existing(root: Root) -> SensorStateDirectory? {
    do throws(FNVMError) {
      return try open(place(root))
    } catch {
      return nil
    }
  }

  static func created(root: Root) throws(FNVMError) -> SensorStateDirectory {
    let path = place(root)
    for directory in [path.parent, path] {
      let error = directory.withCString { fnvm_sys_mkdir($0, 0o755) }
      if error != 0 && error != -ErrorNumber.exists { throw .io(-error, "create", directory) }
    }
    return try open(path)
  }

  private static func open(_ path: SystemPath) throws(FNVMError) -> SensorStateDirectory {
    SensorStateDirectory(
      try OwnedDescriptor(
        opening: path, flags: OpenFlag.directory | OpenFlag.noFollow, purpose: "open"), path)
  }

  /// Calls `body` while nobody else looks at or changes state files and sensors, or after two seconds of
  /// waiting for that. Whoever may not lock may not change anything either.
  ///
  /// - Parameter isLocked: whether the wait had an end.
  @inline(never)
  func locked<Result, Failure: Error>(
    _ body: (_ isLocked: Bool) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let name = SystemPath("lock")
    let fd = name.withCString {
      fnvm_sys_openat(
        descriptor.rawValue, $0, OpenFlag.write | OpenFlag.create | OpenFlag.noFollow, 0o600)
    }
    if fd < 0 { return try body(true) }
    let file = OwnedDescriptor(owning: fd)
    let pause = FutexWord(0)
    for _ in 0..<200 {
      if fnvm_sys_try_lock(file.rawValue) == 0 {
        defer { fnvm_sys_unlock(file.rawValue) }
        return try body(true)
      }
      _ = pause.reference.wait(while: 0, until: Clock.monotonic() &+ 10_000_000)
    }
    return try body(false)
  }

  /// A new, empty, locked state file.
  func createFile() throws(FNVMError) -> SensorStateFile {
    var error: CInt = 0
    for attempt in 0..<256 {
      // Process ids of different containers can be the same.
      let name = SystemPath(
        joined(Self.prefix, decimal(Int64(fnvm_sys_pid())), "-", decimal(Int64(attempt))))
      let fd = name.withCString {
        fnvm_sys_openat(
          descriptor.rawValue, $0,
          OpenFlag.write | OpenFlag.create | OpenFlag.exclusive | OpenFlag.noFollow, 0o600)
      }
      error = -fd
      if error == ErrorNumber.exists { continue }
      if fd < 0 { break }
      _ = fnvm_sys_try_lock(fd)
      _ = fnvm_sys_fdatasync(descriptor.rawValue)
      return SensorStateFile(OwnedDescriptor(owning: fd), name, in: self)
    }
    throw .io(error, "keep the settings of the power sensors in", path)
  }

  /// What lies in the directory. Only while it is locked.
  enum Found {
    /// Of a recorder that is running.
    case running([SensorChange])
    /// Of one that crashed; locked by this process now.
    case crashed(SensorStateFile, [SensorChange])
    /// Not for this process to read.
    case closed(SystemPath, errno: CInt)
  }

  @inline(never)
  func files() -> [Found] {
    var found: [Found] = []
    for bytes in Directory.names(in: path) where bytes.starts(with: Array(Self.prefix.utf8)) {
      let name = SystemPath(bytes: bytes)
      let fd = name.withCString {
        fnvm_sys_openat(
          descriptor.rawValue, $0, OpenFlag.write | OpenFlag.noFollow | OpenFlag.nonBlocking, 0)
      }
      if fd == -ErrorNumber.noEntry { continue }
      if fd < 0 {
        found.append(.closed(path.appending(bytes: bytes), errno: -fd))
        continue
      }
      let file = OwnedDescriptor(owning: fd)
      // What root does is not for others to say.
      guard let status = file.status, status.is_regular, status.links == 1,
        status.owner == fnvm_sys_effective_user()
      else {
        found.append(.closed(path.appending(bytes: bytes), errno: ErrorNumber.notPermitted))
        continue
      }
      let changes = Self.changes(in: file.rawValue, size: status.size)
      if fnvm_sys_try_lock(fd) != 0 {
        found.append(.running(changes))
      } else {
        found.append(.crashed(SensorStateFile(file, name, in: self), changes))
      }
    }
    return found
  }

  private static func changes(in file: CInt, size: Int64) -> [SensorChange] {
    // A recorder has few chips with two settings each.
    var bytes = [UInt8](repeating: 0, count: Int(min(max(size, 0), 64 * 1024)))
    let count = bytes.withUnsafeMutableBytes {
      fnvm_sys_pread(file, $0.baseAddress, $0.count, 0)
    }
    return count > 0 ? SensorChange.parse(Array(bytes[..<Int(count)])) : []
  }

  private static var prefix: String { "sensors-" }
}
