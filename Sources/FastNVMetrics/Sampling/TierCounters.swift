internal import Synchronization

/// What a tier had to leave out, readable from any thread while it runs. Written by the tier alone.
struct TierCounters: ~Copyable {
  let missed = Atomic<UInt64>(0)
  let dropped = Atomic<UInt64>(0)
  let readErrors = Atomic<UInt64>(0)
  let negativeCurrents = Atomic<UInt64>(0)
  /// Whether the fast tier has read the GPU and the EMC at least once.
  let isGPUAvailable = Atomic<Bool>(false)
  let isEMCAvailable = Atomic<Bool>(false)
}
