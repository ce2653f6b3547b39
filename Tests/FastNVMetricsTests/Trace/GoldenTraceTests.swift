import FastNVMetrics
import Foundation
import Testing

/// Traces of the C++ reference, and what its reader returns for them.
@Suite struct GoldenTraceTests {
  private static let directory = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("golden")

  private static func load(_ name: String) throws -> (trace: Trace, json: Data) {
    let path = SystemPath(directory.appendingPathComponent(name + ".bin").path)
    return (
      try Trace(path: path), try Data(contentsOf: directory.appendingPathComponent(name + ".json"))
    )
  }

  // JSONDecoder, since JSONSerialization does not read every number exactly.
  private struct Facts: Decodable {
    var boardName: String
    var numCpuCores, numPowerRails, numThermalZones: Int
    var emcAvailable: Bool
    var fastHz, mediumHz, slowHz: UInt32
    var powerRailNames, thermalZoneNames: [String]
  }

  private struct Columns: Decodable {
    var columns: [String: Column] = [:]

    struct Column: Decodable {
      var shape: [Int]
      var first, last: [Double]
    }

    struct Key: CodingKey {
      var stringValue: String
      var intValue: Int? { nil }
      init(stringValue: String) { self.stringValue = stringValue }
      init?(intValue: Int) { nil }
    }

    init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: Key.self)
      for key in container.allKeys {
        columns[key.stringValue] = try? container.decode(Column.self, forKey: key)
      }
    }
  }

  @Test(arguments: ["agx_orin_v1", "orin_nx_v1", "short_v1"])
  func theHeaderAgrees(name: String) throws {
    let (trace, json) = try Self.load(name)
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let facts = try decoder.decode(Facts.self, from: json)
    let header = trace.header
    #expect(header.boardName == facts.boardName)
    #expect(header.cpuCoreCount == facts.numCpuCores)
    #expect(header.powerRailNames.count == facts.numPowerRails)
    #expect(header.thermalZoneNames.count == facts.numThermalZones)
    #expect(header.powerRailNames == facts.powerRailNames)
    #expect(header.thermalZoneNames == facts.thermalZoneNames)
    #expect(header.isEMCAvailable == facts.emcAvailable)
    #expect(header.fastHz == facts.fastHz)
    #expect(header.mediumHz == facts.mediumHz)
    #expect(header.slowHz == facts.slowHz)
    #expect(!header.hasExtension && !header.isRecovered)
    #expect(header.startMonotonicNanoseconds == 0 && header.writerVersion == 0)
  }

  @Test(arguments: ["agx_orin_v1", "orin_nx_v1", "short_v1"])
  func theFirstAndLastValuesAgree(name: String) throws {
    let (trace, json) = try Self.load(name)
    let expected = try JSONDecoder().decode(Columns.self, from: json).columns
    let (fast, medium, slow) = (trace.fast, trace.medium, trace.slow)
    let columns: [String: [Double]] = [
      "fast_time_s": fast.map(\.timeSeconds),
      "gpu_load": fast.map { Double($0.gpuLoad) },
      "cpu_util": fast.flatMap { $0.cpuUtilization.map(Double.init) },
      "cpu_aggregate": fast.map { Double($0.cpuAggregate) },
      "ram_used_kb": fast.map { Double($0.ramUsedKB) },
      "ram_available_kb": fast.map { Double($0.ramAvailableKB) },
      "emc_util": fast.map { Double($0.emcUtilization) },
      "medium_time_s": medium.map(\.timeSeconds),
      "voltage_mv": medium.flatMap { $0.voltageMV.map(Double.init) },
      "current_ma": medium.flatMap { $0.currentMA.map(Double.init) },
      "power_mw": medium.flatMap { $0.powerMW.map(Double.init) },
      "slow_time_s": slow.map(\.timeSeconds),
      "temp_c": slow.flatMap { $0.temperatureC.map(Double.init) },
      "sync_id": Self.forwardFilledMarks(trace),
    ]
    #expect(Set(expected.keys) == Set(columns.keys))
    for (key, values) in columns {
      let column = try #require(expected[key])
      #expect(values.count == column.shape.reduce(1, *), "\(key)")
      #expect(Array(values.prefix(3)) == column.first, "\(key)")
      #expect(Array(values.suffix(3)) == column.last, "\(key)")
    }
  }

  private static func forwardFilledMarks(_ trace: Trace) -> [Double] {
    var marks = trace.syncPoints[...]
    var id = 0.0
    return trace.fast.indices.map { index in
      while let mark = marks.first, mark.fastSampleIndex <= index {
        id = Double(mark.id)
        marks = marks.dropFirst()
      }
      return id
    }
  }
}
