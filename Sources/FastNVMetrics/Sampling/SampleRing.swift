internal import CFastNVMetricsShims
internal import Synchronization

/// A fixed ring of packed records between one tier, which fills it, and the spool, which drains it.
///
/// A record goes through four states: begun (being read), taken, closed (will not change any more),
/// drained (on its way to disk, its place free again). The ring never grows: where it is full,
/// records are dropped.
struct SampleRing: ~Copyable {
  private let memory: UnsafeMutableRawPointer
  private let byteCount: Int
  private let state: UnsafeMutablePointer<RingState>
  let recordSize: Int
  let capacity: UInt64

  /// - Parameter minimum: records that must fit; rounded up to a power of two.
  /// - Throws: `.noMemory`.
  init(recordSize: Int, minimum: Int) throws(FNVMError) {
    var capacity = 64
    while capacity < minimum { capacity *= 2 }
    guard let memory = fnvm_sys_map_anonymous(capacity * recordSize) else {
      throw FNVMError(
        .noMemory,
        joined(
          "cannot allocate a ring of ", decimal(capacity * recordSize), " bytes; lower the rates"))
    }
    fnvm_sys_populate(memory, min(capacity * recordSize, Self.presentAtOnce))
    self.memory = memory
    byteCount = capacity * recordSize
    self.recordSize = recordSize
    self.capacity = UInt64(capacity)
    state = .allocate(capacity: 1)
    state.initialize(to: RingState())
  }

  deinit {
    fnvm_sys_unmap(memory, byteCount)
    state.deinitialize(count: 1)
    state.deallocate()
  }

  /// Memory that is present before the first sample; the rest comes while it is filled.
  private static var presentAtOnce: Int { 128 * 1024 }

  /// Makes the memory present, so that using it does not fault. On a thread that has the time, while the tier fills
  /// what is present already.
  func populate() { fnvm_sys_populate(memory, byteCount) }

  /// The memory of the records.
  var memoryBytes: UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(start: memory, count: byteCount)
  }

  /// The tier's end. Valid while the ring lives; one thread.
  var producer: RingProducer {
    RingProducer(memory: memory, recordSize: recordSize, mask: capacity - 1, state: state)
  }

  /// The spool's end. Valid while the ring lives; one thread.
  var consumer: RingConsumer {
    RingConsumer(memory: memory, recordSize: recordSize, mask: capacity - 1, state: state)
  }

  /// Records begun so far: the number of the next one to begin. Any thread.
  var begun: UInt64 { state.pointee.begun.load(ordering: .sequentiallyConsistent) }

  /// Copies the newest record taken, but for those of its bytes that may still change. Any thread.
  ///
  /// - Parameter changing: left as zeros.
  /// - Returns: false where there is none, or the tier came round while this thread was held up.
  func copyNewest(
    to out: UnsafeMutableRawPointer, leaving changing: Range<Int> = 0..<0
  ) -> Bool {
    let taken = taken
    if taken == 0 { return false }
    out.initializeMemory(as: UInt8.self, repeating: 0, count: recordSize)
    let isWhole = copy(taken &- 1, 0..<changing.lowerBound, to: out)
    return copy(taken &- 1, changing.upperBound..<recordSize, to: out) && isWhole
  }

  /// Copies some bytes of the newest record that will not change any more. Any thread.
  func copyNewestClosed(_ bytes: Range<Int>, to out: UnsafeMutableRawPointer) -> Bool {
    let closed = state.pointee.closed.load(ordering: .acquiring)
    return closed > 0 && copy(closed &- 1, bytes, to: out)
  }

  private func copy(_ number: UInt64, _ bytes: Range<Int>, to out: UnsafeMutableRawPointer) -> Bool
  {
    let record = memory + Int(truncatingIfNeeded: number & (capacity &- 1)) &* recordSize
    (out + bytes.lowerBound).copyMemory(from: record + bytes.lowerBound, byteCount: bytes.count)
    // The place of this record is begun anew a whole round later.
    return begun &- number <= capacity
  }

  /// When a record was taken that is not long ago: nanoseconds since the start. Any thread.
  func time(of number: UInt64) -> UInt64 {
    let at = Int(truncatingIfNeeded: number & (capacity &- 1)) &* recordSize
    return SampleTime.nanoseconds(in: UnsafeRawBufferPointer(memoryBytes), at: at)
  }

  /// Records taken so far. Any thread.
  var taken: UInt64 { state.pointee.taken.load(ordering: .acquiring) }
}

