/// The header of a trace.
public struct TraceHeader: Equatable, Sendable {
  /// The board's name, at most 31 bytes in the file.
  public var boardName = ""
  /// Cores with a column of their own, 1 to 16.
  public var cpuCoreCount = 1
  /// The rails' names in the order of their columns, at most 8.
  public var powerRailNames: [String] = []
  /// The zones' names in the order of their columns, at most 16.
  public var thermalZoneNames: [String] = []
  /// Whether EMC utilisation was measured.
  public var isEMCAvailable = false
  /// The nominal rates in Hz.
  public var fastHz: UInt32 = 0
  /// The nominal rates in Hz.
  public var mediumHz: UInt32 = 0
  /// The nominal rates in Hz.
  public var slowHz: UInt32 = 0
  /// How many fast samples follow.
  public var fastSampleCount: UInt64 = 0
  /// How many medium samples follow.
  public var mediumSampleCount: UInt64 = 0
  /// How many slow samples follow.
  public var slowSampleCount: UInt64 = 0
  /// How many sync points follow.
  public var syncPointCount: UInt64 = 0

  /// The rest is ours; it is absent from traces of the C++ reference.
  public var hasExtension = true
  /// Whether the trace was closed cleanly.
  public var isClosed = false
  /// Whether it was completed after a crash.
  public var isRecovered = false
  /// Whether GPU load was measured.
  public var isGPUAvailable = false
  /// Deadlines skipped because the tier was late.
  public var missedFast: UInt64 = 0
  /// Deadlines skipped because the tier was late.
  public var missedMedium: UInt64 = 0
  /// Deadlines skipped because the tier was late.
  public var missedSlow: UInt64 = 0
  /// CLOCK_MONOTONIC at t = 0.
  public var startMonotonicNanoseconds: UInt64 = 0
  /// CLOCK_REALTIME at t = 0.
  public var startRealtimeNanoseconds: UInt64 = 0
  /// Where the chunks begin; 0: there are none.
  public var chunksOffset: UInt64 = 0
  /// Samples lost because the disk could not keep up.
  public var droppedSamples: UInt64 = 0
  /// Failed reads of any source.
  public var readErrors: UInt64 = 0
  /// major << 16 | minor << 8 | patch.
  public var writerVersion: UInt32 = 0

  init() {}

  /// The columns that a board's samples have.
  init(shapeOf board: BoardConfig) {
    boardName = board.boardName
    cpuCoreCount = board.cpuCoreCount
    powerRailNames = board.powerRails.map { $0.label }
    thermalZoneNames = board.thermalZones.map { $0.name }
  }

  /// The rails, by position in `powerRailNames`, whose sum is the power of the module, each watt counted once;
  /// empty where that is not known. `BoardConfig` says the same of its board.
  public var totalPowerRails: [Int] {
    BoardCatalog.totalRails(of: boardName, in: powerRailNames)
  }

  /// Begun and neither closed nor recovered: what a crash leaves behind.
  var isUnfinished: Bool { hasExtension && !isClosed && !isRecovered }

  /// The numbers of records, by stream.
  var recordCounts: [UInt64] {
    [fastSampleCount, mediumSampleCount, slowSampleCount, syncPointCount]
  }

  /// Where the records of each stream begin in a complete file, and where the last of them ends; nil where
  /// that overflows.
  var offsets: [UInt64]? {
    var offsets = [UInt64(TraceFormat.headerSize)]
    for (index, count) in recordCounts.enumerated() {
      guard let stream = TraceStream(rawValue: index) else { return nil }
      let (size, overflow) = count.multipliedReportingOverflow(by: UInt64(stream.recordSize))
      let (end, carry) = offsets[index].addingReportingOverflow(size)
      if overflow || carry { return nil }
      offsets.append(end)
    }
    return offsets
  }

  /// The size of a complete file without chunks; nil where that overflows.
  var byteCount: UInt64? { offsets?.last }
}

// MARK: - Bytes

