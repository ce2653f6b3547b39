/// Any bytes as a trace: opened and read whole, or refused for the reason that the format gives.
enum TraceTarget: FuzzTarget {
  static var name: String { "trace" }
  static var longestInput: Int { 2048 }

  private static let path = FuzzDirectory.path + "/trace.bin"

  static func run(_ input: FuzzInput) {
    let bytes = Array(input.rest)
    FuzzFile.place(bytes, at: path)
    let expected = refusal(of: bytes)
    do throws(FNVMError) {
      let trace = try Trace(path: SystemPath(path))
      check(expected == nil, "the trace is refused: \(expected ?? "")")
      readWhole(trace, bytes)
    } catch {
      check(error.code == .format || error.code == .unfinished, "\(error.code) says what is wrong")
      check(
        (error.code == .unfinished) == (expected == "Unfinished trace"),
        "\(error.code) tells an unfinished trace from a bad one")
      check(
        expected.map { error.message.hasPrefix($0) } ?? false,
        "refused as \(expected ?? "nothing"), not: \(error.message)")
      check(error.path == SystemPath(path), "the error names its path")
    }
  }

  /// How a refusal begins; nil where the bytes are a complete trace.
  static func refusal(of bytes: [UInt8]) -> String? {
    if let refusal = headerRefusal(of: bytes) { return refusal }
    if isUnfinished(bytes) { return "Unfinished trace" }
    // Only counts that are each below 2^40 can fit into a file; with more, sums could overflow.
    var size: UInt64 = 728
    for (i, recordSize) in [98, 104, 72, 16].enumerated() {
      let count = Reference.integer(bytes[(56 + 8 * i)..<(64 + 8 * i)])
      if count > 1 << 40 { return "Truncated" }
      size += count * UInt64(recordSize)
    }
    return size > UInt64(bytes.count) ? "Truncated" : nil
  }

  /// The same, as far as the header alone says it.
  static func headerRefusal(of bytes: [UInt8]) -> String? {
    if bytes.count < 728 { return "File too small" }
    if Reference.integer(bytes[0..<4]) != 0x4E56_4D54 { return "Bad magic" }
    if Reference.integer(bytes[4..<8]) != 1 { return "Unsupported version" }
    if bytes[40] > 16 || bytes[41] > 8 || bytes[42] > 16 { return "Corrupt header" }
    return nil
  }

  static func isUnfinished(_ bytes: [UInt8]) -> Bool { bytes[664] & 7 == 1 }

  /// Walks everything that a trace gives.
  static func readWhole(_ trace: Trace, _ bytes: [UInt8]) {
    let header = trace.header
    check(trace.fast.count == Int(header.fastSampleCount), "all fast samples are there")
    check(trace.medium.count == Int(header.mediumSampleCount), "all medium samples are there")
    check(trace.slow.count == Int(header.slowSampleCount), "all slow samples are there")
    check(trace.syncPoints.count == Int(header.syncPointCount), "all sync points are there")
    var at = 728
    func time(_ size: Int) -> UInt64 {
      at += size
      return Reference.integer(bytes[(at - size)..<(at - size + 8)])
    }
    for sample in trace.fast {
      check(sample.timeSeconds.bitPattern == time(98), "fast samples follow the header")
      check(sample.cpuUtilization.count == Int(bytes[40]), "a column a core")
    }
    for sample in trace.medium {
      check(sample.timeSeconds.bitPattern == time(104), "medium samples follow the fast ones")
      let counts = [sample.voltageMV.count, sample.currentMA.count, sample.powerMW.count]
      check(counts == [Int](repeating: Int(bytes[41]), count: 3), "a column a rail")
    }
    for sample in trace.slow {
      check(sample.timeSeconds.bitPattern == time(72), "slow samples follow the medium ones")
      check(sample.temperatureC.count == Int(bytes[42]), "a column a zone")
    }
    for point in trace.syncPoints { check(point.id == time(16), "sync points follow") }

    // Names that fill their field lose a byte when they are written; the second time nothing is lost.
    let again = header.encoded().withUnsafeBytes { TraceHeader(decoding: $0) }
    let oncemore = again?.encoded().withUnsafeBytes { TraceHeader(decoding: $0) }
    check(again != nil && again == oncemore, "a header can be written again")
    check(
      again?.fastSampleCount == header.fastSampleCount && again?.readErrors == header.readErrors
        && again?.isRecovered == header.isRecovered,
      "a header that is written again says the same")
  }

  static var seeds: [[UInt8]] {
    let whole = SeedTrace(fast: 3, medium: 2, slow: 1, marks: [1, 2])
    let reference = SeedTrace(fast: 1, medium: 1, slow: 1, marks: []).bytes {
      $0.hasExtension = false
    }
    var overflowing = whole.bytes()
    for i in 56..<88 { overflowing[i] = i % 8 == 7 ? 0x7F : 0xFF }
    return [
      whole.bytes(), reference, overflowing,
      SeedTrace().bytes(), whole.bytes { $0.isClosed = false },
      whole.bytes {
        $0.isClosed = false
        $0.isRecovered = true
      },
      Array(whole.bytes().dropLast()), Array(whole.bytes().prefix(700)),
      whole.bytes() + Array("META".utf8) + [4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4],
    ]
  }
}

/// A small trace made byte by byte, for seeds.
struct SeedTrace {
  var fast = 0
  var medium = 0
  var slow = 0
  /// The fast sample of each sync point.
  var marks: [UInt64] = []

  func header(_ change: (inout TraceHeader) -> Void = { _ in }) -> TraceHeader {
    var header = TraceHeader()
    header.boardName = "agx_orin"
    header.cpuCoreCount = 12
    header.powerRailNames = ["VDD_GPU_SOC", "VDD_CPU_CV"]
    header.thermalZoneNames = ["cpu-thermal", "gpu-thermal", "tj-thermal"]
    header.isEMCAvailable = true
    (header.fastHz, header.mediumHz, header.slowHz) = (1000, 100, 10)
    header.fastSampleCount = UInt64(fast)
    header.mediumSampleCount = UInt64(medium)
    header.slowSampleCount = UInt64(slow)
    header.syncPointCount = UInt64(marks.count)
    header.isClosed = true
    header.startMonotonicNanoseconds = 1
    header.startRealtimeNanoseconds = 2
    change(&header)
    return header
  }

  func bytes(_ change: (inout TraceHeader) -> Void = { _ in }) -> [UInt8] {
    header(change).encoded() + fastBytes + mediumBytes + slowBytes + syncBytes
  }

  var fastBytes: [UInt8] { (0..<fast).flatMap { Self.record(98, time: Double($0 + 1) / 1000) } }
  var mediumBytes: [UInt8] { (0..<medium).flatMap { Self.record(104, time: Double($0 + 1) / 100) } }
  var slowBytes: [UInt8] { (0..<slow).flatMap { Self.record(72, time: Double($0 + 1) / 10) } }
  var syncBytes: [UInt8] {
    marks.enumerated().flatMap { Self.integer(UInt64($0 + 1)) + Self.integer($1) }
  }

  private static func record(_ size: Int, time: Double) -> [UInt8] {
    integer(time.bitPattern) + (8..<size).map { UInt8($0) }
  }

  private static func integer(_ value: UInt64) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }
}
