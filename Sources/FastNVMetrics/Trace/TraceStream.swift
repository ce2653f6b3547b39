/// The kinds of records of a trace, in the order in which they stand in a complete file; the last is a chunk there.
enum TraceStream: Int {
  case fast, medium, slow, syncPoints, phaseEvents

  static let count = 5

  var recordSize: Int {
    switch self {
    case .fast: return TraceFormat.Fast.size
    case .medium: return TraceFormat.Medium.size
    case .slow: return TraceFormat.Slow.size
    case .syncPoints: return TraceFormat.SyncPoint.size
    case .phaseEvents: return PhaseEvent.size
    }
  }

  /// What is put behind the trace's name for the file that holds the stream while recording; the
  /// fast stream, by far the largest, is written into the trace itself, where it stays.
  var spoolSuffix: String? {
    switch self {
    case .fast: return nil
    case .medium: return ".fnvm-medium"
    case .slow: return ".fnvm-slow"
    case .syncPoints: return ".fnvm-sync"
    case .phaseEvents: return ".fnvm-phases"
    }
  }

  /// Where the stream begins in its file.
  var startOffset: Int64 { self == .fast ? Int64(TraceFormat.headerSize) : 0 }

  /// The streams that spool beside the trace.
  static var spooled: [TraceStream] { [.medium, .slow, .syncPoints, .phaseEvents] }
}