/// The counters of a ring: numbers of records since the start, never wrapped.
struct RingState: ~Copyable {
  let begun = Atomic<UInt64>(0)
  let taken = Atomic<UInt64>(0)
  let closed = Atomic<UInt64>(0)
  let drained = Atomic<UInt64>(0)
}

/// What a tier holds of its ring.
struct RingProducer {
  fileprivate let memory: UnsafeMutableRawPointer
  fileprivate let recordSize: Int
  fileprivate let mask: UInt64
  fileprivate let state: UnsafeMutablePointer<RingState>
  /// The number of the next record.
  private(set) var next: UInt64 = 0

  fileprivate init(
    memory: UnsafeMutableRawPointer, recordSize: Int, mask: UInt64,
    state: UnsafeMutablePointer<RingState>
  ) {
    self.memory = memory
    self.recordSize = recordSize
    self.mask = mask
    self.state = state
  }

  /// Whether a record can be begun. One place is kept for the closing sample.
  func hasRoom(forClosing isClosing: Bool) -> Bool {
    let used = next &- state.pointee.drained.load(ordering: .acquiring)
    return used < (isClosing ? mask &+ 1 : mask)
  }

  /// Begins the next record, before its time is read: whoever sees it not begun knows that it comes
  /// later.
  func begin() -> UnsafeMutableRawPointer {
    state.pointee.begun.store(next &+ 1, ordering: .sequentiallyConsistent)
    return record(next)
  }

  func record(_ number: UInt64) -> UnsafeMutableRawPointer {
    memory + Int(truncatingIfNeeded: number & mask) &* recordSize
  }

  /// The record begun last is complete but for what a later sample may correct.
  mutating func take() {
    next &+= 1
    state.pointee.taken.store(next, ordering: .releasing)
  }

  /// Records before `number` will not change any more.
  func close(before number: UInt64) {
    state.pointee.closed.store(number, ordering: .releasing)
  }
}

/// What the spool holds of a ring.
struct RingConsumer {
  fileprivate let memory: UnsafeMutableRawPointer
  fileprivate let recordSize: Int
  fileprivate let mask: UInt64
  fileprivate let state: UnsafeMutablePointer<RingState>

  /// Closed records that have not been drained, as far as they lie in one piece.
  func pending() -> (bytes: UnsafeRawBufferPointer, count: UInt64) {
    let from = state.pointee.drained.load(ordering: .relaxed)
    let until = state.pointee.closed.load(ordering: .acquiring)
    let toEnd = mask + 1 - (from & mask)
    let count = min(until - from, toEnd)
    let start = memory + Int(from & mask) * recordSize
    return (UnsafeRawBufferPointer(start: start, count: Int(count) * recordSize), count)
  }

  /// Records drained so far.
  var drained: UInt64 { state.pointee.drained.load(ordering: .relaxed) }

  /// Records taken that have not been drained.
  var undrained: UInt64 {
    state.pointee.taken.load(ordering: .acquiring) - state.pointee.drained.load(ordering: .relaxed)
  }

  /// Frees the places of the oldest `count` pending records.
  func drain(_ count: UInt64) {
    let from = state.pointee.drained.load(ordering: .relaxed)
    state.pointee.drained.store(from + count, ordering: .releasing)
  }
}
