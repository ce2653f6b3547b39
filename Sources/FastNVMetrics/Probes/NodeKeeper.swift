internal import CFastNVMetricsShims

/// Opens nodes, and finds them again while the tiers run: the slow half of reading, on a thread of
/// its own.
///
/// Its thread keeps it alive, and so does whoever reads its nodes: one that hangs in a file system outlives the
/// recording.
final class NodeKeeper: @unchecked Sendable {
  // Watches are added before the thread starts and freed when nobody uses them any more; between, only the
  // thread walks the list. What the ticks share of a mailbox is atomic.
  private var watches: [NodeWatch] = []
  /// Posted to end the thread.
  let stopWord = FutexWord(0)

  /// How often nodes that went away are looked for.
  private static let interval: UInt64 = 250_000_000
  /// Nodes that have never been found are looked for in every fourth round: once a second.
  private static let roundsPerSearch = 4

  /// A node, opened now where its file is there. It must not outlive the keeper.
  func node(_ locator: NodeLocator) -> Node {
    let watch = NodeWatch(locator)
    watches.append(watch)
    return Node(watch)
  }

  /// The body of the thread, until `stopWord` is posted.
  func run() {
    let stop = stopWord.reference
    var round = 0
    while !stop.wait(while: 0, until: Clock.monotonic() &+ Self.interval) {
      round = (round + 1) % Self.roundsPerSearch
      for watch in watches {
        watch.tend(searching: round == 0, looking: round % 2 == 0)
        if stop.value != 0 { return }
      }
    }
  }
}
