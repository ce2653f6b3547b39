internal import Glibc

/// What the code under test is held against: simple readings of the same bytes, by libc where it has one.
enum Reference {
  /// The number at the start of a text and what follows it; nil where `strtoll` finds none.
  static func number(_ text: ArraySlice<UInt8>) -> (value: Int64, rest: ArraySlice<UInt8>)? {
    let terminated = text.map { CChar(bitPattern: $0) } + [0]
    return terminated.withUnsafeBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return nil }
      var end: UnsafeMutablePointer<CChar>?
      let value = Int64(strtoll(base, &end, 10))
      guard let end, end != base else { return nil }
      return (value, text.dropFirst(UnsafePointer(end) - base))
    }
  }

  static func value(_ text: [UInt8]) -> Int64? { number(text[...])?.value }

  static func lines(_ text: [UInt8]) -> [ArraySlice<UInt8>] {
    text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
  }

  /// Little-endian.
  static func integer(_ bytes: some RandomAccessCollection<UInt8>) -> UInt64 {
    bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  /// zlib's `crc32`, a bit at a time.
  static func crc32(_ bytes: some Sequence<UInt8>) -> UInt32 {
    var remainder = ~UInt32(0)
    for byte in bytes {
      remainder ^= UInt32(byte)
      for _ in 0..<8 {
        remainder = remainder & 1 == 0 ? remainder >> 1 : remainder >> 1 ^ 0xEDB8_8320
      }
    }
    return ~remainder
  }
}

/// What a `Node` should answer that reads one file.
struct NodeModel {
  var content: [UInt8]
  /// Refuses `pread`, or was found empty: opened for each read from then on, past the fake kernel.
  private var isReadAfresh = false
  /// Why there is no descriptor any more, or never was one; 0 where there is one.
  private(set) var gone: CInt = 0

  init(_ content: [UInt8]?) {
    self.content = content ?? []
    if content == nil { gone = ENOENT }
  }

  /// The bytes, or the errno.
  mutating func read(_ limit: Int) -> (bytes: [UInt8], errno: CInt) {
    if gone != 0 { return ([], gone) }
    let bytes = Array(content.prefix(limit))
    var failure = isReadAfresh ? 0 : FakeKernel.failure(bytes)
    if failure == ESPIPE || bytes.isEmpty {
      isReadAfresh = true
      failure = 0
    }
    if failure == ENODEV || failure == ENOENT || failure == ENXIO { gone = failure }
    if failure == 0 && bytes.isEmpty { failure = EBADMSG }
    return failure == 0 ? (bytes, 0) : ([], failure)
  }

  mutating func integer() -> (value: Int64, errno: CInt) {
    let (bytes, errno) = read(64)
    if errno != 0 { return (0, errno) }
    guard let value = Reference.value(bytes) else { return (0, EBADMSG) }
    return (value, 0)
  }
}
