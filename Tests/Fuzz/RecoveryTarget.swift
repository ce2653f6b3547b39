internal import Glibc

/// Any bytes as what a crash left behind: a trace and its spools, recovered, read, and recovered again.
///
/// The input: the sizes of the four files beside the trace (2 bytes each; 0xFFFF: there is none),
/// their contents one after the other, and the trace.
enum RecoveryTarget: FuzzTarget {
  static var name: String { "recovery" }
  static var longestInput: Int { 3072 }

  /// Whether recovery leaves out whatever cannot have been recorded in that order: times that are not
  /// finite, not above 0 or do not grow, and marks that no sample follows. Without it only the end of each
  /// stream is looked at.
  private static var isOrderPromised: Bool { false }

  private static let path = FuzzDirectory.path + "/crashed.bin"
  private static let suffixes = [".fnvm-medium", ".fnvm-slow", ".fnvm-sync", ".fnvm-journal"]
  private static let spoolSuffixes = suffixes.prefix(3)

  static func run(_ input: FuzzInput) {
    var input = input
    let sizes = suffixes.map { _ in Int(input.integer(bytes: 2)) }
    let spools = sizes.map { $0 == 0xFFFF ? nil : input.take($0) }
    let original = Array(input.rest)
    for (suffix, spool) in zip(suffixes, spools) { FuzzFile.place(spool, at: path + suffix) }
    FuzzFile.place(original, at: path)

    let refusal = TraceTarget.headerRefusal(of: original)
    let isUnfinished = refusal == nil && TraceTarget.isUnfinished(original)
    do throws(FNVMError) {
      let isRecovered = try Trace.recover(path: SystemPath(path))
      check(refusal == nil, "what is no trace is refused: \(refusal ?? "")")
      check(isRecovered == isUnfinished, "unfinished traces are recovered and no others")
    } catch {
      check(error.code == .format, "\(error.message): only what is no trace is refused")
      check(refusal.map { error.message.hasPrefix($0) } ?? false, "refused as: \(error.message)")
    }
    if !isUnfinished {
      check(FuzzFile.content(at: path) == original, "a trace that is left alone does not change")
      for (suffix, spool) in zip(suffixes, spools) {
        check(FuzzFile.content(at: path + suffix) == spool, "nor does its \(suffix)")
      }
      return
    }

    let recovered = FuzzFile.content(at: path) ?? []
    do throws(FNVMError) {
      let trace = try Trace(path: SystemPath(path))
      check(trace.header.isRecovered && !trace.header.isClosed, "it says that it was recovered")
      TraceTarget.readWhole(trace, recovered)
      checkOrigin(trace, recovered, original, spools)
      if spools.prefix(3).contains(where: { $0 != nil }) { checkEnds(trace) }
      if isOrderPromised { checkOrder(trace) }
      let isRecoveredAgain = try Trace.recover(path: SystemPath(path))
      check(!isRecoveredAgain, "recovering again does nothing")
    } catch {
      check(false, "a recovered trace can be read: \(error.message)")
    }
    check(FuzzFile.content(at: path) == recovered, "recovering again changes no byte")
    for suffix in spoolSuffixes {
      check(access(path + suffix, F_OK) != 0, "\(suffix) is gone after recovery")
    }
  }

  /// Every record comes from where it was recorded, and nothing else is in the file.
  private static func checkOrigin(
    _ trace: Trace, _ recovered: [UInt8], _ original: [UInt8], _ spools: [[UInt8]?]
  ) {
    let counts = [trace.fast.count, trace.medium.count, trace.slow.count, trace.syncPoints.count]
    let sizes = zip(counts, [98, 104, 72, 16]).map { $0 * $1 }
    check(recovered.count == 728 + sizes.reduce(0, +), "the file has exactly its records")
    // Only the last step was missing: the records are where they belong already.
    if spools.prefix(3).allSatisfy({ $0 == nil }),
      recovered.dropFirst(728) == original.dropFirst(728)
    {
      return
    }
    var at = 728
    let origins = [Array(original.dropFirst(728))] + spools.prefix(3).map { $0 ?? [] }
    for (size, origin) in zip(sizes, origins) {
      check(recovered[at..<(at + size)] == origin.prefix(size), "records are those recorded")
      at += size
    }
  }

  /// What a power cut leaves at the ends of files is left out.
  private static func checkEnds(_ trace: Trace) {
    for time in [trace.medium.last?.timeSeconds, trace.slow.last?.timeSeconds] {
      check(time.map { $0.isFinite && $0 > 0 } ?? true, "a tier ends with a sample: \(time ?? 0)")
    }
    if let mark = trace.syncPoints.last {
      check(mark.fastSampleIndex < trace.header.fastSampleCount, "a sample follows the last mark")
    }
  }

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
    for point in trace.syncPoints {
      check(point.fastSampleIndex < trace.header.fastSampleCount, "a sample follows each mark")
    }
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
    return [
      seed(spools, trace), seed(spools, crashed.bytes(unfinished)),
      seed(spools, Array(crashed.bytes(unfinished).dropLast(40))),
      seed([nil, nil, nil], crashed.bytes(unfinished)), seed([nil, nil, nil], trace),
      seed(spools.map { $0 + zeros }, trace + zeros), seed(spools, crashed.bytes()),
      seed(spools.map { Array($0.dropLast(3)) }, Array(trace.dropLast(5))),
      seed([[], nil, crashed.syncBytes], crashed.header(recording).encoded()),
    ]
  }

  private static func seed(_ spools: [[UInt8]?], _ trace: [UInt8]) -> [UInt8] {
    let files = spools + [nil]
    let sizes = files.flatMap { file -> [UInt8] in
      let size = file?.count ?? 0xFFFF
      return [UInt8(size & 0xFF), UInt8(size >> 8)]
    }
    return sizes + files.flatMap { $0 ?? [] } + trace
  }
}
