internal import Glibc

/// Any bytes as what a crash left behind: a trace and the files beside it, recovered, read, and recovered again.
///
/// The input: a byte whose lowest bit says in which of its two ways `CrashScene` is made of the rest; the
/// others say where a recovery is killed.
enum RecoveryTarget: FuzzTarget {
  static var name: String { "recovery" }
  static var longestInput: Int { 3072 }

  private static let path = FuzzDirectory.path + "/crashed.bin"

  static func run(_ input: FuzzInput) {
    var input = input
    let mode = input.byte()
    let scene = mode & 1 == 0 ? CrashScene(raw: &input) : CrashScene(built: &input)
    scene.place(at: path)

    let headerRefusal = TraceTarget.headerRefusal(of: scene.trace)
    let isUnfinished = headerRefusal == nil && TraceTarget.isUnfinished(scene.trace)
    // One that was closed and is cut short is not made whole again.
    let refusal = isUnfinished ? nil : TraceTarget.refusal(of: scene.trace)
    do throws(FNVMError) {
      let isRecovered = try Trace.recover(path: SystemPath(path))
      check(refusal == nil, "what is no trace is refused: \(refusal ?? "")")
      check(isRecovered == isUnfinished, "unfinished traces are recovered and no others")
    } catch {
      check(error.code == .format, "\(error.message): only what is no trace is refused")
      check(refusal.map { error.message.hasPrefix($0) } ?? false, "refused as: \(error.message)")
    }
    if !isUnfinished {
      check(FuzzFile.content(at: path) == scene.trace, "a trace that is left alone does not change")
      for (suffix, sidecar) in zip(CrashScene.suffixes, scene.sidecars) {
        check(FuzzFile.content(at: path + suffix) == sidecar, "nor does its \(suffix)")
      }
      return
    }

    let expected = scene.outcome
    let recovered = FuzzFile.content(at: path) ?? []
    checkOutcome(scene, expected, recovered)
    checkAgain(recovered)
    if !expected.isWholeAlready && !expected.isBlockCut { checkKilled(scene, recovered, mode) }
  }

  /// Nothing but what was recorded, and all of it that is not damaged.
  private static func checkOutcome(
    _ scene: CrashScene, _ expected: CrashScene.Outcome, _ recovered: [UInt8]
  ) {
    do throws(FNVMError) {
      let trace = try Trace(path: SystemPath(path))
      let header = trace.header
      check(header.isRecovered && !header.isClosed, "it says that it was recovered")
      TraceTarget.readWhole(trace, recovered)
      let counts = header.recordCounts.map { Int($0) }
      check(counts == expected.counts, "\(expected.counts) records are good, not \(counts)")
      check(
        header.droppedSamples == expected.dropped,
        "\(expected.dropped) samples are missing, not \(header.droppedSamples)")
      if expected.isWholeAlready {
        check(
          recovered.dropFirst(728) == scene.trace.dropFirst(728), "what is whole does not change")
        return
      }
      let origins = (0..<4).map { scene.stream($0) ?? [] }
      let records = zip(zip(origins, CrashScene.recordSizes), expected.counts).flatMap {
        $0.0.0.prefix($0.0.1 * $0.1)
      }
      check(
        Array(recovered.dropFirst(728)) == records + scene.keptChunks,
        "the file has exactly its records, and the metadata that is whole")
      check(trace.chunkCount == (scene.keptChunks.isEmpty ? 0 : 1), "and no chunk besides")
      if scene.sidecars[CrashScene.journal] == nil { checkOrder(trace) }
      if let mark = trace.syncPoints.last {
        check(mark.fastSampleIndex < header.fastSampleCount, "a sample follows the last mark")
      }
    } catch {
      check(false, "a recovered trace can be read: \(error.message)")
    }
  }

  /// Without a journal, what cannot have been recorded in that order is left out.
  private static func checkOrder(_ trace: Trace) {
    func checkTimes(_ times: some Sequence<Double>, _ tier: String) {
      var last = 0.0
      for time in times {
        check(time.isFinite && time > last, "times of the \(tier) tier grow: \(time) after \(last)")
        last = time
      }
    }
    checkTimes(trace.fast.lazy.map(\.timeSeconds), "fast")
    checkTimes(trace.medium.lazy.map(\.timeSeconds), "medium")
    checkTimes(trace.slow.lazy.map(\.timeSeconds), "slow")
    var last: UInt64 = 0
    for point in trace.syncPoints {
      check(point.id > last, "marks are in order: \(point.id) after \(last)")
      last = point.id
    }
  }

  private static func checkAgain(_ recovered: [UInt8]) {
    do throws(FNVMError) {
      let isRecoveredAgain = try Trace.recover(path: SystemPath(path))
      check(!isRecoveredAgain, "recovering again does nothing")
    } catch {
      check(false, "a recovered trace is one: \(error.message)")
    }
    check(FuzzFile.content(at: path) == recovered, "recovering again changes no byte")
    for suffix in CrashScene.suffixes + [CrashScene.metadataSuffix] {
      check(access(path + suffix, F_OK) != 0, "\(suffix) is gone after recovery")
    }
  }

