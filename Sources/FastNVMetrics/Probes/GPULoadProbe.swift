/// GPU load: per mille, "any engine busy", refreshed by the GPU's firmware every 16.7 ms.
struct GPULoadProbe: ~Copyable {
  private var load: Node
  private var runtimeStatus: Node
  private var held: UInt16 = 0
  /// Whether the GPU was ever read: what the header says of it.
  private(set) var isAvailable = false

  init(_ board: BoardConfig, keeper: NodeKeeper) {
    let path = board.gpuLoadPath
    let locator: NodeLocator =
      board.isDetected ? .gpuLoad(path, Root(board.root)) : .fixed(path)
    load = keeper.node(locator)
    let start = path.isEmpty ? locator.find() : path
    runtimeStatus = keeper.node(
      .fixed(start.isEmpty ? SystemPath() : start.parent.appending("power/runtime_status")))
  }

  /// The load now, 0 to 1000; the last good one where the read fails.
  ///
  /// A suspended GPU is 0 and is not asked: reading its registers would need it awake.
  mutating func read(_ scratch: borrowing Scratch, errors: inout UInt64) -> UInt16 {
    if runtimeStatus.isOpen, isSuspended(scratch) {
      held = 0
      isAvailable = true
      return 0
    }
    let reading = load.integer(scratch)
    if reading.isGood {
      held = UInt16(truncatingIfNeeded: min(max(reading.value, 0), 1000))
      isAvailable = true
    } else if load.wasEverOpen {
      errors &+= 1
    }
    return held
  }

  private mutating func isSuspended(_ scratch: borrowing Scratch) -> Bool {
    let count = runtimeStatus.read(scratch.base, 16)
    if count <= 0 { return false }
    var scanner = ByteScanner(scratch.base, count: count)
    return scanner.consume("suspended")
  }
}
