/// What lies on disk after a crash: a trace and the files beside it.
struct CrashScene {
  static let suffixes = [".fnvm-medium", ".fnvm-slow", ".fnvm-sync", ".fnvm-journal"]
  static let recordSizes = [98, 104, 72, 16]
  static let journal = 3

  var trace: [UInt8]
  /// In the order of `suffixes`; nil where there is none.
  var sidecars: [[UInt8]?]

  static let metadataSuffix = ".fnvm-meta"

  /// The metadata kept beside the trace: none, whole, with a bit that fell over, cut or torn, as the length of the
  /// trace has it.
  var metadata: [UInt8]? {
    let chunk = TraceChunk(type: "META", payload: Array("{\"a\":1}".utf8))
    var bytes = TraceChunk.encoded([chunk])
    switch trace.count % 5 {
    case 0: return nil
    case 1: return bytes
    case 2: bytes[trace.count / 5 % bytes.count] ^= 4
    case 3: bytes.removeLast(1 + trace.count / 5 % bytes.count)
    default: bytes += bytes
    }
    return bytes
  }

  /// The chunks that a recovery appends.
  var keptChunks: [UInt8] { trace.count % 5 == 1 ? metadata ?? [] : [] }

  func place(at path: String) {
    FuzzFile.place(metadata, at: path + Self.metadataSuffix)
    for (suffix, sidecar) in zip(Self.suffixes, sidecars) {
      FuzzFile.place(sidecar, at: path + suffix)
    }
    FuzzFile.place(trace, at: path)
  }

  /// The records of a stream, and whatever is behind them; nil where there is no file.
  func stream(_ index: Int) -> [UInt8]? {
    index == 0 ? Array(trace.dropFirst(728)) : sidecars[index - 1]
  }

  // MARK: - Made from an input

  /// The files as they are: their sizes (2 bytes each; 0xFFFF: there is none), their contents one after
  /// the other, and the trace.
  init(raw input: inout FuzzInput) {
    let sizes = Self.suffixes.map { _ in Int(input.integer(bytes: 2)) }
    sidecars = sizes.map { $0 == 0xFFFF ? nil : input.take($0) }
    trace = Array(input.rest)
  }

  /// What a recorder would have left, its journal with the checksums that belong there, and damage done
  /// to that afterwards.
  ///
  /// Four bytes say how many records there are of each stream; one what the header says of that, one which of
  /// the files beside the trace are missing, one how many blocks follow, each a byte: the stream in
  /// the lowest two bits, then how many records. The rest is damage.
  init(built input: inout FuzzInput) {
    let counts = (0..<4).map { _ in Int(input.byte() % 24) }
    let state = input.byte()
    let missing = input.byte()
    var whole = SeedTrace(
      fast: counts[0], medium: counts[1], slow: counts[2],
      marks: (0..<counts[3]).map { UInt64($0 * max(counts[0], 1) / max(counts[3], 1)) })
    let contents = [whole.fastBytes, whole.mediumBytes, whole.slowBytes, whole.syncBytes]
    var header = whole.header {
      $0.isClosed = state & 0x40 != 0
      if state & 1 == 0 { whole = SeedTrace() }
      $0.fastSampleCount = UInt64(whole.fast)
      $0.mediumSampleCount = UInt64(whole.medium)
      $0.slowSampleCount = UInt64(whole.slow)
      $0.syncPointCount = UInt64(whole.marks.count)
      $0.droppedSamples = UInt64(state >> 2 & 3)
    }
    if state & 2 != 0 {
      header.fastSampleCount = UInt64(input.byte())
      header.slowSampleCount = UInt64(input.byte())
    }
    trace = header.encoded() + contents[0]
    // The crash came while the spools were being appended.
    if state & 0x10 != 0 { trace += contents[1] + contents[2] + contents[3] }

    sidecars = Array(contents.dropFirst()) + [Self.journal(of: contents, &input)]
    for i in 0..<4 where missing & (1 << i) != 0 { sidecars[i] = nil }
    while !input.isAtEnd { damage(&input) }
  }

