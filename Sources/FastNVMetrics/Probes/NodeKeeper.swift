internal import CFastNVMetricsShims

/// Opens nodes, and finds them again while the tiers run: the slow half of reading, on a thread of
/// its own.
final class NodeKeeper: @unchecked Sendable {
  // Watches are added before the thread starts and freed after it was joined; between, only the
  // thread walks the list. What the ticks share of a mailbox is atomic.
  private var watches: [NodeWatch] = []

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

  /// The body of the thread, until `stop` is posted.
  func run(stop: FutexReference) {
    var round = 0
    while !stop.wait(while: 0, until: Clock.monotonic() &+ Self.interval) {
      round = (round + 1) % Self.roundsPerSearch
      for watch in watches {
        watch.tend(searching: round == 0)
        if stop.value != 0 { return }
      }
    }
  }
}
