public import CFastNVMetrics
internal import FastNVMetrics

/// The statistics of an engine that has some.
private func stats(_ engine: OpaquePointer) throws(FNVMError) -> EngineStats {
  let engine = engineHandle(engine).engine
  try engine.checkNotForked()
  return engine.stats
}

@_cdecl("fnvm_engine_stats")
public func engineStats(
  _ engine: OpaquePointer?, _ out: UnsafeMutablePointer<fnvm_stats>?
) -> fnvm_status {
  guard let engine, let out else { return invalid("fnvm_engine_stats: engine or out is NULL") }
  guard hasRoom(out) else { return tooSmall("fnvm_engine_stats") }
  return status { () throws(FNVMError) in
    let stats = try stats(engine)
    out.pointee.num_sources = UInt32(clamping: stats.sources.count)
    out.pointee.elapsed_ns = stats.elapsedNanoseconds
    out.pointee.cpu_ns = stats.cpuNanoseconds
  }
}

@_cdecl("fnvm_engine_tier_stats")
public func engineTierStats(
  _ engine: OpaquePointer?, _ tier: UInt32, _ out: UnsafeMutablePointer<fnvm_tier_stats>?
) -> fnvm_status {
  guard let engine, let out else {
    return invalid("fnvm_engine_tier_stats: engine or out is NULL")
  }
  guard hasRoom(out) else { return tooSmall("fnvm_engine_tier_stats") }
  return status { () throws(FNVMError) in
    let tiers = try stats(engine).tiers
    guard tier < tiers.count else {
      throw FNVMError(
        code: .invalid,
        message: joined(
          "fnvm_engine_tier_stats: there is no tier ", decimal(tier),
          ", or nothing was recorded yet"))
    }
    let stats = tiers[Int(tier)]
    out.pointee.rate_hz = stats.rateHz
    out.pointee.samples = stats.samples
    out.pointee.missed = stats.missed
    out.pointee.dropped = stats.dropped
    out.pointee.lateness_median_ns = stats.lateness.medianNanoseconds
    out.pointee.lateness_p99_ns = stats.lateness.p99Nanoseconds
    out.pointee.lateness_max_ns = stats.lateness.maximumNanoseconds
  }
}

@_cdecl("fnvm_engine_source_stats")
public func engineSourceStats(
  _ engine: OpaquePointer?, _ index: UInt32, _ out: UnsafeMutablePointer<fnvm_source_stats>?
) -> fnvm_status {
  guard let engine, let out else {
    return invalid("fnvm_engine_source_stats: engine or out is NULL")
  }
  guard hasRoom(out) else { return tooSmall("fnvm_engine_source_stats") }
  return status { () throws(FNVMError) in
    let sources = try stats(engine).sources
    guard index < sources.count else {
      throw FNVMError(
        code: .invalid,
        message:
          joined(
            "fnvm_engine_source_stats: there are ", decimal(sources.count),
            " sources, none of number ", decimal(index))
      )
    }
    let source = sources[Int(index)]
    out.pointee.tier = UInt32(clamping: source.tier)
    out.pointee.has_own_thread = source.hasOwnThread ? 1 : 0
    out.pointee.reads = source.reads
    out.pointee.failures = source.failures
    out.pointee.read_ns = source.readNanoseconds
    out.pointee.longest_read_ns = source.longestReadNanoseconds
    out.pointee.mean_age_ns = source.meanAgeNanoseconds
    out.pointee.oldest_ns = source.oldestNanoseconds
    out.pointee.name = engineHandle(engine).kept(source.name)
  }
}

@_cdecl("fnvm_engine_lateness")
public func engineLateness(
  _ engine: OpaquePointer?, _ tier: UInt32, _ out: UnsafeMutablePointer<fnvm_lateness_bucket>?,
  _ capacity: UInt32
) -> UInt32 {
  guard let engine else { return 0 }
  let tiers = engineHandle(engine).engine.stats.tiers
  guard tier < tiers.count else { return 0 }
  let buckets = tiers[Int(tier)].lateness.buckets
  if let out {
    for (i, bucket) in buckets.prefix(Int(capacity)).enumerated() {
      out[i] = fnvm_lateness_bucket(end_ns: bucket.endNanoseconds, ticks: bucket.ticks)
    }
  }
  return UInt32(clamping: buckets.count)
}

private func headerAgreement() {
  let h1 = CFastNVMetrics.fnvm_engine_stats, s1 = engineStats
  agree(type(of: h1), type(of: s1))
  let h2 = CFastNVMetrics.fnvm_engine_tier_stats, s2 = engineTierStats
  agree(type(of: h2), type(of: s2))
  let h3 = CFastNVMetrics.fnvm_engine_source_stats, s3 = engineSourceStats
  agree(type(of: h3), type(of: s3))
  let h4 = CFastNVMetrics.fnvm_engine_lateness, s4 = engineLateness
  agree(type(of: h4), type(of: s4))
}
