internal import CFastNVMetricsShims

/// An open file descriptor, closed when the value is destroyed.
///
/// Not thread-safe: one owner, one thread at a time.
struct OwnedDescriptor: ~Copyable {
  let rawValue: CInt

  init(owning rawValue: CInt) { self.rawValue = rawValue }

  /// - Parameter purpose: what the file is opened for, as it completes "cannot …".
  init(
    opening name: SystemPath, in directory: CInt? = nil, flags: CInt, mode: UInt32 = 0o666,
    purpose: String, shownAs shown: SystemPath? = nil
  ) throws(FNVMError) {
    let fd = name.withCString {
      fnvm_sys_openat(directory ?? fnvm_sys_working_directory(), $0, flags, mode)
    }
    guard fd >= 0 else { throw .io(-fd, purpose, shown ?? name) }
    rawValue = fd
  }

  deinit { fnvm_sys_close(rawValue) }

  var status: fnvm_sys_stat? {
    var status = fnvm_sys_stat()
    return fnvm_sys_fstat(rawValue, &status) == 0 ? status : nil
  }
}

/// How a file is opened, beyond for reading.
enum OpenFlag {
  static var write: CInt { CInt(FNVM_SYS_WRITE) }
  static var create: CInt { CInt(FNVM_SYS_CREATE) }
  /// Fails where the file exists.
  static var exclusive: CInt { CInt(FNVM_SYS_EXCLUSIVE) }
  static var directory: CInt { CInt(FNVM_SYS_DIRECTORY) }
  /// Opening a FIFO does not hang.
  static var nonBlocking: CInt { CInt(FNVM_SYS_NONBLOCK) }
  static var noFollow: CInt { CInt(FNVM_SYS_NOFOLLOW) }
}
