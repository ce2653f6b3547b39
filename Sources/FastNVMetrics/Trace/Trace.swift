/// A complete trace, mapped into memory: opening one of any length takes a moment.
///
/// The file may be replaced or removed meanwhile, but must not be shortened while it is open. Any
/// number of threads may read one trace. The corresponding C type is `fnvm_trace`.
public final class Trace: Sendable {
  private let file: MappedFile
  /// The header.
  public let header: TraceHeader
  private let offsets: [Int]
  private let path: SystemPath
  private let chunkTable: TraceChunkTable

  /// Opens a trace and checks that it is whole.
  ///
  /// - Throws: `.io`, `.format`, `.unfinished`.
  ///
  /// The corresponding C function is `fnvm_trace_open`.
  public convenience init(path: SystemPath) throws(FNVMError) {
    let file = try MappedFile(path, purpose: "read the trace")
    let header = try Self.checkedHeader(file.bytes, path)
    guard let offsets = header.offsets, offsets[offsets.count - 1] <= UInt64(file.bytes.count)
    else { throw Self.truncated(path, byteCount: file.bytes.count) }
    self.init(file: file, header: header, offsets: offsets.map { Int($0) }, path: path)
  }

  static func truncated(_ path: SystemPath, byteCount: Int) -> FNVMError {
    FNVMError(
      .format, path: path,
      joined(
        "Truncated: ", path.description, " has ", decimal(byteCount),
        " bytes, its header counts more"))
  }

  private init(
    file: consuming MappedFile, header: TraceHeader, offsets: [Int], path: SystemPath
  ) {
    self.header = header
    self.offsets = offsets
    self.path = path
    chunkTable = TraceChunkTable(file.bytes, from: header.chunksOffset)
    self.file = file
  }

  /// Fast samples: GPU, CPU, RAM, EMC.
  public var fast: TraceRecords<FastSample> { records(.fast, header.fastSampleCount) }
  /// Medium samples: power rails.
  public var medium: TraceRecords<MediumSample> { records(.medium, header.mediumSampleCount) }
  /// Slow samples: thermal zones.
  public var slow: TraceRecords<SlowSample> { records(.slow, header.slowSampleCount) }
  /// Phase boundaries.
  public var syncPoints: TraceRecords<SyncPoint> { records(.syncPoints, header.syncPointCount) }

  /// How many chunks follow the records; one behind which no more can be found is counted.
  public var chunkCount: Int { chunkTable.entries.count }

  /// A chunk.
  ///
  /// - Parameter index: 0 to `chunkCount` − 1.
  /// - Throws: `.invalid` where there is no such chunk, `.format` where it is damaged: the samples are
  ///   not the worse for it.
  ///
  /// The corresponding C function is `fnvm_trace_chunk`.
  public func chunk(_ index: Int) throws(FNVMError) -> TraceChunk {
    let (type, bytes) = try chunkBytes(index)
    return TraceChunk(type: String(decoding: type, as: UTF8.self), payload: Array(bytes))
  }

  /// The first chunk of a type.
  ///
  ///     let facts = try trace.chunk(ofType: "META").map { String(decoding: $0.payload, as: UTF8.self) }
  ///
  /// - Parameter type: four characters: "META", "STAT", "PHAS" and so on.
  /// - Returns: nil where there is none.
  /// - Throws: `.format` where it is damaged.
  public func chunk(ofType type: String) throws(FNVMError) -> TraceChunk? {
    let wanted = Array(type.utf8)
    for index in 0..<chunkCount where isChunk(index, ofType: wanted) { return try chunk(index) }
    return nil
  }

  /// Whether a chunk has that type, without a look at its payload.
  func isChunk(_ index: Int, ofType type: [UInt8]) -> Bool {
    chunkTable.entries[index].typeBytes == type
  }

  /// The payload of a chunk in the file, checked. Valid while the trace lives.
  package func chunkBytes(
    _ index: Int
  ) throws(FNVMError) -> (type: [UInt8], payload: UnsafeRawBufferPointer) {
    guard chunkTable.entries.indices.contains(index) else {
      throw FNVMError(
        .invalid, path: path,
        joined(
          path.description, " has ", decimal(chunkCount), " chunks, none of number ", decimal(index)
        ))
    }
    let entry = chunkTable.entries[index]
    let payload = UnsafeRawBufferPointer(rebasing: file.bytes[entry.payload])
    let what: String
    switch entry.damage {
    case .isCut: what = "is longer than the file"
    case .hasNoType: what = "has no type"
    case nil where Checksum().of(payload) != entry.checksum: what = "does not match its checksum"
    case nil: return (entry.typeBytes, payload)
    }
    throw FNVMError(
      .format, path: path,
      joined("Corrupt chunk: number ", decimal(index), " of ", path.description, " ", what))
  }

  private func records<Record>(_ stream: TraceStream, _ count: UInt64) -> TraceRecords<Record> {
    TraceRecords(trace: self, bytes: bytes(stream, count), recordSize: stream.recordSize)
  }

  private func bytes(_ stream: TraceStream, _ count: UInt64) -> UnsafeRawBufferPointer {
    let start = offsets[stream.rawValue]
    return UnsafeRawBufferPointer(
      rebasing: file.bytes[start..<(start + Int(count) * stream.recordSize)])
  }

  /// The bytes of the file, for the C ABI. Valid while the trace lives.
  package var headerBytes: UnsafeRawPointer? { file.bytes.baseAddress }
  package var fastBytes: UnsafeRawBufferPointer { bytes(.fast, header.fastSampleCount) }
  package var mediumBytes: UnsafeRawBufferPointer { bytes(.medium, header.mediumSampleCount) }
  package var slowBytes: UnsafeRawBufferPointer { bytes(.slow, header.slowSampleCount) }
  package var syncPointBytes: UnsafeRawBufferPointer { bytes(.syncPoints, header.syncPointCount) }

  /// The header of a trace that can be read. - Throws: `.format`, `.unfinished`.
  private static func checkedHeader(
    _ bytes: UnsafeRawBufferPointer, _ path: SystemPath
  ) throws(FNVMError) -> TraceHeader {
    let header = try TraceHeader.recognise(bytes, path)
    if header.isUnfinished {
      throw FNVMError(
        .unfinished, path: path,
        joined(
          "Unfinished trace: ", path.description,
          " is being recorded or its recorder crashed; if it crashed, complete it with: fastnvmetrics recover ",
          path.description)
      )
    }
    return header
  }
}

extension TraceHeader {
  /// The header of a version 1 trace, finished or not. - Throws: `.format`.
  static func recognise(
    _ bytes: UnsafeRawBufferPointer, _ path: SystemPath
  ) throws(FNVMError) -> TraceHeader {
    func refused(_ why: String) -> FNVMError { FNVMError(.format, path: path, why) }
    guard bytes.count >= TraceFormat.headerSize else {
      throw refused(
        joined(
          "File too small: ", path.description, " has ", decimal(bytes.count),
          " bytes, a trace at least ", decimal(TraceFormat.headerSize))
      )
    }
    guard UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self)) == TraceFormat.magic else {
      throw refused(joined("Bad magic: ", path.description, " is not a fastnvmetrics trace"))
    }
    let version = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
    guard version == TraceFormat.version else {
      throw refused(
        joined(
          "Unsupported version: ", path.description, " is version ", decimal(version),
          ", this library reads 1"))
    }
    guard let header = TraceHeader(decoding: bytes) else {
      throw refused(
        joined(
          "Corrupt header: ", path.description,
          " counts more cores, rails or zones than a trace can hold"))
    }
    return header
  }
}
