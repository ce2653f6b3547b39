internal import CFastNVMetricsShims

/// A failure: what was attempted, on which path, and why.
public struct FNVMError: Error, Sendable, CustomStringConvertible {
  /// The kind of a failure; the raw values are those of `fnvm_status`.
  public enum Code: Int32, Sendable {
    /// An argument is out of range or malformed.
    case invalid = -1
    /// This machine is not a board that is known.
    case noBoard = -2
    /// No board of that name in the catalogue.
    case unknownBoard = -3
    /// The engine is recording already.
    case alreadyRunning = -4
    /// The engine is not recording.
    case notRunning = -5
    /// A file operation failed.
    case io = -6
    /// Memory could not be had.
    case noMemory = -7
    /// A thread could not be created.
    case thread = -8
    /// The file is not a valid trace.
    case format = -9
    /// The trace was not closed; recovery completes it.
    case unfinished = -10
    /// The time given ran out.
    case timeout = -11
    /// Called in a forked child on an engine that its parent started.
    case forked = -12
  }

  /// The kind.
  public var code: Code
  /// The errno of the system call at fault, 0 where there was none.
  public var errno: Int32
  /// The path at fault, empty where there was none.
  public var path: SystemPath
  /// The whole sentence, for people.
  public var message: String

  init(_ code: Code, errno: Int32 = 0, path: SystemPath = SystemPath(), _ message: String) {
    self.code = code
    self.errno = errno
    self.path = path
    self.message = message
  }

  /// A failure that no file is to blame for, as the C ABI finds them in its arguments.
  package init(code: Code, message: String) { self.init(code, message) }

  /// "cannot <purpose> <path>: <errno in words>".
  @inline(never)
  static func io(
    _ errno: Int32, _ purpose: String, _ path: SystemPath, hint: String = ""
  ) -> FNVMError {
    FNVMError(
      .io, errno: errno, path: path,
      joined(
        "cannot ", purpose, " ", path.description, ": ", errorText(errno), hint.isEmpty ? "" : "; ",
        hint))
  }

  /// The whole sentence, for people.
  public var description: String { message }
}

/// errno in words.
@inline(never)
func errorText(_ errno: Int32) -> String { String(cString: fnvm_sys_error_text(errno)) }
