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
      fnvm_sys_openat(directory ?? fnvm_sys_cwd_fd(), $0, flags, mode)
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

// Open flags, as C macros do not reach Swift.
let openReadOnly = CInt(FNVM_SYS_RDONLY)
let openReadWrite = CInt(FNVM_SYS_RDWR)
let openCreate = CInt(FNVM_SYS_CREATE)
let openTruncate = CInt(FNVM_SYS_TRUNCATE)
let openDirectory = CInt(FNVM_SYS_DIRECTORY)
let openNonBlocking = CInt(FNVM_SYS_NONBLOCK)