extension TraceHeader {
  /// The 728 bytes of the file.
  func encoded() -> [UInt8] {
    typealias At = TraceFormat.Header
    var bytes = [UInt8](repeating: 0, count: TraceFormat.headerSize)
    bytes.withUnsafeMutableBytes { raw in
      func put(_ value: UInt32, at offset: Int) {
        raw.storeBytes(of: value.littleEndian, toByteOffset: offset, as: UInt32.self)
      }
      func put(_ value: UInt64, at offset: Int) {
        raw.storeBytes(of: value.littleEndian, toByteOffset: offset, as: UInt64.self)
      }
      func put(_ text: String, at offset: Int, size: Int) {
        for (i, byte) in fittingBytes(text, size: size - 1).enumerated() { raw[offset + i] = byte }
      }
      put(TraceFormat.magic, at: 0)
      put(TraceFormat.version, at: 4)
      put(boardName, at: At.boardName, size: At.boardNameSize)
      raw[At.cpuCoreCount] = UInt8(clamping: cpuCoreCount)
      raw[At.powerRailCount] = UInt8(clamping: powerRailNames.count)
      raw[At.thermalZoneCount] = UInt8(clamping: thermalZoneNames.count)
      raw[At.emcAvailable] = isEMCAvailable ? 1 : 0
      for (i, rate) in [fastHz, mediumHz, slowHz].enumerated() { put(rate, at: At.rates + 4 * i) }
      let counts = [fastSampleCount, mediumSampleCount, slowSampleCount, syncPointCount]
      for (i, count) in counts.enumerated() { put(count, at: At.sampleCounts + 8 * i) }
      for (i, name) in powerRailNames.prefix(BoardConfig.maxPowerRails).enumerated() {
        put(name, at: At.powerRailNames + At.nameSize * i, size: At.nameSize)
      }
      for (i, name) in thermalZoneNames.prefix(BoardConfig.maxThermalZones).enumerated() {
        put(name, at: At.thermalZoneNames + At.nameSize * i, size: At.nameSize)
      }
      if hasExtension {
        let flags =
          TraceFormat.Flag.valid | (isClosed ? TraceFormat.Flag.closed : 0)
          | (isRecovered ? TraceFormat.Flag.recovered : 0)
          | (isGPUAvailable ? TraceFormat.Flag.gpuAvailable : 0)
        put(flags, at: At.flags)
        for (i, missed) in [missedFast, missedMedium, missedSlow].enumerated() {
          put(UInt32(clamping: missed), at: At.missed + 4 * i)
        }
        put(startMonotonicNanoseconds, at: At.startMonotonic)
        put(startRealtimeNanoseconds, at: At.startRealtime)
        put(chunksOffset, at: At.chunksOffset)
        put(UInt32(clamping: droppedSamples), at: At.droppedSamples)
        put(UInt32(clamping: readErrors), at: At.readErrors)
        put(writerVersion, at: At.writerVersion)
      }
    }
    return bytes
  }

  /// - Parameter raw: at least 728 bytes.
  /// - Returns: nil where the counts of cores, rails and zones cannot be (the rest is for the
  ///   caller to check).
  init?(decoding raw: UnsafeRawBufferPointer) {
    typealias At = TraceFormat.Header
    guard raw.count >= TraceFormat.headerSize else { return nil }
    func u32(_ offset: Int) -> UInt32 {
      UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }
    func u64(_ offset: Int) -> UInt64 {
      UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
    func text(_ offset: Int, _ size: Int) -> String {
      String(decoding: raw[offset..<(offset + size)].prefix { $0 != 0 }, as: UTF8.self)
    }
    let cores = Int(raw[At.cpuCoreCount])
    let rails = Int(raw[At.powerRailCount])
    let zones = Int(raw[At.thermalZoneCount])
    guard cores <= BoardConfig.maxCPUCores, rails <= BoardConfig.maxPowerRails,
      zones <= BoardConfig.maxThermalZones
    else { return nil }

    boardName = text(At.boardName, At.boardNameSize)
    cpuCoreCount = cores
    powerRailNames = (0..<rails).map { text(At.powerRailNames + At.nameSize * $0, At.nameSize) }
    thermalZoneNames = (0..<zones).map { text(At.thermalZoneNames + At.nameSize * $0, At.nameSize) }
    isEMCAvailable = raw[At.emcAvailable] != 0
    fastHz = u32(At.rates)
    mediumHz = u32(At.rates + 4)
    slowHz = u32(At.rates + 8)
    fastSampleCount = u64(At.sampleCounts)
    mediumSampleCount = u64(At.sampleCounts + 8)
    slowSampleCount = u64(At.sampleCounts + 16)
    syncPointCount = u64(At.sampleCounts + 24)

    let flags = u32(At.flags)
    hasExtension = flags & TraceFormat.Flag.valid != 0
    guard hasExtension else { return }
    isClosed = flags & TraceFormat.Flag.closed != 0
    isRecovered = flags & TraceFormat.Flag.recovered != 0
    isGPUAvailable = flags & TraceFormat.Flag.gpuAvailable != 0
    missedFast = UInt64(u32(At.missed))
    missedMedium = UInt64(u32(At.missed + 4))
    missedSlow = UInt64(u32(At.missed + 8))
    startMonotonicNanoseconds = u64(At.startMonotonic)
    startRealtimeNanoseconds = u64(At.startRealtime)
    chunksOffset = u64(At.chunksOffset)
    droppedSamples = UInt64(u32(At.droppedSamples))
    readErrors = UInt64(u32(At.readErrors))
    writerVersion = u32(At.writerVersion)
  }
}