  /// A recovery that was killed behind the first step, with some of the spools appended, and is run again.
  private static func checkKilled(_ scene: CrashScene, _ recovered: [UInt8], _ mode: UInt8) {
    // Without counts it is as if nobody had begun; samples that are lost then are counted twice.
    let counts = (0..<4).map { Int(Reference.integer(recovered[(56 + 8 * $0)..<(64 + 8 * $0)])) }
    if counts.allSatisfy({ $0 == 0 }) { return }
    let end = 728 + 98 * counts[0]
    let appended = (recovered.count - end) * Int(mode >> 1 & 15) / 15
    var killed = scene
    killed.trace = Array(recovered.prefix(end + appended))
    killed.trace[664] &= ~4
    // The spools go first, and only when all is on disk.
    if appended == recovered.count - end {
      for i in 0..<min(Int(mode >> 5), 4) { killed.sidecars[i] = nil }
    }
    killed.place(at: path)
    FuzzFile.place(scene.metadata, at: path + CrashScene.metadataSuffix)
    do throws(FNVMError) {
      let isRecovered = try Trace.recover(path: SystemPath(path))
      check(isRecovered, "a recovery that was killed is run again")
    } catch {
      check(false, "a recovery that was killed can be run again: \(error.message)")
    }
    let again = FuzzFile.content(at: path) ?? []
    check(
      again == recovered,
      "it comes to the same: \(again.count) bytes, \(recovered.count); \(Reference.integer(again[704..<708])) lost, \(Reference.integer(recovered[704..<708]))"
    )
    checkAgain(recovered)
  }

  static var seeds: [[UInt8]] {
    let crashed = SeedTrace(fast: 3, medium: 2, slow: 1, marks: [1, 2])
    func unfinished(_ header: inout TraceHeader) { header.isClosed = false }
    func recording(_ header: inout TraceHeader) {
      header.isClosed = false
      header.fastSampleCount = 0
      header.mediumSampleCount = 0
      header.slowSampleCount = 0
      header.syncPointCount = 0
    }
    let spools = [crashed.mediumBytes, crashed.slowBytes, crashed.syncBytes]
    let trace = crashed.header(recording).encoded() + crashed.fastBytes
    let zeros = [UInt8](repeating: 0, count: 200)
    let raw = [
      seed(spools, trace), seed(spools, crashed.bytes(unfinished)),
      seed(spools, Array(crashed.bytes(unfinished).dropLast(40))),
      seed([nil, nil, nil], crashed.bytes(unfinished)), seed([nil, nil, nil], trace),
      seed(spools.map { $0 + zeros }, trace + zeros), seed(spools, crashed.bytes()),
      seed(spools.map { Array($0.dropLast(3)) }, Array(trace.dropLast(5))),
      seed([[], nil, crashed.syncBytes], crashed.header(recording).encoded()),
      seed(spools, trace, journal: journal(of: [crashed.fastBytes] + spools)),
      seed(spools, crashed.bytes(unfinished), journal: journal(of: [crashed.fastBytes] + spools)),
    ]
    // Blocks of two records: stream | count << 2.
    let blocks: [UInt8] = [8, 8, 9, 8, 10, 8, 11, 8, 9, 8, 9, 10, 11, 8, 8]
    let counts: [UInt8] = [16, 6, 4, 4]
    func built(
      _ state: UInt8, _ missing: UInt8 = 0, _ damage: [UInt8] = [], mode: UInt8 = 1
    ) -> [UInt8] {
      [mode] + counts + [state, missing, UInt8(blocks.count)] + blocks + damage
    }
    var seeds =
      raw + [
        built(0), built(0, 8), built(1), built(1, 1), built(0x11), built(0x11, 1), built(0x11, 15),
        built(0x15, 7, mode: 0xFF), built(4, 2, mode: 0x1F), built(0x41), built(0, 0, mode: 0x1F),
        [0x1F, 0, 0, 5, 2, 0, 0, 2, 0x0A, 0x0E], [0xFF, 0, 0, 5, 0, 0, 0, 2, 0x0A, 0x0E],
      ]
    // Each kind of damage to each file, with the journal and without.
    for file in 0..<5 as Range<UInt8> {
      for kind in 0..<8 as Range<UInt8> {
        let at: [UInt8] = file == 0 ? [0x80, 4] : [70, 0]
        seeds.append(
          built(0, 0, [file << 4 | kind] + at + [9, 1, 2, 3, 4, 5, 6, 7, 8], mode: 0x11))
        if kind < 6 {
          seeds.append(built(0, 8, [file << 4 | kind] + at + [200, 1, 2], mode: 0x07))
        }
      }
    }
    return seeds
  }

  private static func seed(
    _ spools: [[UInt8]?], _ trace: [UInt8], journal: [UInt8]? = nil
  ) -> [UInt8] {
    let files = spools + [journal]
    let sizes = files.flatMap { file -> [UInt8] in
      let size = file?.count ?? 0xFFFF
      return [UInt8(size & 0xFF), UInt8(size >> 8)]
    }
    return [0] + sizes + files.flatMap { $0 ?? [] } + trace
  }

  /// A block for each stream.
  private static func journal(of contents: [[UInt8]]) -> [UInt8] {
    let sum = Checksum()
    return contents.enumerated().flatMap { index, content in
      let entry = JournalEntry(
        stream: TraceStream(rawValue: index) ?? .fast,
        count: UInt32(content.count / CrashScene.recordSizes[index]), first: 0,
        checksum: content.withUnsafeBytes { sum.of($0) })
      var encoded = [UInt8](repeating: 0, count: JournalEntry.size)
      encoded.withUnsafeMutableBytes { entry.encode(to: $0, sum) }
      return encoded
    }
  }
}
