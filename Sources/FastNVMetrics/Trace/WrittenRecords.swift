internal import CFastNVMetricsShims

/// How many records of each stream of an unfinished trace are good: those that the recorder wrote and the disk
/// kept.
struct WrittenRecords: ~Copyable {
  private let sum = Checksum()
  private let buffer: UnsafeMutableRawBufferPointer
  private let path: SystemPath

  /// - Parameter path: of the trace, for messages.
  init(_ path: SystemPath) {
    self.path = path
    buffer = .allocate(byteCount: 1 << 20, alignment: 16)
  }

  deinit { buffer.deallocate() }

  /// Counts the records that the journal vouches for, from the first one on without a gap.
  ///
  /// - Parameters:
  ///   - journal: an open journal.
  ///   - descriptors: the file of each stream, −1 where there is none.
  /// - Throws: `.io` where a file cannot be read: that is no reason to take its records for lost.
  func vouched(by journal: CInt, in descriptors: [CInt]) throws(FNVMError) -> [UInt64] {
    var good = [UInt64](repeating: 0, count: TraceStream.count)
    var isOpen = [Bool](repeating: true, count: TraceStream.count)
    var entries = [UInt8](repeating: 0, count: 1024 * JournalEntry.size)
    var offset: Int64 = 0
    while true {
      let count = entries.withUnsafeMutableBytes {
        fnvm_sys_pread(journal, $0.baseAddress, $0.count, offset)
      }
      let whole = try checked(count) / JournalEntry.size
      if whole == 0 { return good }
      for i in 0..<whole {
        let entry = entries.withUnsafeBytes {
          JournalEntry(
            decoding: UnsafeRawBufferPointer(rebasing: $0[(i * JournalEntry.size)...]), sum)
        }
        // What follows a torn entry was written later than what was lost.
        guard let entry else { return good }
        let index = entry.stream.rawValue
        if !isOpen[index] { continue }
        if entry.first == good[index], try isIntact(entry, descriptors[index]) {
          good[index] += UInt64(entry.count)
        } else {
          isOpen[index] = false
        }
      }
      offset += Int64(whole * JournalEntry.size)
    }
  }

  private func checked(_ count: Int) throws(FNVMError) -> Int {
    if count < 0 { throw .io(CInt(truncatingIfNeeded: -count), "recover the trace", path) }
    return count
  }

  private func isIntact(
    _ entry: JournalEntry, _ descriptor: CInt
  ) throws(FNVMError) -> Bool {
    if descriptor < 0 { return false }
    let size = UInt64(entry.stream.recordSize)
    let (start, isFar) = entry.first.multipliedReportingOverflow(by: size)
    guard !isFar, start < UInt64(Int64.max) / 2 else { return false }
    var offset = Int64(start) + entry.stream.startOffset
    var left = UInt64(entry.count) * size
    var checksum: UInt32 = 0
    while left > 0 {
      let count = fnvm_sys_pread(
        descriptor, buffer.baseAddress, Int(min(left, UInt64(buffer.count))), offset)
      if try checked(count) == 0 { return false }
      checksum = sum.of(UnsafeRawBufferPointer(rebasing: buffer[..<Int(count)]), after: checksum)
      offset += Int64(count)
      left -= UInt64(count)
    }
    return checksum == entry.checksum
  }

  /// Counts records without a journal: up to the first that cannot be one.
  ///
  /// The times of samples are above 0 and grow, and so do the ids of sync points; the times of what happened to phases
  /// do not go back. What was never written reads as zeros. The record before that is left out too: a hole can begin inside it.
  ///
  /// - Throws: `.io`.
  func plausible(
    in descriptor: CInt, _ stream: TraceStream, atMost limit: UInt64
  ) throws(FNVMError) -> UInt64 {
    let perRound = UInt64(buffer.count / stream.recordSize)
    var good: UInt64 = 0
    var last: Double = 0
    var lastID: UInt64 = 0
    while good < limit {
      let wanted = Int(min(limit - good, perRound)) * stream.recordSize
      let offset = stream.startOffset + Int64(good) * Int64(stream.recordSize)
      let count = fnvm_sys_pread(descriptor, buffer.baseAddress, wanted, offset)
      let records = try checked(count) / stream.recordSize
      if records == 0 { return good }
      for i in 0..<records {
        let bits = UInt64(
          littleEndian: buffer.loadUnaligned(
            fromByteOffset: i * stream.recordSize, as: UInt64.self))
        switch stream {
        case .syncPoints:
          if bits <= lastID { return max(good, 1) - 1 }
          lastID = bits
        case .phaseEvents:
          let record = UnsafeRawBufferPointer(rebasing: buffer[(i * stream.recordSize)...])
          guard PhaseEvent(decoding: record) != nil, bits >= lastID else {
            return max(good, 1) - 1
          }
          lastID = bits
        default:
          let time = Double(bitPattern: bits)
          if !(time.isFinite && time > last) { return max(good, 1) - 1 }
          last = time
        }
        good += 1
      }
    }
    return good
  }
}
