internal import CFastNVMetricsShims

/// The errno values that the engine tells apart.
enum ErrorNumber {
  static var accessDenied: CInt { EACCES }
  static var again: CInt { EAGAIN }
  static var busy: CInt { EBUSY }
  static var exists: CInt { EEXIST }
  static var io: CInt { EIO }
  static var invalid: CInt { EINVAL }
  static var isDirectory: CInt { EISDIR }
  /// An empty file, or one without a number where one was expected.
  static var malformed: CInt { EBADMSG }
  static var nameTooLong: CInt { ENAMETOOLONG }
  static var stale: CInt { ESTALE }
  static var noEntry: CInt { ENOENT }
  static var noData: CInt { ENODATA }
  static var notDirectory: CInt { ENOTDIR }
  static var notPermitted: CInt { EPERM }
  static var remoteIO: CInt { EREMOTEIO }
  static var timedOut: CInt { ETIMEDOUT }
  static var tooManyLinks: CInt { ELOOP }
}
