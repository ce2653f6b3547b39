internal import Synchronization

/// Where a node and the keeper meet: the tick asks for a descriptor, the keeper leaves one.
///
/// | | written by the tick | written by the keeper |
/// |---|---|---|
/// | `isWanted` | true: its descriptor is gone | false, once it left another |
/// | `isStale` | false, with each descriptor it closes or takes | true: the path leads nowhere |
/// | `replacement` | −1: taken | a descriptor, asked for or better than the one there |
/// | `path` | | where that is, before it is left |
struct NodeMailbox: ~Copyable {
  let isWanted = Atomic<Bool>(false)
  let isStale = Atomic<Bool>(false)
  let replacement = Atomic<CInt>(-1)
  let path = Atomic<UnsafePointer<CChar>?>(nil)
}

/// Counts what the keeper left in any mailbox: at most ticks this one word, which all nodes share, is all there is to
/// look at.
struct NodeNews: @unchecked Sendable {
  // Allocated by the keeper, which outlives its nodes; only reached through Atomic.
  private let storage: UnsafeMutablePointer<Atomic<UInt32>>

  static func allocate() -> NodeNews {
    let storage = UnsafeMutablePointer<Atomic<UInt32>>.allocate(capacity: 1)
    storage.initialize(to: Atomic(0))
    return NodeNews(storage: storage)
  }

  func deallocate() {
    storage.deinitialize(count: 1)
    storage.deallocate()
  }

  var count: UInt32 { storage.pointee.load(ordering: .acquiring) }

  /// By the keeper, after it left something.
  func tell() { storage.pointee.wrappingAdd(1, ordering: .releasing) }
}
