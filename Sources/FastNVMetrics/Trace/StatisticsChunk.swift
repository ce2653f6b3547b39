extension EngineStats {
  /// The statistics as a STAT chunk; docs/trace-format.md defines it.
  func chunk() -> TraceChunk {
    var json = JSONWriter()
    json.object { json in
      json.number("elapsed_s", seconds(elapsedNanoseconds))
      json.number("cpu_s", seconds(cpuNanoseconds))
      json.number("cpu_share", cpuShare)
      json.object("tiers") { json in
        for (index, tier) in tiers.enumerated() {
          json.object(Self.name(ofTier: index)) { json in write(tier, &json) }
        }
      }
      json.array("sources") { json in
        for source in sources { json.object { json in write(source, &json) } }
      }
    }
    return TraceChunk(type: "STAT", payload: json.bytes)
  }

  private func write(_ tier: Tier, _ json: inout JSONWriter) {
    json.number("rate_hz", tier.rateHz)
    json.number("samples", tier.samples)
    json.number("missed", tier.missed)
    json.number("dropped", tier.dropped)
    json.object("lateness_us") { json in
      json.number("median", microseconds(tier.lateness.medianNanoseconds))
      json.number("p99", microseconds(tier.lateness.p99Nanoseconds))
      json.number("max", microseconds(tier.lateness.maximumNanoseconds))
    }
    json.array("lateness_histogram") { json in
      for bucket in tier.lateness.buckets {
        json.array { json in
          json.number(nil, microseconds(bucket.endNanoseconds))
          json.number(nil, bucket.ticks)
        }
      }
    }
  }

  private func write(_ source: Source, _ json: inout JSONWriter) {
    json.text("name", source.name)
    json.text("tier", Self.name(ofTier: source.tier).description)
    json.flag("own_thread", source.hasOwnThread)
    json.number("reads", source.reads)
    json.number("failures", source.failures)
    json.number("read_s", seconds(source.readNanoseconds))
    json.number("longest_read_us", microseconds(source.longestReadNanoseconds))
    json.number("mean_age_us", microseconds(source.meanAgeNanoseconds))
    json.number("oldest_us", microseconds(source.oldestNanoseconds))
  }

  private static func name(ofTier tier: Int) -> StaticString {
    tier == FastNVMetrics.Tier.fast ? "fast" : tier == FastNVMetrics.Tier.medium ? "medium" : "slow"
  }

  private func seconds(_ nanoseconds: UInt64) -> Double { Double(nanoseconds) / 1e9 }
  private func microseconds(_ nanoseconds: UInt64) -> Double { Double(nanoseconds) / 1e3 }
}
