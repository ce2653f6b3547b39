internal import Synchronization

/// How late ticks were, in buckets that are 6 % wide. Written by one tier, read by any thread.
struct LatenessHistogram: ~Copyable {
  private let buckets: UnsafeMutablePointer<Atomic<UInt64>>
  private let longest = Atomic<UInt64>(0)

  /// Below 2^10 ns buckets are 64 ns wide; each power of two above has 16; the last takes what is over 2^40 ns.
  private static var linearBits: Int { 10 }
  private static var topBits: Int { 40 }
  private static var perPower: Int { 16 }
  static var bucketCount: Int { perPower + (topBits - linearBits) * perPower }

  init() {
    buckets = .allocate(capacity: Self.bucketCount)
    for i in 0..<Self.bucketCount { (buckets + i).initialize(to: Atomic(0)) }
  }

  deinit {
    buckets.deinitialize(count: Self.bucketCount)
    buckets.deallocate()
  }

  /// Counts a tick. One thread.
  func note(_ nanoseconds: UInt64) {
    buckets[Self.bucket(nanoseconds)].add(1)
    if nanoseconds > longest.load(ordering: .relaxed) {
      longest.store(nanoseconds, ordering: .relaxed)
    }
  }

  private static func bucket(_ nanoseconds: UInt64) -> Int {
    if nanoseconds < 1 << 10 { return Int(truncatingIfNeeded: nanoseconds >> 6) }
    let power = 63 &- nanoseconds.leadingZeroBitCount
    if power >= topBits { return bucketCount &- 1 }
    let step = Int(truncatingIfNeeded: nanoseconds >> UInt64(power &- 4)) & 15
    return perPower &+ (power &- linearBits) &* perPower &+ step
  }

  /// The first nanosecond that is too late for a bucket.
  static func end(ofBucket bucket: Int) -> UInt64 {
    if bucket < perPower { return UInt64(bucket + 1) << 6 }
    let power = linearBits + (bucket - perPower) / perPower
    let step = UInt64((bucket - perPower) % perPower)
    return (16 + step + 1) << UInt64(power - 4)
  }

  /// What was counted so far.
  func summary() -> Lateness {
    var lateness = Lateness()
    lateness.maximumNanoseconds = longest.load(ordering: .relaxed)
    for bucket in 0..<Self.bucketCount {
      let count = buckets[bucket].load(ordering: .relaxed)
      if count == 0 { continue }
      lateness.ticks &+= count
      lateness.buckets.append(
        Lateness.Bucket(endNanoseconds: Self.end(ofBucket: bucket), ticks: count))
    }
    return lateness
  }
}

/// How late the ticks of a tier were: when they began against when they were due.
public struct Lateness: Equatable, Sendable {
  /// Ticks that were so late and not later.
  public struct Bucket: Equatable, Sendable {
    /// They were less late than this.
    public var endNanoseconds: UInt64
    /// How many.
    public var ticks: UInt64
  }

  /// Ticks counted.
  public var ticks: UInt64 = 0
  /// The latest of all.
  public var maximumNanoseconds: UInt64 = 0
  /// Those that counted any, in order; each is 6 % wide.
  public var buckets: [Bucket] = []

  /// Half of the ticks were no later.
  public var medianNanoseconds: UInt64 { quantile(0.5) }
  /// 99 of 100 ticks were no later.
  public var p99Nanoseconds: UInt64 { quantile(0.99) }

  init() {}

  /// Leaves out what was counted before; the maximum is exact to the width of a bucket then.
  mutating func leaveOut(_ earlier: Lateness) {
    ticks &-= earlier.ticks
    for before in earlier.buckets {
      guard let i = buckets.firstIndex(where: { $0.endNanoseconds == before.endNanoseconds }) else {
        continue
      }
      buckets[i].ticks &-= before.ticks
      if buckets[i].ticks == 0 { buckets.remove(at: i) }
    }
    maximumNanoseconds = min(maximumNanoseconds, buckets.last?.endNanoseconds ?? 0)
  }

  /// The lateness that a share of the ticks did not exceed, exact to 6 %; 0 where there are none.
  public func quantile(_ share: Double) -> UInt64 {
    let wanted = min(max(share, 0), 1) * Double(ticks)
    var seen: UInt64 = 0
    for bucket in buckets {
      seen &+= bucket.ticks
      if Double(seen) >= wanted { return min(bucket.endNanoseconds, maximumNanoseconds) }
    }
    return maximumNanoseconds
  }
}
