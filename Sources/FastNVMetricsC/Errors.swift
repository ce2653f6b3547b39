internal import CFastNVMetricsShims
public import CFastNVMetrics
internal import FastNVMetrics

/// Keeps a failure for `fnvm_last_error_…` on this thread.
///
/// - Returns: the status to return.
func report(_ error: FNVMError) -> fnvm_status {
  let message = Array(error.message.utf8)
  error.path.bytes.withUnsafeBytes { path in
    message.withUnsafeBytes { message in
      // An empty array has no address, and memcpy wants one.
      fnvm_sys_set_last_error(
        error.errno, path.baseAddress ?? nothing, path.count, message.baseAddress ?? nothing,
        message.count)
    }
  }
  return error.code.rawValue
}

private var nothing: UnsafeRawPointer { UnsafeRawPointer(staticText("")) }

/// Keeps a misuse of the ABI itself.
func invalid(_ message: String) -> fnvm_status {
  report(FNVMError(code: .invalid, message: message))
}

/// Whether a struct that the caller made, which begins with its size, has room for what is put into it.
func hasRoom<Struct>(_ out: UnsafeMutablePointer<Struct>) -> Bool {
  UnsafeRawPointer(out).loadUnaligned(as: UInt32.self) >= MemoryLayout<Struct>.size
}

func tooSmall(_ function: String) -> fnvm_status {
  invalid(joined(function, ": struct_size is smaller than its first version"))
}

/// Calls `body`; a failure becomes the status of the call.
func status(of body: () throws(FNVMError) -> Void) -> fnvm_status {
  do throws(FNVMError) {
    try body()
    return FNVM_OK
  } catch {
    return report(error)
  }
}

@_cdecl("fnvm_last_error_message")
public func lastErrorMessage() -> UnsafePointer<CChar>? { fnvm_sys_last_message() }

@_cdecl("fnvm_last_error_path")
public func lastErrorPath() -> UnsafePointer<CChar>? { fnvm_sys_last_path() }

@_cdecl("fnvm_last_error_errno")
public func lastErrorNumber() -> CInt { fnvm_sys_last_errno() }

@_cdecl("fnvm_status_name")
public func statusName(_ status: fnvm_status) -> UnsafePointer<CChar>? {
  switch status {
  case FNVM_OK: return staticText("FNVM_OK")
  case FNVM_E_INVALID: return staticText("FNVM_E_INVALID")
  case FNVM_E_NO_BOARD: return staticText("FNVM_E_NO_BOARD")
  case FNVM_E_UNKNOWN_BOARD: return staticText("FNVM_E_UNKNOWN_BOARD")
  case FNVM_E_ALREADY_RUNNING: return staticText("FNVM_E_ALREADY_RUNNING")
  case FNVM_E_NOT_RUNNING: return staticText("FNVM_E_NOT_RUNNING")
  case FNVM_E_IO: return staticText("FNVM_E_IO")
  case FNVM_E_NO_MEMORY: return staticText("FNVM_E_NO_MEMORY")
  case FNVM_E_THREAD: return staticText("FNVM_E_THREAD")
  case FNVM_E_FORMAT: return staticText("FNVM_E_FORMAT")
  case FNVM_E_UNFINISHED: return staticText("FNVM_E_UNFINISHED")
  case FNVM_E_TIMEOUT: return staticText("FNVM_E_TIMEOUT")
  case FNVM_E_FORKED: return staticText("FNVM_E_FORKED")
  default: return staticText("FNVM_E_?")
  }
}

private func headerAgreement() {
  let h1 = CFastNVMetrics.fnvm_last_error_message, s1 = lastErrorMessage
  agree(type(of: h1), type(of: s1))
  let h2 = CFastNVMetrics.fnvm_last_error_path, s2 = lastErrorPath
  agree(type(of: h2), type(of: s2))
  let h3 = CFastNVMetrics.fnvm_last_error_errno, s3 = lastErrorNumber
  agree(type(of: h3), type(of: s3))
  let h4 = CFastNVMetrics.fnvm_status_name, s4 = statusName
  agree(type(of: h4), type(of: s4))
}
