internal import Glibc

/// Chunks behind a small trace: what is given out is what the file holds, under a checksum that is right.
///
/// The input: a byte that says where the header has the chunks, 8 bytes for that, a byte whose bits say
/// which of the first eight chunks get the checksum of what they hold, and what follows the records.
enum ChunksTarget: FuzzTarget {
  static var name: String { "chunks" }
  static var longestInput: Int { 768 }

  private static let path = FuzzDirectory.path + "/chunks.bin"
  private static let trace = SeedTrace(fast: 2, medium: 1, slow: 1, marks: [1])

  static func run(_ input: FuzzInput) {
    var input = input
    let place = input.byte()
    let number = input.integer(bytes: 8)
    let mended = input.byte()
    let tail = Array(input.rest)

    let records = trace.bytes()
    let end = UInt64(records.count)
    let offset: UInt64
    switch place % 6 {
    case 0: offset = end
    case 1: offset = end + number % 64
    case 2: offset = number % (end + UInt64(tail.count) + 32)
    case 3: offset = number
    case 4: offset = UInt64.max - number % 64
    default: offset = 0
    }
    var bytes = trace.bytes { $0.chunksOffset = offset } + tail
    // Damage of the records is none of this target's business: checksums are mended behind them.
    for (i, chunk) in walk(bytes, from: offset).prefix(8).enumerated()
    where mended & (1 << i) != 0 && !chunk.isCut && chunk.start >= records.count {
      let checksum = Reference.crc32(bytes[chunk.payload])
      for k in 0..<4 { bytes[chunk.start + 12 + k] = UInt8(checksum >> (8 * k) & 0xFF) }
    }
    FuzzFile.place(bytes, at: path)
    do throws(FNVMError) {
      let trace = try Trace(path: SystemPath(path))
      checkChunks(trace, bytes, offset)
      FuzzFile.place(records, at: path)
      checkSamples(trace, try Trace(path: SystemPath(path)))
      try checkRoundTrip(tail, at: end)
    } catch {
      check(false, "chunks do no harm to a trace: \(error.message)")
    }
  }

  /// A chunk as docs/trace-format.md has it.
  private struct Chunk {
    var start: Int
    var payload: Range<Int>
    var isCut = false
  }

  private static func walk(_ bytes: [UInt8], from offset: UInt64) -> [Chunk] {
    if offset == 0 || offset >= UInt64(bytes.count) { return [] }
    var chunks: [Chunk] = []
    var at = Int(offset)
    while at < bytes.count {
      let body = at + 16
      var chunk = Chunk(start: at, payload: at..<at, isCut: true)
      if body <= bytes.count, isType(bytes[at..<(at + 4)]) {
        let length = Reference.integer(bytes[(at + 4)..<(at + 12)])
        if length <= UInt64(bytes.count - body) {
          chunk = Chunk(start: at, payload: body..<(body + Int(length)))
        }
      }
      chunks.append(chunk)
      if chunk.isCut { break }
      at = chunk.payload.upperBound
    }
    return chunks
  }

  private static func isType(_ bytes: ArraySlice<UInt8>) -> Bool {
    bytes.allSatisfy { (0x20...0x7E).contains($0) }
  }

  private static func checkChunks(_ trace: Trace, _ bytes: [UInt8], _ offset: UInt64) {
    let expected = walk(bytes, from: offset)
    check(trace.chunkCount <= bytes.count / 16 + 1, "chunks are not made of nothing")
    check(
      trace.chunkCount == expected.count, "\(expected.count) chunks, not \(trace.chunkCount)")
    for (i, chunk) in expected.enumerated() {
      let payload = bytes[chunk.payload]
      let isGood =
        !chunk.isCut
        && Reference.integer(bytes[(chunk.start + 12)..<(chunk.start + 16)])
          == UInt64(Reference.crc32(payload))
      do throws(FNVMError) {
        let given = try trace.chunk(i)
        check(isGood, "chunk \(i) is damaged")
        check(
          Array(given.type.utf8) == Array(bytes[chunk.start..<(chunk.start + 4)]),
          "chunk \(i) has the type that is in the file, not \(given.type)")
        check(given.payload == Array(payload), "chunk \(i) is what is in the file")
      } catch {
        check(!isGood, "chunk \(i) is good, and is refused: \(error.message)")
        check(
          error.code == .format && error.message.hasPrefix("Corrupt chunk"),
          "a chunk is refused as one: \(error.message)")
      }
    }
    for i in [-1, expected.count, Int.max] {
      do throws(FNVMError) {
        _ = try trace.chunk(i)
        check(false, "there is no chunk \(i)")
      } catch {
        check(error.code == .invalid, "a chunk that is not there is none: \(error.message)")
      }
    }
  }

