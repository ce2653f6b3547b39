internal import Synchronization

/// What a tier did and had to leave out, readable from any thread while it runs. Written by the tier alone.
struct TierCounters: ~Copyable {
  let missed = Atomic<UInt64>(0)
  let dropped = Atomic<UInt64>(0)
  let lateness = LatenessHistogram()
  /// Of the fast tier: where GPU load comes from (`GPUSource`), and whether EMC utilisation was read.
  let gpuSource = Atomic<UInt32>(0)
  let wasGPUContradicted = Atomic<Bool>(false)
  let isEMCAvailable = Atomic<Bool>(false)
}
