/// A phase that was begun, told from those of other recordings.
struct PhaseMark: Sendable {
  /// CLOCK_MONOTONIC at the recording's t = 0.
  var recordingStart: UInt64
  var id: UInt64
}

/// The phase that the calling task is in. A task has no thread of its own, so threads cannot tell.
enum EnclosingPhase {
  #if hasFeature(Embedded)
    // The library has no tasks.
    static var current: PhaseMark? { nil }
  #else
    @TaskLocal static var current: PhaseMark?
  #endif
}
