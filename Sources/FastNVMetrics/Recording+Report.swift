internal import CFastNVMetricsShims
internal import Synchronization

/// What a recording says of itself while it runs and afterwards, to any thread.
extension Recording {
  /// The fast samples taken so far.
  var fastSampleCount: UInt64 { fastRing.taken }

  /// The trace that is being recorded. Any thread.
  var trace: OpenTrace { gate.locked { current } }

  /// The counts so far.
  var counts: EngineCounts {
    var counts = tierCounts
    counts.droppedSamples &+= lost.load(ordering: .relaxed)
    return counts
  }

  /// The counts so far, but for samples that were taken and that no disk took.
  var tierCounts: EngineCounts {
    var counts = EngineCounts()
    counts.fastSamples = fastRing.taken
    counts.mediumSamples = mediumRing.taken
    counts.slowSamples = slowRing.taken
    counts.syncPoints = gate.locked { earlierSyncPoints + current.marks.syncPointCount }
    counts.missedFast = counters[Tier.fast].missed.load(ordering: .relaxed)
    counts.missedMedium = counters[Tier.medium].missed.load(ordering: .relaxed)
    counts.missedSlow = counters[Tier.slow].missed.load(ordering: .relaxed)
    counts.gpuSource =
      GPUSource(rawValue: counters[Tier.fast].gpuSource.load(ordering: .relaxed)) ?? .none
    counts.isEMCAvailable = counters[Tier.fast].isEMCAvailable.load(ordering: .relaxed)
    for tier in 0..<Tier.count {
      counts.droppedSamples &+= counters[tier].dropped.load(ordering: .relaxed)
    }
    for status in roster.statuses {
      let probe = status.counters
      counts.readErrors &+= probe.pointee.failures.load(ordering: .relaxed)
      counts.negativeCurrents &+= probe.pointee.negativeCurrents.load(ordering: .relaxed)
    }
    return counts
  }

  /// What the recording did and what it cost so far.
  var stats: EngineStats {
    var stats = EngineStats()
    let now = Clock.monotonic()
    let end = endTime.load(ordering: .relaxed)
    stats.elapsedNanoseconds = (end > 0 ? end : now) &- startTime
    stats.cpuNanoseconds = roster.cpuNanoseconds
    for thread in tierThreads { stats.cpuNanoseconds &+= thread.cpuNanoseconds }
    let rings = [fastRing.taken, mediumRing.taken, slowRing.taken]
    let rates = [configuration.fastHz, configuration.mediumHz, configuration.slowHz]
    for tier in 0..<Tier.count {
      stats.tiers.append(
        EngineStats.Tier(
          rateHz: rates[tier], samples: rings[tier],
          missed: counters[tier].missed.load(ordering: .relaxed),
          dropped: counters[tier].dropped.load(ordering: .relaxed),
          lateness: counters[tier].lateness.summary()))
    }
    stats.sources = roster.statuses.map { EngineStats.Source($0) }
    return stats
  }

  /// The newest record of each tier that has one. Any thread.
  ///
  /// What a fast sample says of the CPU is not known yet when it is taken: that is of the newest that is closed.
  ///
  /// - Returns: t = 0.
  func copyNewest(_ body: (_ tier: Int, UnsafeRawBufferPointer) -> Void) -> UInt64 {
    // The medium ones are the largest.
    withUnsafeTemporaryAllocation(byteCount: TraceFormat.Medium.size, alignment: 8) { raw in
      guard let base = raw.baseAddress else { return }
      typealias At = TraceFormat.Fast
      let cpu = At.cpuUtilization..<At.ramUsed
      if fastRing.copyNewest(to: base, leaving: cpu) {
        if !fastRing.copyNewestClosed(cpu, to: base) {
          for i in 0..<coreColumns {
            base.storeBytes(
              of: Float.nan, toByteOffset: At.cpuUtilization + 4 * i, as: Float.self)
          }
          base.storeBytes(of: Float.nan, toByteOffset: At.cpuAggregate, as: Float.self)
        }
        body(Tier.fast, UnsafeRawBufferPointer(rebasing: raw[..<At.size]))
      }
      if mediumRing.copyNewest(to: base) {
        body(Tier.medium, UnsafeRawBufferPointer(rebasing: raw[..<TraceFormat.Medium.size]))
      }
      if slowRing.copyNewest(to: base) {
        body(Tier.slow, UnsafeRawBufferPointer(rebasing: raw[..<TraceFormat.Slow.size]))
      }
    }
    return startTime
  }

  /// What the user should know about how the recording began.
  var openingNotices: [String] { [current.files.notice].compactMap { $0 } + permissions.notices }

  /// What the user should know about how it went, once it ended.
  var closingNotices: [String] {
    var notices: [String] = []
    if counters[Tier.fast].wasGPUContradicted.load(ordering: .relaxed) {
      notices.append(
        "The GPU's counters contradicted its load for about two seconds; from then on GPU load is from load."
      )
    }
    let end = endTime.load(ordering: .relaxed)
    for status in roster.statuses {
      let since = status.counters.pointee.readingSince.load(ordering: .relaxed)
      // Shorter ones are in the statistics.
      if since == 0 || end < since &+ 1_000_000_000 { continue }
      notices.append(
        joined(
          status.name, " had not answered for ", decimal((end &- since) / 1_000_000_000),
          " s when the recording ended; until then its columns hold what was read before."))
    }
    let dropped = counts.droppedSamples
    if dropped > 0 {
      notices.append(joined(decimal(dropped), " samples were lost: the disk did not take them."))
    } else if let error = current.firstError {
      notices.append(
        joined("For a while the disk took no samples (", error.message, "); none were lost."))
    }
    return notices
  }
}
