import Foundation

@testable import FastNVMetrics

/// Traces made byte by byte, and files as bytes.
enum TraceBytes {
  /// A complete trace with plausible values: `fast` at 1 ms, ten times fewer of the others, two marks.
  static func complete(fast: Int = 40, _ change: (inout TraceHeader) -> Void = { _ in }) -> [UInt8]
  {
    var header = TraceHeader()
    header.boardName = "agx_orin"
    header.cpuCoreCount = 12
    header.powerRailNames = ["VDD_GPU_SOC", "VDD_CPU_CV"]
    header.thermalZoneNames = ["cpu-thermal", "gpu-thermal", "tj-thermal"]
    header.isEMCAvailable = true
    header.fastHz = 1000
    header.mediumHz = 100
    header.slowHz = 10
    header.fastSampleCount = UInt64(fast)
    header.mediumSampleCount = UInt64(fast / 10)
    header.slowSampleCount = UInt64(fast / 10)
    header.syncPointCount = 2
    header.isClosed = true
    header.startMonotonicNanoseconds = 1
    header.startRealtimeNanoseconds = 2
    change(&header)
    var bytes = header.encoded()
    for i in 0..<fast { bytes += record(98, time: Double(i + 1) / 1000) }
    for i in 0..<(fast / 10) { bytes += record(104, time: Double(i + 1) / 100) }
    for i in 0..<(fast / 10) { bytes += record(72, time: Double(i + 1) / 100) }
    for id in [1, 2] as [UInt64] {
      withUnsafeBytes(of: id.littleEndian) { bytes += $0 }
      withUnsafeBytes(of: (id * 5).littleEndian) { bytes += $0 }
    }
    return bytes
  }

  static func record(_ size: Int, time: Double) -> [UInt8] {
    withUnsafeBytes(of: time.bitPattern.littleEndian) { Array($0) }
      + [UInt8](repeating: 0, count: size - 8)
  }

  static func read(_ path: SystemPath) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(fileURLWithPath: path.description)))
  }

  /// As a new file: an older one that is still mapped keeps its content.
  static func write(_ bytes: [UInt8], to path: SystemPath) throws {
    unlink(path.description)
    try Data(bytes).write(to: URL(fileURLWithPath: path.description))
  }

  /// Copies a trace that is being recorded, with its spools, as a crash would leave them.
  static func copyFiles(_ path: SystemPath, to copy: SystemPath) throws {
    // The other way round a crash cannot be: the journal is not newer than what it vouches for.
    for suffix in [
      ".fnvm-journal", "", ".fnvm-medium", ".fnvm-slow", ".fnvm-sync", ".fnvm-phases",
    ] {
      try write(
        try read(SystemPath(path.description + suffix)), to: SystemPath(copy.description + suffix))
    }
  }

  /// What the journal of an unfinished trace vouches for.
  static func journal(of path: SystemPath) throws -> [JournalEntry] {
    let bytes = try read(SystemPath(path.description + TraceLocation.journalSuffix))
    return bytes.withUnsafeBytes { raw in
      (0..<(bytes.count / JournalEntry.size)).compactMap {
        JournalEntry(
          decoding: UnsafeRawBufferPointer(rebasing: raw[(JournalEntry.size * $0)...]), Checksum())
      }
    }
  }

  static func exists(_ path: SystemPath) -> Bool { access(path.description, F_OK) == 0 }
}

extension FNVMError {
  /// What a call throws; nil where it does not.
  static func from<Result>(_ body: () throws(FNVMError) -> Result) -> FNVMError? {
    do throws(FNVMError) {
      _ = try body()
      return nil
    } catch {
      return error
    }
  }
}

extension FixtureTree {
  /// The newest fast sample in the file of a trace that is being recorded.
  func newestSample(_ name: String = "run.bin") throws -> FastSample? {
    let bytes = try TraceBytes.read(output(name))
    let count = (bytes.count - TraceFormat.headerSize) / TraceFormat.Fast.size
    if count < 1 { return nil }
    return bytes.withUnsafeBytes { raw in
      guard let header = TraceHeader(decoding: raw) else { return nil }
      let start = TraceFormat.headerSize + (count - 1) * TraceFormat.Fast.size
      return FastSample(
        decoding: UnsafeRawBufferPointer(rebasing: raw[start..<(start + TraceFormat.Fast.size)]),
        header: header)
    }
  }
}
