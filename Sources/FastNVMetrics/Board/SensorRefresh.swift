/// How often a power sensor measures: reading it faster returns repeats.
struct SensorRefresh {
  /// The chip's refresh interval (`update_interval`), averaging included; nil where it does not say.
  let milliseconds: Int64?
  /// How many measurements it averages (`samples`); nil where it does not say.
  let samples: Int64?

  /// - Parameter node: `in1_input` or any other node of the chip.
  init(besides node: SystemPath) {
    let directory = node.parent
    milliseconds = TextFile.integer(directory.appending("update_interval")).flatMap {
      $0 > 0 ? $0 : nil
    }
    samples = TextFile.integer(directory.appending("samples"))
  }

  /// What to tell the user of a rate above the slowest chip's: nil where there is none.
  static func notice(for board: BoardConfig, hz: UInt32) -> String? {
    var slowest: Int64 = 0
    for rail in board.powerRails where !rail.currentPath.isEmpty {
      slowest = max(slowest, SensorRefresh(besides: rail.currentPath).milliseconds ?? 0)
    }
    // A sensor can claim any interval.
    let (perSecond, isHuge) = slowest.multipliedReportingOverflow(by: Int64(hz))
    if !isHuge && perSecond <= 1000 { return nil }
    return
      joined(
        "The power rails are read at ", decimal(hz),
        " Hz, but their sensor measures only every ", decimal(slowest),
        " ms (update_interval): samples in between repeat the last value.")
  }
}
