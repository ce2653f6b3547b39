/// A chunk of a trace: what a feature has to say beyond samples and sync points. docs/trace-format.md lists
/// the types.
public struct TraceChunk: Equatable, Sendable {
  /// Four ASCII characters, such as "META".
  public var type: String
  /// What it says.
  public var payload: [UInt8]

  /// A chunk with this content.
  init(type: String, payload: [UInt8]) {
    self.type = type
    self.payload = payload
  }

  /// Type, length of the payload, its CRC-32.
  static var prefixSize: Int { 16 }

  /// The bytes of the file for a sequence of chunks.
  static func encoded(_ chunks: [TraceChunk]) -> [UInt8] {
    let sum = Checksum()
    var bytes: [UInt8] = []
    for chunk in chunks {
      let checksum = chunk.payload.withUnsafeBytes { sum.of($0) }
      bytes += prefix(type: chunk.type, byteCount: chunk.payload.count, checksum: checksum)
      bytes += chunk.payload
    }
    return bytes
  }

  /// What stands before a payload.
  static func prefix(type: String, byteCount: Int, checksum: UInt32) -> [UInt8] {
    var bytes = Array(type.utf8.prefix(4))
    while bytes.count < 4 { bytes.append(UInt8(ascii: " ")) }
    withUnsafeBytes(of: UInt64(byteCount).littleEndian) { bytes += $0 }
    withUnsafeBytes(of: checksum.littleEndian) { bytes += $0 }
    return bytes
  }
}

/// Where the chunks of a trace are, found by walking over them once; payloads are checked when they are asked
/// for.
struct TraceChunkTable: Sendable {
  /// Nothing is read before it is known to be inside the file.
  private(set) var entries: [Entry] = []

  struct Entry {
    /// Four characters, the first in the lowest byte: an array would cost more memory than a short chunk
    /// has bytes.
    var type: UInt32
    var payload: Range<Int>
    var checksum: UInt32
    /// What is wrong with it where no chunk begins here, or none that ends in the file; what follows cannot
    /// be found.
    var damage: Damage?

    var typeBytes: [UInt8] { withUnsafeBytes(of: type.littleEndian) { Array($0) } }
  }

  enum Damage {
    case isCut
    case hasNoType
  }

  /// - Parameters:
  ///   - bytes: the whole file.
  ///   - start: where the chunks begin; 0: there are none.
  init(_ bytes: UnsafeRawBufferPointer, from start: UInt64) {
    if start == 0 { return }
    var at = Int(clamping: start)
    while at < bytes.count {
      guard bytes.count - at >= TraceChunk.prefixSize else {
        entries.append(Entry(type: 0, payload: at..<at, checksum: 0, damage: .isCut))
        return
      }
      // Else zeros would be empty chunks, and a file can have more of them than there is memory.
      guard bytes[at..<(at + 4)].allSatisfy({ (0x20...0x7E).contains($0) }) else {
        entries.append(Entry(type: 0, payload: at..<at, checksum: 0, damage: .hasNoType))
        return
      }
      let type = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self))
      let length = UInt64(
        littleEndian: bytes.loadUnaligned(fromByteOffset: at + 4, as: UInt64.self))
      let checksum = UInt32(
        littleEndian: bytes.loadUnaligned(fromByteOffset: at + 12, as: UInt32.self))
      at += TraceChunk.prefixSize
      guard length <= UInt64(bytes.count - at) else {
        entries.append(Entry(type: type, payload: at..<at, checksum: 0, damage: .isCut))
        return
      }
      let end = at + Int(length)
      entries.append(Entry(type: type, payload: at..<end, checksum: checksum, damage: nil))
      at = end
    }
  }
}
