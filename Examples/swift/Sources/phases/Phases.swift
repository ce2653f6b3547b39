import FastNVMetrics

/// Records a workload in two phases, says meanwhile what the board does, and then what each phase took.
@main struct Phases {
  static func main() async throws {
    let output = SystemPath(CommandLine.arguments.dropFirst().first ?? "phases.bin")
    let engine = try Engine(outputPath: output, board: board())
    try engine.start()
    try engine.waitForWarmUp()

    let display = Task {
      for try await now in engine.snapshots(every: .milliseconds(200)) {
        print("live: GPU \(now.fast?.gpuLoad ?? 0) ‰, rails \(now.medium?.powerMW ?? []) mW")
      }
    }
    try await engine.phase("wait") { try await Task.sleep(for: .milliseconds(500)) }
    engine.phase("compute") { compute(for: .milliseconds(500)) }
    try engine.stop()
    try await display.value

    let trace = try Trace(path: output)
    let columns = trace.fastColumns
    for phase in trace.phases {
      let cpu = columns.cpuAggregate[columns.timeSeconds.positions(in: phase)].filter { !$0.isNaN }
      let mean = Double(cpu.reduce(0, +)) / Double(cpu.count)
      let seconds = Double(phase.endNanoseconds - phase.beginNanoseconds) / 1e9
      let energy = joules(of: phase, in: trace).map { "\(rounded($0)) J" } ?? "no rails, no energy"
      print("\(phase.name): \(rounded(seconds)) s, \(rounded(mean)) % CPU, \(energy)")
    }
  }

  static func board() throws(FNVMError) -> BoardConfig {
    do throws(FNVMError) { return try .detect() } catch {
      guard error.code == .noBoard else { throw error }
      return try .named("generic_linux")
    }
  }

  static func compute(for duration: Duration) {
    let end = ContinuousClock.now + duration
    while ContinuousClock.now < end {}
  }

  /// The trapezoid rule over the rails that add up; before and after all samples the nearest counts.
  static func joules(of phase: Phase, in trace: Trace) -> Double? {
    let rails = trace.header.totalPowerRails.map { trace.mediumColumns.powerMW(rail: $0) }
    let times = trace.mediumColumns.timeSeconds, last = times.count - 1
    if rails.isEmpty || times.isEmpty { return nil }
    func mW(_ i: Int) -> Double { rails.reduce(0) { $0 + Double($1[min(max(i, 0), last)]) } }
    func time(_ i: Int) -> Double { i < 0 ? 0 : i > last ? .infinity : times[i] }
    let begin = Double(phase.beginNanoseconds) / 1e9, end = Double(phase.endNanoseconds) / 1e9
    let inside = times.positions(in: phase)
    return (inside.lowerBound...inside.upperBound).reduce(0) { sum, i in
      sum + (mW(i - 1) + mW(i)) / 2000 * (min(time(i), end) - max(time(i - 1), begin))
    }
  }

  static func rounded(_ value: Double) -> Double { (value * 1000).rounded() / 1000 }
}
