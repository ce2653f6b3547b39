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
