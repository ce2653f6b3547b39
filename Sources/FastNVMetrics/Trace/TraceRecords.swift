/// The records of one tier, decoded as they are asked for.
///
/// Keeps its trace open.
public struct TraceRecords<Record: TraceRecord>: RandomAccessCollection, Sendable {
  private let trace: Trace
  nonisolated(unsafe) private let bytes: UnsafeRawBufferPointer
  private let recordSize: Int

  init(trace: Trace, bytes: UnsafeRawBufferPointer, recordSize: Int) {
    self.trace = trace
    self.bytes = bytes
    self.recordSize = recordSize
  }

  /// The first record.
  public var startIndex: Int { 0 }
  /// How many there are.
  public var endIndex: Int { bytes.count / recordSize }

  /// The record at a position. Traps where there is none, as arrays do.
  public subscript(position: Int) -> Record {
    precondition(position >= 0 && position < endIndex, "no such record")
    let start = position * recordSize
    return Record(
      decoding: UnsafeRawBufferPointer(rebasing: bytes[start..<(start + recordSize)]),
      header: trace.header)
  }
}

/// What `TraceRecords` decodes.
public protocol TraceRecord: Sendable {
  /// Decodes a record.
  ///
  /// - Parameters:
  ///   - bytes: exactly one record.
  ///   - header: of its trace: how many cores, rails and zones there are.
  init(decoding bytes: UnsafeRawBufferPointer, header: TraceHeader)
}

/// A fast sample.
public struct FastSample: TraceRecord, Equatable {
  /// Seconds since t = 0.
  public var timeSeconds: Double
  /// Per mille, 0 to 1000.
  public var gpuLoad: UInt16
  /// Percent for each core of the board, NaN: offline.
  public var cpuUtilization: [Float]
  /// Percent, mean of the online cores.
  public var cpuAggregate: Float
  /// MemTotal − MemAvailable in kB.
  public var ramUsedKB: UInt64
  /// MemAvailable in kB.
  public var ramAvailableKB: UInt64
  /// Percent, −1: not available.
  public var emcUtilization: Float

  /// Decodes 98 bytes.
  public init(decoding bytes: UnsafeRawBufferPointer, header: TraceHeader) {
    typealias At = TraceFormat.Fast
    timeSeconds = bytes.float64(At.time)
    gpuLoad = UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: At.gpuLoad, as: UInt16.self))
    cpuUtilization = (0..<header.cpuCoreCount).map { bytes.float32(At.cpuUtilization + 4 * $0) }
    cpuAggregate = bytes.float32(At.cpuAggregate)
    ramUsedKB = bytes.uint64(At.ramUsed)
    ramAvailableKB = bytes.uint64(At.ramAvailable)
    emcUtilization = bytes.float32(At.emcUtilization)
  }
}

/// A medium sample: one element for each rail of the board.
public struct MediumSample: TraceRecord, Equatable {
  /// Seconds since t = 0.
  public var timeSeconds: Double
  /// Millivolts.
  public var voltageMV: [UInt32]
  /// Milliamperes.
  public var currentMA: [UInt32]
  /// Milliwatts, NaN: read failed.
  public var powerMW: [Float]

  /// Decodes 104 bytes.
  public init(decoding bytes: UnsafeRawBufferPointer, header: TraceHeader) {
    typealias At = TraceFormat.Medium
    let rails = 0..<header.powerRailNames.count
    timeSeconds = bytes.float64(At.time)
    voltageMV = rails.map { bytes.uint32(At.voltage + 4 * $0) }
    currentMA = rails.map { bytes.uint32(At.current + 4 * $0) }
    powerMW = rails.map { bytes.float32(At.power + 4 * $0) }
  }
}

/// A slow sample: one element for each zone of the board.
public struct SlowSample: TraceRecord, Equatable {
  /// Seconds since t = 0.
  public var timeSeconds: Double
  /// Degrees Celsius, NaN: read failed, or powered down.
  public var temperatureC: [Float]

  /// Decodes 72 bytes.
  public init(decoding bytes: UnsafeRawBufferPointer, header: TraceHeader) {
    timeSeconds = bytes.float64(TraceFormat.Slow.time)
    temperatureC = (0..<header.thermalZoneNames.count).map {
      bytes.float32(TraceFormat.Slow.temperature + 4 * $0)
    }
  }
}

/// A phase boundary.
public struct SyncPoint: TraceRecord, Equatable {
  /// 1, 2, 3, …
  public var id: UInt64
  /// The first fast sample after the mark.
  public var fastSampleIndex: UInt64

  /// Decodes 16 bytes.
  public init(decoding bytes: UnsafeRawBufferPointer, header: TraceHeader) {
    id = bytes.uint64(TraceFormat.SyncPoint.id)
    fastSampleIndex = bytes.uint64(TraceFormat.SyncPoint.fastSampleIndex)
  }
}

extension UnsafeRawBufferPointer {
  fileprivate func uint32(_ offset: Int) -> UInt32 {
    UInt32(littleEndian: loadUnaligned(fromByteOffset: offset, as: UInt32.self))
  }
  fileprivate func uint64(_ offset: Int) -> UInt64 {
    UInt64(littleEndian: loadUnaligned(fromByteOffset: offset, as: UInt64.self))
  }
  fileprivate func float32(_ offset: Int) -> Float { Float(bitPattern: uint32(offset)) }
  fileprivate func float64(_ offset: Int) -> Double { Double(bitPattern: uint64(offset)) }
}