  private static func journal(of contents: [[UInt8]], _ input: inout FuzzInput) -> [UInt8] {
    var bytes: [UInt8] = []
    var next = [0, 0, 0, 0]
    let sum = Checksum()
    for _ in 0..<(input.byte() % 32) {
      let block = input.byte()
      let index = Int(block & 3)
      let size = recordSizes[index]
      let count = Int(block >> 2 & 15)
      let content = contents[index].dropFirst(next[index] * size).prefix(count * size)
      let entry = JournalEntry(
        stream: TraceStream(rawValue: index) ?? .fast, count: UInt32(count),
        // Now and then an entry was lost.
        first: UInt64(next[index]) + (block & 0x80 != 0 ? UInt64(block >> 6) : 0),
        checksum: Reference.crc32(content))
      next[index] += count
      var encoded = [UInt8](repeating: 0, count: JournalEntry.size)
      encoded.withUnsafeMutableBytes { entry.encode(to: $0, sum) }
      bytes += encoded
    }
    return bytes
  }

  /// Does to one file what the next bytes say.
  private mutating func damage(_ input: inout FuzzInput) {
    let what = input.byte()
    let file = Int(what >> 4) % 5
    var bytes = (file == 0 ? trace : sidecars[file - 1]) ?? []
    let isThere = file == 0 || sidecars[file - 1] != nil
    let at = Int(input.integer(bytes: 2)) % max(bytes.count, 1)
    switch what & 7 {
    case 0: if at < bytes.count { bytes[at] ^= 1 << (input.byte() & 7) }
    case 1: if at < bytes.count { bytes[at] = input.byte() }
    case 2:
      let end = min(at + Int(input.byte()), bytes.count)
      for i in at..<max(at, end) { bytes[i] = 0 }
    case 3: bytes.removeLast(bytes.count - at)
    case 4: bytes += [UInt8](repeating: 0, count: Int(input.byte()))
    case 5: bytes += input.take(Int(input.byte() % 128))
    case 6:
      for (i, byte) in input.take(8).enumerated() where at + i < bytes.count {
        bytes[at + i] = byte
      }
    default:
      // An entry that says what was never written, under a checksum of its own that is right.
      let entry = at / 32 * 32
      guard file == Self.journal + 1, entry + 32 <= bytes.count else { break }
      bytes[at] = input.byte()
      let own = Reference.crc32(bytes[entry..<(entry + 28)])
      for k in 0..<4 { bytes[entry + 28 + k] = UInt8(own >> (8 * k) & 0xFF) }
    }
    if !isThere { return }
    if file == 0 { trace = bytes } else { sidecars[file - 1] = bytes }
  }

  // MARK: - What a recovery makes of it, by docs/trace-format.md

  struct Outcome {
    /// Only the last step of the completion was lost.
    var isWholeAlready = false
    /// The header counts only some of the fast samples of a block: no recorder leaves that.
    var isBlockCut = false
    var counts: [Int] = []
    var dropped: UInt64 = 0
  }

  /// No chunks, or some up to the end of the file.
  private var hasWholeChunks: Bool {
    let start = Reference.integer(trace[696..<704])
    if start == 0 { return true }
    if start >= UInt64(trace.count) { return false }
    var at = Int(start)
    while at < trace.count {
      if trace.count - at < 12 || Reference.integer(trace[at..<(at + 4)]) == 0 { return false }
      let length = Reference.integer(trace[(at + 4)..<(at + 12)])
      if length > UInt64(trace.count) { return false }
      at += 16 + Int(length)
    }
    return at == trace.count
  }

