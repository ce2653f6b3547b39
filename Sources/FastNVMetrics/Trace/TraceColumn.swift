/// One value of each sample of a tier, read from the mapped file as it is asked for: nothing is copied.
///
///     let loads = trace.fastColumns.gpuLoad
///     let mean = loads.isEmpty ? 0 : loads.reduce(0) { $0 + Double($1) } / Double(loads.count)
///
/// Keeps its trace open. Any number of threads may read one.
public struct TraceColumn<Element: TraceValue>: RandomAccessCollection, Sendable {
  private let trace: Trace
  // Inside of the mapping, which lives as long as the trace and is never written.
  nonisolated(unsafe) private let first: UnsafeRawPointer?
  private let stride: Int

  /// How many there are.
  public let endIndex: Int

  /// - Parameters:
  ///   - offset: where the value is in each record of the stream.
  init(_ trace: Trace, _ stream: TraceStream, _ bytes: UnsafeRawBufferPointer, offset: Int) {
    self.trace = trace
    stride = stream.recordSize
    endIndex = bytes.count / stride
    first = bytes.baseAddress.map { $0 + offset }
  }

  /// The first value.
  public var startIndex: Int { 0 }

  /// The value at a position. Traps where there is none, as arrays do.
  public subscript(position: Int) -> Element {
    guard position >= 0, position < endIndex, let first else {
      preconditionFailure("no such sample")
    }
    return Element(decoding: first + position * stride)
  }
}

extension TraceColumn where Element == Double {
  /// The samples of a phase, in a column of times.
  ///
  ///     let cpu = trace.fastColumns.cpuAggregate[trace.fastColumns.timeSeconds.positions(in: phase)]
  ///
  /// - Returns: their positions in each column of the tier.
  public func positions(in phase: Phase) -> Range<Int> {
    positions(from: phase.beginNanoseconds, to: phase.endNanoseconds)
  }

  /// The samples of a stretch of time, in a column of times.
  ///
  /// - Parameters:
  ///   - begin: nanoseconds since t = 0.
  ///   - end: nanoseconds since t = 0; a sample of that moment is not among them.
  /// - Returns: their positions in each column of the tier.
  public func positions(from begin: UInt64, to end: UInt64) -> Range<Int> {
    let first = position(at: begin)
    // Times of a damaged file go anywhere.
    return first..<Swift.max(first, position(at: end))
  }

  /// The first sample of that moment or later.
  private func position(at nanoseconds: UInt64) -> Int {
    let seconds = Double(nanoseconds) / 1e9
    var low = 0
    var high = endIndex
    while low < high {
      let middle = (low + high) / 2
      if self[middle] < seconds { low = middle + 1 } else { high = middle }
    }
    return low
  }
}

/// What a `TraceColumn` holds.
public protocol TraceValue: Sendable {
  /// Decodes a value of a trace.
  ///
  /// - Parameter bytes: as many as the value has, little-endian, not aligned.
  init(decoding bytes: UnsafeRawPointer)
}

extension UInt16: TraceValue {
  /// Decodes 2 bytes.
  public init(decoding bytes: UnsafeRawPointer) {
    self.init(littleEndian: bytes.loadUnaligned(as: UInt16.self))
  }
}

extension UInt32: TraceValue {
  /// Decodes 4 bytes.
  public init(decoding bytes: UnsafeRawPointer) {
    self.init(littleEndian: bytes.loadUnaligned(as: UInt32.self))
  }
}

extension UInt64: TraceValue {
  /// Decodes 8 bytes.
  public init(decoding bytes: UnsafeRawPointer) {
    self.init(littleEndian: bytes.loadUnaligned(as: UInt64.self))
  }
}

extension Float: TraceValue {
  /// Decodes 4 bytes.
  public init(decoding bytes: UnsafeRawPointer) {
    self.init(bitPattern: UInt32(decoding: bytes))
  }
}

extension Double: TraceValue {
  /// Decodes 8 bytes.
  public init(decoding bytes: UnsafeRawPointer) {
    self.init(bitPattern: UInt64(decoding: bytes))
  }
}
