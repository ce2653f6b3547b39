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
    var expectedErrors: UInt64 = 0
    var tally = ReadTally()
    var words = [UInt32](repeating: 0, count: MemoryProbe.wordCount)
    for text in texts {
      file.set(text)
      node.content = text
      let (bytes, errno) = node.read(512)
      if errno == 0, let memory = parse(bytes) { held = memory } else { expectedErrors += 1 }
      check(probe.read(at: 0, into: &words, scratch, &tally), "it is read whenever it is asked for")
      let used = UInt64(words[1]) << 32 | UInt64(words[0])
      let available = UInt64(words[3]) << 32 | UInt64(words[2])
      check(
        (used, available) == held,
        "the values are \(held), or the last good ones, not \((used, available))")
      check(tally.errors == expectedErrors, "what gives no values is an error")
      check(used <= UInt64(Int64.max), "used memory is not negative")
    }
    withExtendedLifetime(keeper) {}
  }

  private static func parse(_ text: [UInt8]) -> (used: UInt64, available: UInt64)? {
    var total: Int64 = -1
    var available: Int64 = -1
    for line in Reference.lines(text) where total < 0 || available < 0 {
      let (isTotal, isAvailable) = (starts(line, "MemTotal:"), starts(line, "MemAvailable:"))
      if !isTotal && !isAvailable { continue }
      let number = Reference.number(line.dropFirst(isTotal ? 9 : 13))?.value ?? -1
      if isTotal { total = number } else { available = number }
    }
    if total < 0 || available < 0 { return nil }
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
    return texts + late + [Array(texts.joined(separator: [FuzzInput.separator]))]
  }
}
