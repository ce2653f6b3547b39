/// CRC-32 as zlib's `crc32` computes it, eight bytes at a time.
///
/// Not thread-safe to destroy, free to share: the tables never change.
struct Checksum: ~Copyable, @unchecked Sendable {
  // Written in `init` alone.
  private let tables: UnsafeMutablePointer<UInt32>

  private static var polynomial: UInt32 { 0xEDB8_8320 }

  init() {
    tables = .allocate(capacity: 8 * 256)
    for byte in 0..<256 {
      var remainder = UInt32(byte)
      for _ in 0..<8 {
        remainder = remainder & 1 == 1 ? (remainder >> 1) ^ Self.polynomial : remainder >> 1
      }
      tables[byte] = remainder
    }
    for table in 1..<8 {
      for byte in 0..<256 {
        let before = tables[256 * (table - 1) + byte]
        tables[256 * table + byte] = (before >> 8) ^ tables[Int(before & 0xFF)]
      }
    }
  }

  deinit { tables.deallocate() }

  /// The checksum of what was checksummed so far and these bytes behind it.
  ///
  /// - Parameter before: the checksum so far, 0 at the beginning.
  func of(_ bytes: UnsafeRawBufferPointer, after before: UInt32 = 0) -> UInt32 {
    guard let base = bytes.baseAddress else { return before }
    var checksum = ~before
    var at = 0
    while at &+ 8 <= bytes.count {
      let low =
        UInt32(littleEndian: base.loadUnaligned(fromByteOffset: at, as: UInt32.self)) ^ checksum
      let high = UInt32(littleEndian: base.loadUnaligned(fromByteOffset: at &+ 4, as: UInt32.self))
      checksum =
        entry(7, low) ^ entry(6, low >> 8) ^ entry(5, low >> 16) ^ entry(4, low >> 24)
        ^ entry(3, high) ^ entry(2, high >> 8) ^ entry(1, high >> 16) ^ entry(0, high >> 24)
      at &+= 8
    }
    while at < bytes.count {
      let byte = base.load(fromByteOffset: at, as: UInt8.self)
      checksum = (checksum >> 8) ^ entry(0, checksum ^ UInt32(byte))
      at &+= 1
    }
    return ~checksum
  }

  private func entry(_ table: Int, _ byte: UInt32) -> UInt32 {
    tables[256 &* table &+ Int(byte & 0xFF)]
  }
}