  private static func checkSamples(_ trace: Trace, _ plain: Trace) {
    func isSame(_ bytes: (Trace) -> UnsafeRawBufferPointer) -> Bool {
      bytes(trace).elementsEqual(bytes(plain))
    }
    check(
      isSame(\.fastBytes) && isSame(\.mediumBytes) && isSame(\.slowBytes)
        && isSame(\.syncPointBytes), "samples are read the same")
    let times = [trace, plain].map { $0.fast.map(\.timeSeconds) + $0.medium.map(\.timeSeconds) }
    check(times[0] == times[1], "and say the same")
  }

  /// What is written as chunks is read as those: pieces of the input, cut at 0xFF.
  private static func checkRoundTrip(
    _ content: [UInt8], at end: UInt64
  ) throws(FNVMError) {
    let payloads = content.split(separator: FuzzInput.separator, omittingEmptySubsequences: false)
    let types = ["META", "A", "", "LONGER", "zZ9 "]
    let stored = ["META", "A   ", "    ", "LONG", "zZ9 "]
    let written = payloads.enumerated().map { i, payload in
      TraceChunk(type: types[i % types.count], payload: Array(payload))
    }
    FuzzFile.place(
      trace.bytes { $0.chunksOffset = end } + TraceChunk.encoded(written),
      at: path)
    let read = try Trace(path: SystemPath(path))
    check(read.chunkCount == written.count, "all chunks are there again")
    for (i, chunk) in written.enumerated() {
      let again = try read.chunk(i)
      check(again.payload == chunk.payload, "chunk \(i) is what was written")
      check(again.type == stored[i % stored.count], "and of its type: \(again.type)")
    }
  }

  static var seeds: [[UInt8]] {
    func seed(_ place: UInt8, _ number: [UInt8], _ mended: UInt8, _ tail: [UInt8]) -> [UInt8] {
      [place] + number + [UInt8](repeating: 0, count: 8 - number.count) + [mended] + tail
    }
    let one = TraceChunk.encoded([TraceChunk(type: "META", payload: Array("a=b\n".utf8))])
    let several = TraceChunk.encoded([
      TraceChunk(type: "META", payload: []), TraceChunk(type: "MODE", payload: [1, 2, 3, 4, 255]),
      TraceChunk(type: "    ", payload: [UInt8](0...200)),
    ])
    let endless = Array("META".utf8) + [UInt8](repeating: 0xFF, count: 12) + [1, 2, 3]
    let unchecked = Array("META".utf8) + [2, 0, 0, 0, 0, 0, 0, 0, 9, 9, 9, 9, 7, 7]
    return [
      seed(0, [], 0, one), seed(0, [], 0, several), seed(0, [], 0, several + one.dropLast()),
      seed(0, [], 0, one + endless), seed(0, [], 0, one + endless.prefix(9)),
      seed(0, [], 1, unchecked + one), seed(0, [], 0, unchecked + one),
      seed(1, [4], 0, [0, 0, 0, 0] + one), seed(1, [40], 0, one), seed(2, [1], 0, one),
      seed(2, [0xD8, 2], 0, one),
      seed(3, [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F], 0, one),
      seed(4, [], 0, one), seed(4, [20], 0, one), seed(5, [], 0, one), seed(0, [], 0, []),
      seed(0, [], 0, [UInt8](repeating: 0, count: 64)),
    ]
  }
}