  /// Of an unfinished trace.
  var outcome: Outcome {
    let claimed = (0..<4).map { Reference.integer(trace[(56 + 8 * $0)..<(64 + 8 * $0)]) }
    let isClosing = claimed.contains { $0 > 0 }
    let dropped = Reference.integer(trace[704..<708])
    if isClosing, isLongEnough(claimed), hasWholeChunks, sidecars.prefix(3).contains(where: { $0 == nil }) {
      return Outcome(isWholeAlready: true, counts: claimed.map { Int($0) }, dropped: dropped)
    }
    var there = (0..<4).map { (stream($0)?.count ?? 0) / Self.recordSizes[$0] }
    if isClosing {
      for i in 0..<4 { there[i] = Int(min(UInt64(there[i]), claimed[i])) }
    }
    let good: [Int]
    var isBlockCut = false
    if let journal = sidecars[Self.journal] {
      let vouched = vouched(journal)
      good = zip(vouched, there).map { min($0, $1) }
      isBlockCut = vouched[0] > there[0]
    } else {
      good = (0..<4).map { plausible($0, there[$0]) }
    }
    let lost = (0..<3).reduce(0) { $0 + there[$1] - good[$1] }
    var outcome = Outcome(
      isBlockCut: isBlockCut, counts: good,
      dropped: min(dropped + UInt64(lost), UInt64(UInt32.max)))
    while outcome.counts[3] > 0, mark(outcome.counts[3] - 1) >= UInt64(good[0]) {
      outcome.counts[3] -= 1
    }
    return outcome
  }

  private func isLongEnough(_ claimed: [UInt64]) -> Bool {
    var size: UInt64 = 728
    for (count, recordSize) in zip(claimed, Self.recordSizes) {
      // More than any file has, and sums cannot overflow.
      if count > 1 << 40 { return false }
      size += count * UInt64(recordSize)
    }
    return size <= UInt64(trace.count)
  }

  /// Records in blocks that are intact and that the journal vouches for, without a gap.
  private func vouched(_ journal: [UInt8]) -> [Int] {
    var good = [0, 0, 0, 0]
    var isOver = [false, false, false, false]
    var at = 0
    while at + 32 <= journal.count {
      let entry = Array(journal[at..<(at + 32)])
      at += 32
      let index = Reference.integer(entry[0..<4])
      if Reference.integer(entry[28..<32]) != UInt64(Reference.crc32(entry[0..<28])) { break }
      if index > 4 { break }
      // Phases: their file is not part of the scene.
      if index == 4 { continue }
      let stream = Int(index)
      if isOver[stream] { continue }
      let count = Reference.integer(entry[4..<8])
      let size = Self.recordSizes[stream]
      let start = good[stream] * size
      let content = self.stream(stream) ?? []
      if Reference.integer(entry[8..<16]) == UInt64(good[stream]),
        self.stream(stream) != nil,
        start + Int(count) * size <= content.count || count == 0,
        Reference.integer(entry[16..<20])
          == UInt64(Reference.crc32(content.dropFirst(start).prefix(Int(count) * size)))
      {
        good[stream] += Int(count)
      } else {
        isOver[stream] = true
      }
    }
    return good
  }

  /// Records before the first that cannot be one, less one where there is such a one.
  private func plausible(_ index: Int, _ there: Int) -> Int {
    let content = stream(index) ?? []
    var lastTime = 0.0
    var lastID: UInt64 = 0
    for i in 0..<there {
      let at = content.startIndex + i * Self.recordSizes[index]
      let bits = Reference.integer(content[at..<(at + 8)])
      let time = Double(bitPattern: bits)
      let isGood = index == 3 ? bits > lastID : time.isFinite && time > lastTime
      if !isGood { return max(i - 1, 0) }
      (lastTime, lastID) = (time, bits)
    }
    return there
  }

  /// The fast sample of a sync point.
  private func mark(_ i: Int) -> UInt64 {
    Reference.integer((stream(3) ?? [])[(16 * i + 8)..<(16 * i + 16)])
  }
}
