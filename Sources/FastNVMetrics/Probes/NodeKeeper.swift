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
  private let news = NodeNews.allocate()
  /// Posted to end the thread.
  let stopWord = FutexWord(0)

  deinit { news.deallocate() }

  /// How often nodes that went away are looked for.
  private static let interval: UInt64 = 250_000_000
  /// Nodes that have never been found are looked for in every fourth round, once a second, and so are files that
  /// another path leads to by now.
  private static let roundsPerSearch = 4

  /// A node, opened now where its file is there. It must not outlive the keeper.
  func node(_ locator: NodeLocator) -> Node {
    let watch = NodeWatch(locator, news: news)
    watches.append(watch)
    return Node(watch)
  }

  /// The body of the thread, until `stopWord` is posted.
  func run() {
    let stop = stopWord.reference
    var round = 0
    while !stop.wait(while: 0, until: Clock.monotonic() &+ Self.interval) {
      round = (round + 1) % Self.roundsPerSearch
      let isLong = round == 0
      for watch in watches {
        watch.tend(searching: isLong, looking: isLong)
        if stop.value != 0 { return }
      }
    }
  }
}
