/// The layout of a version 1 trace, in bytes: little-endian, packed. docs/trace-format.md is its
/// text.
///
/// Computed, not stored: the tick path may not touch a global that could be initialised lazily.
enum TraceFormat {
  static var magic: UInt32 { 0x4E56_4D54 }
  static var version: UInt32 { 1 }
  static var headerSize: Int { 728 }

  enum Header {
    static var boardName: Int { 8 }
    static var boardNameSize: Int { 32 }
    static var cpuCoreCount: Int { 40 }
    static var powerRailCount: Int { 41 }
    static var thermalZoneCount: Int { 42 }
    static var emcAvailable: Int { 43 }
    static var rates: Int { 44 }
    static var sampleCounts: Int { 56 }
    static var powerRailNames: Int { 88 }
    static var thermalZoneNames: Int { 280 }
    static var nameSize: Int { 24 }
    static var flags: Int { 664 }
    static var missed: Int { 668 }
    static var startMonotonic: Int { 680 }
    static var startRealtime: Int { 688 }
    static var chunksOffset: Int { 696 }
    static var droppedSamples: Int { 704 }
    static var readErrors: Int { 708 }
    static var writerVersion: Int { 712 }
  }

  /// Bits of the header's `flags`.
  enum Flag {
    static var valid: UInt32 { 1 }
    static var closed: UInt32 { 2 }
    static var recovered: UInt32 { 4 }
    static var gpuAvailable: UInt32 { 8 }
  }

  enum Fast {
    static var size: Int { 98 }
    static var time: Int { 0 }
    static var gpuLoad: Int { 8 }
    static var cpuUtilization: Int { 10 }
    static var cpuAggregate: Int { 74 }
    static var ramUsed: Int { 78 }
    static var ramAvailable: Int { 86 }
    static var emcUtilization: Int { 94 }
  }

  enum Medium {
    static var size: Int { 104 }
    static var time: Int { 0 }
    static var voltage: Int { 8 }
    static var current: Int { 40 }
    static var power: Int { 72 }
  }

  enum Slow {
    static var size: Int { 72 }
    static var time: Int { 0 }
    static var temperature: Int { 8 }
  }

  enum SyncPoint {
    static var size: Int { 16 }
    static var id: Int { 0 }
    static var fastSampleIndex: Int { 8 }
  }
}
