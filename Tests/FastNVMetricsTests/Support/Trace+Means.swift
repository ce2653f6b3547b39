import FastNVMetrics

extension Trace {
  /// The utilisation of a core over the trace: each sample counts for the time since the one before, those
  /// in which the core was offline do not count.
  func meanUtilization(of core: Int) -> Double {
    mean { Double($0.cpuUtilization[core]) }
  }

  var meanAggregate: Double { mean { Double($0.cpuAggregate) } }

  private func mean(_ value: (FastSample) -> Double) -> Double {
    var previous = 0.0
    var sum = 0.0
    var total = 0.0
    for sample in fast {
      let interval = sample.timeSeconds - previous
      previous = sample.timeSeconds
      let value = value(sample)
      if value.isNaN { continue }
      sum += value * interval
      total += interval
    }
    return total > 0 ? sum / total : .nan
  }

  /// What the file must have for its header.
  var expectedByteCount: Int {
    728 + 98 * fast.count + 104 * medium.count + 72 * slow.count + 16 * syncPoints.count
  }
}
