internal import CFastNVMetricsShims

/// One entry of the journal: the checksum of a block of records that was written to a stream.
///
/// The journal lies beside an unfinished trace and vouches for what is in it: after a power cut the
/// files can be longer than their data, or have holes, and only checksums tell.
struct JournalEntry: Equatable {
  var stream: TraceStream
  /// How many records the block has.
  var count: UInt32
  /// The number of its first record.
  var first: UInt64
  /// CRC-32 of the block.
  var checksum: UInt32

  static var size: Int { 32 }

  private enum At {
    static var stream: Int { 0 }
    static var count: Int { 4 }
    static var first: Int { 8 }
    static var checksum: Int { 16 }
    /// Twelve bytes before the entry's own checksum: 8 of them zero.
    static var ownChecksum: Int { 28 }
  }

  init(stream: TraceStream, count: UInt32, first: UInt64, checksum: UInt32) {
    self.stream = stream
    self.count = count
    self.first = first
    self.checksum = checksum
  }

  /// - Parameter raw: at least `size` bytes.
  func encode(to raw: UnsafeMutableRawBufferPointer, _ sum: borrowing Checksum) {
    raw.storeBytes(of: 0, toByteOffset: At.checksum + 4, as: UInt64.self)
    raw.storeBytes(
      of: UInt32(stream.rawValue).littleEndian, toByteOffset: At.stream, as: UInt32.self)
    raw.storeBytes(of: count.littleEndian, toByteOffset: At.count, as: UInt32.self)
    raw.storeBytes(of: first.littleEndian, toByteOffset: At.first, as: UInt64.self)
    raw.storeBytes(of: checksum.littleEndian, toByteOffset: At.checksum, as: UInt32.self)
    let own = sum.of(UnsafeRawBufferPointer(rebasing: raw[..<At.ownChecksum]))
    raw.storeBytes(of: own.littleEndian, toByteOffset: At.ownChecksum, as: UInt32.self)
  }

  /// - Parameter raw: at least `size` bytes.
  /// - Returns: nil where the bytes are none that were written as an entry.
  init?(decoding raw: UnsafeRawBufferPointer, _ sum: borrowing Checksum) {
    func u32(_ offset: Int) -> UInt32 {
      UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }
    guard raw.count >= Self.size,
      u32(At.ownChecksum) == sum.of(UnsafeRawBufferPointer(rebasing: raw[..<At.ownChecksum])),
      let stream = TraceStream(rawValue: Int(u32(At.stream)))
    else { return nil }
    self.stream = stream
    count = u32(At.count)
    first = UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: At.first, as: UInt64.self))
    checksum = u32(At.checksum)
  }
}

/// The journal of a trace that is being recorded: entries are appended, each after its block.
///
/// Thread-safe: callers whose marks overflow write sync points beside the spool's thread.
final class TraceJournal: @unchecked Sendable {
  // `end` is guarded by `gate`; the rest is constant.
  private let gate = ControlMutex()
  private let descriptor: OwnedDescriptor
  private let sum = Checksum()
  private var end: Int64 = 0

  init(_ descriptor: consuming OwnedDescriptor) { self.descriptor = descriptor }

  /// The open file, for `fdatasync` and to be told from another one of its name.
  var rawDescriptor: CInt { descriptor.rawValue }

  /// Vouches for a block that is in its file.
  ///
  /// - Returns: 0 or an errno; the next call then overwrites what was written of the entry.
  func vouch(
    for bytes: UnsafeRawBufferPointer, of stream: TraceStream, first: UInt64, count: Int
  ) -> CInt {
    let entry = JournalEntry(
      stream: stream, count: UInt32(clamping: count), first: first, checksum: sum.of(bytes))
    return gate.locked {
      withUnsafeTemporaryAllocation(byteCount: JournalEntry.size, alignment: 8) { raw in
        entry.encode(to: raw, sum)
        var done = 0
        let error = fnvm_sys_pwrite_all(
          descriptor.rawValue, raw.baseAddress, JournalEntry.size, end, &done)
        if error == 0 { end += Int64(JournalEntry.size) }
        return -error
      }
    }
  }
}
