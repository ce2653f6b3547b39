/// What happened to a phase, or the label of a sync point: one record of the chunk PHAS, and of the spool that
/// becomes it.
struct PhaseEvent: Equatable {
  enum Kind: UInt32 {
    /// A sync point has a label.
    case label = 1
    case begin = 2
    case end = 3
  }

  var kind: Kind
  /// The thread that it happened on.
  var thread: UInt32
  /// Nanoseconds since t = 0.
  var time: UInt64
  /// The first fast sample that begins after it.
  var fastSampleIndex: UInt64
  /// Of the phase, or of the sync point.
  var id: UInt64
  /// Of a beginning: the phase that it is inside of, 0: none.
  var parent: UInt64
  /// UTF-8; of an end, empty.
  var name: [UInt8]

  static var size: Int { 128 }
  static var chunkType: String { "PHAS" }

  private enum At {
    static var time: Int { 0 }
    static var fastSampleIndex: Int { 8 }
    static var kind: Int { 16 }
    static var thread: Int { 20 }
    static var id: Int { 24 }
    static var parent: Int { 32 }
    /// To the end, a NUL after it.
    static var name: Int { 40 }
  }

  /// How many bytes of a name there is room for.
  static var maxNameBytes: Int { size - At.name - 1 }

  /// - Parameter raw: `size` bytes.
  func encode(to raw: UnsafeMutableRawPointer) {
    raw.initializeMemory(as: UInt8.self, repeating: 0, count: Self.size)
    raw.storeBytes(of: time.littleEndian, toByteOffset: At.time, as: UInt64.self)
    raw.storeBytes(
      of: fastSampleIndex.littleEndian, toByteOffset: At.fastSampleIndex, as: UInt64.self)
    raw.storeBytes(of: kind.rawValue.littleEndian, toByteOffset: At.kind, as: UInt32.self)
    raw.storeBytes(of: thread.littleEndian, toByteOffset: At.thread, as: UInt32.self)
    raw.storeBytes(of: id.littleEndian, toByteOffset: At.id, as: UInt64.self)
    raw.storeBytes(of: parent.littleEndian, toByteOffset: At.parent, as: UInt64.self)
    for (i, byte) in name.prefix(Self.maxNameBytes).enumerated() {
      raw.storeBytes(of: byte, toByteOffset: At.name + i, as: UInt8.self)
    }
  }

  /// - Parameter raw: at least `size` bytes.
  /// - Returns: nil where they say of nothing known.
  init?(decoding raw: UnsafeRawBufferPointer) {
    func u32(_ offset: Int) -> UInt32 {
      UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }
    func u64(_ offset: Int) -> UInt64 {
      UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
    guard raw.count >= Self.size, let kind = Kind(rawValue: u32(At.kind)) else { return nil }
    self.kind = kind
    thread = u32(At.thread)
    time = u64(At.time)
    fastSampleIndex = u64(At.fastSampleIndex)
    id = u64(At.id)
    parent = u64(At.parent)
    name = Array(raw[At.name..<(Self.size - 1)].prefix { $0 != 0 })
  }

  init(
    _ kind: Kind, thread: UInt32, time: UInt64, fastSampleIndex: UInt64, id: UInt64,
    parent: UInt64 = 0, name: [UInt8] = []
  ) {
    self.kind = kind
    self.thread = thread
    self.time = time
    self.fastSampleIndex = fastSampleIndex
    self.id = id
    self.parent = parent
    self.name = name
  }
}
