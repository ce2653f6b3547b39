/// The sync points that callers mark and the spool has not written yet.
///
/// Marks come from any thread at any rate. Two buffers change places, so that a slow disk delays
/// nobody until both are full.
final class SyncLog: @unchecked Sendable {
  // `marks` and `count` are guarded by `gate`, `writing` and `writingCount` by `writer`.
  private let gate = ControlMutex()
  private let writer = ControlMutex()
  private var marks: UnsafeMutableRawPointer
  private var count = 0
  private var writing: UnsafeMutableRawPointer
  private var writingCount = 0
  private var lastID: UInt64 = 0

  private static let capacity = 4096

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

  /// Adds a mark.
  ///
  /// - Parameters:
  ///   - index: asked for while no other mark is made, so that marks are in order.
  ///   - files: where marks go when the buffer is full; this call then waits for the disk.
  /// - Returns: the mark's id, or 0 and the errno where the disk did not take the marks before it.
  func mark(index: () -> UInt64, overflowTo files: TraceFiles) -> (id: UInt64, errno: CInt) {
    while true {
      let id: UInt64 = gate.locked {
        if count == Self.capacity { return 0 }
        lastID += 1
        let mark = marks + count * TraceFormat.SyncPoint.size
        mark.storeBytes(of: lastID.littleEndian, as: UInt64.self)
        mark.storeBytes(
          of: index().littleEndian, toByteOffset: TraceFormat.SyncPoint.fastSampleIndex,
          as: UInt64.self)
        count += 1
        return lastID
      }
      if id != 0 { return (id, 0) }
      let error = flush(to: files)
      if error != 0 { return (0, error) }
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
          }
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
