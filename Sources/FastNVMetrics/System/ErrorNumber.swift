internal import CFastNVMetricsShims

/// The errno values that the engine tells apart.
enum ErrorNumber {
  static var again: CInt { EAGAIN }
  static var busy: CInt { EBUSY }
  static var io: CInt { EIO }
  static var invalid: CInt { EINVAL }
  static var isDirectory: CInt { EISDIR }
  static var noEntry: CInt { ENOENT }
  static var noData: CInt { ENODATA }
  static var noDevice: CInt { ENODEV }
  static var noDeviceOrAddress: CInt { ENXIO }
  static var noMemory: CInt { ENOMEM }
  static var illegalSeek: CInt { ESPIPE }
  static var remoteIO: CInt { EREMOTEIO }
  static var timedOut: CInt { ETIMEDOUT }
  static var tooManyLinks: CInt { ELOOP }
  static var exists: CInt { EEXIST }
}
