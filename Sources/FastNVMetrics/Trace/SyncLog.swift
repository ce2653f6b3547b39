/// The sync points that callers mark and the spool has not written yet.
///
/// Marks come from any thread at any rate. Two buffers change places, so that a slow disk delays
/// nobody until both are full; then a mark waits for a moment, and is refused when that did not help.
final class SyncLog: @unchecked Sendable {
  // `marks`, `count`, `lastID` and `isStalled` are guarded by `gate`, `writing` and `writingCount` by `writer`.
  private let gate = ControlMutex()
  private let writer = ControlMutex()
  private var marks: UnsafeMutableRawPointer
  private var count = 0
  private var writing: UnsafeMutableRawPointer
  private var writingCount = 0
  private var lastID: UInt64 = 0
  /// A mark waited in vain, and nothing was written since.
  private var isStalled = false
  /// Counts the times that room was made.
  private let roomWord = FutexWord(0)

  private static let capacity = 8192
  /// How long a mark waits for room.
  private static let patience: UInt64 = 100_000_000

  init() {
    let size = Self.capacity * TraceFormat.SyncPoint.size
    marks = .allocate(byteCount: size, alignment: 16)
    writing = .allocate(byteCount: size, alignment: 16)
  }

  deinit {
    marks.deallocate()
    writing.deallocate()
  }

  /// Marks made so far.
  var total: UInt64 { gate.locked { lastID } }

  /// Whether marks wait to be written.
  var isEmpty: Bool { writer.locked { writingCount == 0 && gate.locked { count == 0 } } }

  /// Adds a mark.
  ///
  /// - Parameters:
  ///   - index: asked for while no other mark is made, so that marks are in order.
  ///   - spool: asked to make room when there is none.
  /// - Returns: the mark's id; 0 where the disk takes no marks.
  func mark(index: () -> UInt64, spool: SpoolRequest) -> UInt64 {
    let deadline = Clock.monotonic() &+ Self.patience
    while true {
      let room = roomWord.reference.value
      var isHopeless = false
      let id: UInt64 = gate.locked {
        if count == Self.capacity {
          isHopeless = isStalled
          return 0
        }
        lastID += 1
        let mark = marks + count * TraceFormat.SyncPoint.size
        mark.storeBytes(of: lastID.littleEndian, as: UInt64.self)
        mark.storeBytes(
          of: index().littleEndian, toByteOffset: TraceFormat.SyncPoint.fastSampleIndex,
          as: UInt64.self)
        count += 1
        return lastID
      }
      if id != 0 || isHopeless { return id }
      spool.post()
      if !roomWord.reference.wait(while: room, until: deadline) {
        gate.locked { isStalled = true }
        return 0
      }
    }
  }

  /// Writes what was marked.
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
        let size = TraceFormat.SyncPoint.size
        let (records, error) = files.append(
          UnsafeRawBufferPointer(start: writing, count: writingCount * size), to: .syncPoints)
        writingCount -= records
        if writingCount > 0 {
          writing.copyMemory(from: writing + records * size, byteCount: writingCount * size)
        }
        if error != 0 { return error }
      }
    }
  }
}
