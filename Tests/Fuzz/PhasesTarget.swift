/// Phases and labels behind a small trace: whatever the chunk says, what is read is what docs/trace-format.md makes of it.
///
/// The input: for each record a byte with its kind in the lowest three bits, a byte each for id, parent and time, and a
/// byte for the length of a name that follows; a kind of 7 is 128 bytes as they are. A byte 0xFE begins another
/// chunk.
enum PhasesTarget: FuzzTarget {
  static var name: String { "phases" }
  static var longestInput: Int { 1024 }

  private static let path = FuzzDirectory.path + "/phases.bin"
  private static let trace = SeedTrace(fast: 3, medium: 1, slow: 1, marks: [1, 2, 2])

  static func run(_ input: FuzzInput) {
    var input = input
    var payloads: [[UInt8]] = [[]]
    while !input.isAtEnd {
      let kind = input.byte()
      if kind == 0xFE {
        payloads.append([])
        continue
      }
      payloads[payloads.count - 1] += kind & 7 == 7 ? input.take(128) : record(kind, &input)
    }
    let end = UInt64(trace.bytes().count)
    let chunks = payloads.map { TraceChunk(type: "PHAS", payload: $0) }
    FuzzFile.place(trace.bytes { $0.chunksOffset = end } + TraceChunk.encoded(chunks), at: path)
    do throws(FNVMError) {
      let read = try Trace(path: SystemPath(path))
      // Records do not go over from one chunk into the next.
      compare(read, payloads.flatMap { $0.prefix($0.count / 128 * 128) })
    } catch {
      check(false, "phases do no harm to a trace: \(error.message)")
    }
  }

  private static func record(_ kind: UInt8, _ input: inout FuzzInput) -> [UInt8] {
    func u64(_ value: UInt64) -> [UInt8] { withUnsafeBytes(of: value.littleEndian) { Array($0) } }
    let (id, parent, time) = (input.byte(), input.byte(), input.byte())
    let name = input.take(Int(input.byte() % 96)).prefix(88)
    // Some numbers at the end of what there is.
    func wide(_ byte: UInt8) -> UInt64 {
      byte > 0xF0 ? UInt64.max - UInt64(byte & 15) : UInt64(byte)
    }
    let fixed = u64(wide(time) &* 100_000) + u64(1) + [kind & 7, 0, 0, 0, 9, 0, 0, 0]
    return fixed + u64(wide(id)) + u64(wide(parent)) + name
      + [UInt8](repeating: 0, count: 88 - name.count)
  }

  private struct Expected {
    var parent: UInt64
    var depth: Int
    var begin: UInt64
    var end: UInt64?
    var name: String
  }

  /// Slowly, with a dictionary.
  private static func compare(_ read: Trace, _ payload: [UInt8]) {
    var phases: [UInt64: Expected] = [:]
    var order: [UInt64] = []
    var labels: [(id: UInt64, text: String)] = []
    for at in stride(from: 0, to: payload.count, by: 128) {
      func u64(_ offset: Int) -> UInt64 {
        Reference.integer(payload[(at + offset)..<(at + offset + 8)])
      }
      let id = u64(24)
      let name = String(
        decoding: payload[(at + 40)..<(at + 127)].prefix { $0 != 0 }, as: UTF8.self)
      switch u64(16) & 0xFFFF_FFFF {
      case 1:
        if id <= 3 && id > labels.last?.id ?? 0 { labels.append((id, name)) }
      case 2:
        if id <= order.last ?? 0 { continue }
        let parent = phases[u64(32)] == nil ? 0 : u64(32)
        let depth = phases[parent].map { $0.depth + 1 } ?? 0
        phases[id] = Expected(parent: parent, depth: depth, begin: u64(0), end: nil, name: name)
        order.append(id)
      case 3: if phases[id] != nil && phases[id]?.end == nil { phases[id]?.end = u64(0) }
      default: break
      }
    }
    let given = read.phases
    check(given.map(\.id) == order, "phases \(order), not \(given.map(\.id))")
    for phase in given {
      guard let expected = phases[phase.id] else { continue }
      check(phase.name == expected.name, "its name is \(expected.name)")
      check(phase.parent ?? 0 == expected.parent, "it is inside of \(expected.parent)")
      check(phase.depth == expected.depth, "it is \(expected.depth) deep")
      check(phase.beginNanoseconds == expected.begin, "it begins when it began")
      check(phase.wasEnded == (expected.end != nil), "it says whether it was ended")
      // The last fast sample is at 3 ms.
      let end = max(expected.end ?? 3_000_000, expected.begin)
      check(phase.endNanoseconds == end, "it ends at \(end), not \(phase.endNanoseconds)")
    }
    let texts = read.syncLabels
    check(texts.map(\.syncID) == labels.map(\.id), "sync points have labels once, where they are")
    check(texts.map(\.text) == labels.map(\.text), "and their own")
  }

  static var seeds: [[UInt8]] {
    let begin: [UInt8] = [2, 1, 0, 1, 2, 0x61, 0x62]
    let inner: [UInt8] = [2, 2, 1, 2, 1, 0x63]
    return [
      [], begin, begin + inner + [3, 2, 0, 3, 0, 3, 1, 0, 4, 0], begin + begin,
      begin + [3, 1, 0, 0, 0, 3, 1, 0, 9, 0], [3, 1, 0, 1, 0] + begin,
      [1, 1, 0, 1, 3, 0x78, 0x79, 0x7A, 1, 3, 0, 2, 0, 1, 4, 0, 2, 0, 1, 2, 0, 2, 0],
      begin + [0xFE] + inner, begin + [7, 1, 2, 3] + inner,
      [2, 0xFF, 0xFF, 0xFF, 4, 0xC3, 0x28, 0xFF, 0],
      [2, 3, 3, 1, 0], [2, 5, 9, 1, 90] + [UInt8](repeating: 0xC3, count: 90),
      [0, 1, 1, 1, 0, 6, 1, 1, 1, 0],
    ]
  }
}
