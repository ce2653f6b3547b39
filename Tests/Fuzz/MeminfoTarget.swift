/// Texts in the place of /proc/meminfo, read one after the other.
enum MeminfoTarget: FuzzTarget {
  static var name: String { "meminfo" }
  static var longestInput: Int { 1536 }

  private static let file: FuzzFile = {
    FuzzDirectory.make("meminfo/proc")
    return FuzzFile(FuzzDirectory.path + "/meminfo/proc/meminfo")
  }()

  static func run(_ input: FuzzInput) {
    FakeKernel.hasFailures = true
    let texts = input.rest.split(
      separator: FuzzInput.separator, maxSplits: 8, omittingEmptySubsequences: false
    ).map { Array($0) }
    file.set(texts[0])
    let scratch = Scratch(byteCount: 4096)
    let keeper = NodeKeeper()
    var probe = MemoryProbe(
      root: Root(SystemPath(FuzzDirectory.path + "/meminfo")), interval: 0, keeper: keeper)
    var node = NodeModel(texts[0])
    var held = (used: UInt64(0), available: UInt64(0))
    var tally = ReadTally()
    var words = [UInt32](repeating: 0, count: MemoryProbe.wordCount)
    for text in texts {
      file.set(text)
      node.content = text
      let (bytes, errno) = node.read(512)
      let errorsBefore = tally.errors
      check(probe.read(at: 0, into: &words, scratch, &tally), "it is read whenever it is asked for")
      let failed = tally.errors - errorsBefore
      let used = UInt64(words[1]) << 32 | UInt64(words[0])
      let available = UInt64(words[3]) << 32 | UInt64(words[2])
      let found = errno == 0 ? lines(bytes) : (totals: [], available: [])
      // Where a line is there twice nobody can say which of them is meant.
      if found.totals.count > 1 || found.available.count > 1 {
        let isFound = found.available.contains { a in
          found.totals.contains { memory($0, a).map { $0 == (used, available) } ?? false }
        }
        check(
          failed == 0 ? isFound : failed == 1 && (used, available) == held,
          "the values are from the text, or the last good ones, not \((used, available))")
        held = (used, available)
      } else {
        let good = memory(found.totals.first, found.available.first)
        if let good { held = good }
        check(
          (used, available) == held,
          "the values are \(held), or the last good ones, not \((used, available))")
        check(failed == (good == nil ? 1 : 0), "what gives no values is an error")
      }
      check(used <= UInt64(Int64.max), "used memory is not negative")
    }
    withExtendedLifetime(keeper) {}
  }

  /// What stands on the lines of the two, −1 where that is no number.
  private static func lines(_ text: [UInt8]) -> (totals: [Int64], available: [Int64]) {
    var found: (totals: [Int64], available: [Int64]) = ([], [])
    for line in Reference.lines(text) {
      if starts(line, "MemTotal:") {
        found.totals.append(Reference.number(line.dropFirst(9))?.value ?? -1)
      } else if starts(line, "MemAvailable:") {
        found.available.append(Reference.number(line.dropFirst(13))?.value ?? -1)
      }
    }
    return found
  }

  private static func memory(
    _ total: Int64?, _ available: Int64?
  ) -> (used: UInt64, available: UInt64)? {
    guard let total, let available, total >= 0, available >= 0 else { return nil }
    return (UInt64(max(total - available, 0)), UInt64(available))
  }

  private static func starts(_ line: ArraySlice<UInt8>, _ word: String) -> Bool {
    line.starts(with: Array(word.utf8))
  }

  static var seeds: [[UInt8]] {
    let texts = [
      """
      MemTotal:       31350604 kB
      MemFree:        25880432 kB
      MemAvailable:   28419708 kB
      Buffers:          101452 kB
      Cached:          2655888 kB
      SwapCached:            0 kB

      """,
      "MemTotal: 100 kB\nMemAvailable: 200 kB\n",
      "MemAvailable:\t7\nMemTotal:\n9\nMemTotal: 9 kB\n",
      "MemTotal: 99999999999999999999 kB\nMemAvailable: 0 kB\n", "MemTotal: -1\nMemAvailable: 5\n",
      "!4", "",
    ].map { Array($0.utf8) }
    // Where the kernel would print more before them, only 512 bytes are read.
    let late = [13, 476, 485, 486, 490, 600].map { [UInt8](repeating: 0x0A, count: $0) + texts[1] }
    let moving = [
      texts[0], texts[0], texts[1], texts[1], Array("MemAvailable: 5\n".utf8) + texts[0],
    ]
    return texts + late + [Array(moving.joined(separator: [FuzzInput.separator]))] + [
      Array(texts.joined(separator: [FuzzInput.separator]))
    ]
  }
}
