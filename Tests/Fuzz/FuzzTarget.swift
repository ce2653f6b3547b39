internal import Glibc

/// One subject of fuzzing: code that reads bytes which nobody vouches for.
///
/// A target checks what the code promises of any input, beside an independent reading of the same
/// bytes where that is feasible: a parser that only does not crash can still be wrong.
protocol FuzzTarget {
  static var name: String { get }
  /// Longer inputs find nothing that shorter ones do not, and cost more.
  static var longestInput: Int { get }
  /// Inputs to begin with, in the target's own format.
  static var seeds: [[UInt8]] { get }
  static func run(_ input: FuzzInput)
}

private var fuzzTargets: [any FuzzTarget.Type] {
  [
    TraceTarget.self, ChunksTarget.self, PhasesTarget.self, RecoveryTarget.self, StatTarget.self,
    MeminfoTarget.self,
    GPUTarget.self, NumberTarget.self, CPUListTarget.self, BoardTarget.self, CPUTarget.self,
    SensorsTarget.self,
  ]
}

// Chosen once, before the first input; libFuzzer calls from one thread.
nonisolated(unsafe) private var chosen: (any FuzzTarget.Type)?

/// Called by libFuzzer before anything else.
///
/// FUZZ_TARGET names the target. FUZZ_LIST has all of them listed with the length of their longest
/// input; FUZZ_SEEDS has the seeds of the target written to that directory; both then end the
/// program.
@_cdecl("LLVMFuzzerInitialize")
public func fuzzInitialize(
  _ count: UnsafeMutableRawPointer?, _ arguments: UnsafeMutableRawPointer?
) -> CInt {
  if getenv("FUZZ_LIST") != nil {
    for target in fuzzTargets { print(target.name, target.longestInput) }
    exit(0)
  }
  let name = getenv("FUZZ_TARGET").map { String(cString: $0) } ?? ""
  guard let target = fuzzTargets.first(where: { $0.name == name }) else {
    print("FUZZ_TARGET is one of:", fuzzTargets.map { $0.name })
    exit(2)
  }
  chosen = target
  if let directory = getenv("FUZZ_SEEDS").map({ String(cString: $0) }) {
    for (i, seed) in target.seeds.enumerated() {
      let file = FuzzFile(directory + "/seed-\(i)")
      file.set(seed)
      file.close()
    }
    exit(0)
  }
  return 0
}

/// Called by libFuzzer for each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  chosen?.run(FuzzInput(Array(UnsafeBufferPointer(start: data, count: size))))
  return 0
}

/// Ends the program where what was promised does not hold: libFuzzer then keeps the input.
func check(
  _ condition: Bool, _ promise: @autoclosure () -> String, line: Int = #line, file: String = #fileID
) {
  if condition { return }
  let message = Array("\n\(file):\(line): broken promise: \(promise())\n".utf8)
  _ = write(2, message, message.count)
  abort()
}
