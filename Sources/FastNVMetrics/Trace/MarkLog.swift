/// Records that callers make and the spool has not written yet: sync points, or what happened to phases.
///
/// They come from any thread at any rate. Two buffers change places, so that a slow disk delays
/// nobody until both are full; then a record waits for a moment, and is refused when that did not help.
final class MarkLog: @unchecked Sendable {
  // `marks`, `count`, `total` and `isStalled` are guarded by `gate`, `writing` and `writingCount` by `writer`.
  private let gate = ControlMutex()
  private let writer = ControlMutex()
  private let stream: TraceStream
  private var marks: UnsafeMutableRawPointer
  private var count = 0
  private var writing: UnsafeMutableRawPointer
  private var writingCount = 0
  private var made: UInt64 = 0
  /// A record waited in vain, and nothing was written since.
  private var isStalled = false
  /// Counts the times that room was made.
  private let roomWord = FutexWord(0)

  private static let capacity = 8192
  /// How long a record waits for room.
  private static let patience: UInt64 = 100_000_000

  init(_ stream: TraceStream) {
    self.stream = stream
    let size = Self.capacity * stream.recordSize
    marks = .allocate(byteCount: size, alignment: 16)
    writing = .allocate(byteCount: size, alignment: 16)
  }

  deinit {
    marks.deallocate()
    writing.deallocate()
  }

  /// Records made so far.
  var total: UInt64 { gate.locked { made } }

  /// Whether nothing waits to be written.
  var isEmpty: Bool { writer.locked { writingCount == 0 && gate.locked { count == 0 } } }

  /// Adds a record.
  ///
  /// - Parameters:
  ///   - spool: asked to make room when there is none.
  ///   - fill: given its memory and its number, from 1; called while no other record is made, so that they are in
  ///     order.
  /// - Returns: the record's number; 0 where the disk takes none.
  func append(
    spool: SpoolRequest, _ fill: (UnsafeMutableRawPointer, UInt64) -> Void
  ) -> UInt64 {
    let deadline = Clock.monotonic() &+ Self.patience
    while true {
      let room = roomWord.reference.value
      var isHopeless = false
      let number: UInt64 = gate.locked {
        if count == Self.capacity {
          isHopeless = isStalled
          return 0
        }
        made += 1
        fill(marks + count * stream.recordSize, made)
        count += 1
        return made
      }
      if number != 0 || isHopeless { return number }
      spool.post()
      if !roomWord.reference.wait(while: room, until: deadline) {
        gate.locked { isStalled = true }
        return 0
      }
    }
  }

  /// Writes what was made.
  ///
  /// - Returns: 0 or the errno; what was not written is kept for the next call.
  func flush(to files: TraceFiles) -> CInt {
    writer.locked {
      while true {
        if writingCount == 0 {
          gate.locked {
            swap(&marks, &writing)
            writingCount = count
            count = 0
            isStalled = false
          }
          roomWord.reference.post(roomWord.reference.value &+ 1)
          if writingCount == 0 { return 0 }
        }
        let size = stream.recordSize
        let (records, error) = files.append(
          UnsafeRawBufferPointer(start: writing, count: writingCount * size), to: stream)
        writingCount -= records
        if writingCount > 0 {
          writing.copyMemory(from: writing + records * size, byteCount: writingCount * size)
        }
        if error != 0 { return error }
      }
    }
  }
}
