import Foundation
import Testing

@testable import FastNVMetrics

@Suite struct RunMetadataTests {
  private let fixture = OrinFixture(.agx)

  private func metadata(
    _ tree: FixtureTree, _ board: BoardConfig,
    _ change: (inout EngineConfiguration) -> Void = { _ in }
  ) throws -> [String: Any] {
    var configuration = EngineConfiguration.forTests
    configuration.writesMetadata = true
    change(&configuration)
    let recorded = try tree.record(board, configuration)
    try #require(recorded.trace.chunkCount >= 1)
    let chunks = try (0..<recorded.trace.chunkCount).map { try recorded.trace.chunk($0) }
    let chunk = try #require(chunks.first { $0.type == "META" })
    let object = try JSONSerialization.jsonObject(with: Data(chunk.payload)) as? [String: Any]
    return try #require(object)
  }

  private func part(_ object: [String: Any], _ name: String) throws -> [String: Any] {
    try #require(object[name] as? [String: Any])
  }

  private func list(_ object: [String: Any], _ name: String) throws -> [[String: Any]] {
    try #require(object[name] as? [[String: Any]])
  }

  @Test func aTraceHasNoneUnlessItIsAskedFor() throws {
    try withFixture { tree in
      try fixture.build(on: tree)
      let recorded = try tree.record(try .detect(root: tree.root))
      #expect(recorded.trace.chunkCount == 0)
    }
  }

  @Test func itTellsTheBoardAndTheRun() throws {
    try withFixture { tree in
      try fixture.build(on: tree)
      try tree.write("sys/firmware/devicetree/base/model", "NVIDIA Jetson \"AGX\" Orin\0")
      try tree.write("proc/sys/kernel/osrelease", "5.15.148-tegra\n")
      try tree.write("proc/sys/kernel/hostname", "orin-7\n")
      try tree.write("sys/firmware/devicetree/base/serial-number", "1420000000017\0")
      try tree.write("var/lib/nvpmodel/status", "pmode:0002\n")
      try tree.link("etc/nvpmodel.conf", to: "/etc/nvpmodel/nvpmodel_p3701_0000.conf")
      try tree.write(
        "etc/nvpmodel/nvpmodel_p3701_0000.conf",
        "< PARAM TYPE=FILE NAME=CPU_ONLINE >\n# < POWER_MODEL ID=2 NAME=NOT_ME >\n"
          + "< POWER_MODEL ID=1 NAME=MODE_15W >\nCPU_ONLINE CORE_0 1\n"
          + "< POWER_MODEL ID=2 NAME=MODE_30W >\n<POWER_MODEL ID=20 NAME=MODE_50W>\n")
      try tree.write("sys/devices/system/cpu/cpufreq/policy4/related_cpus", "4 5 6 7\n")
      try tree.write("sys/devices/system/cpu/cpufreq/policy4/scaling_cur_freq", "729600\n")
      try tree.write("sys/devices/system/cpu/cpufreq/policy4/cpuinfo_cur_freq", "1\n")
      try tree.write("sys/devices/system/cpu/cpufreq/policy4/scaling_min_freq", "729600\n")
      try tree.write("sys/devices/system/cpu/cpufreq/policy4/scaling_max_freq", "2201600\n")
      try tree.write("sys/devices/system/cpu/cpufreq/policy4/scaling_governor", "schedutil\n")
      try writeGPUClocks(tree, minimum: 306_000_000, maximum: 1_300_500_000)
      let object = try metadata(tree, try .detect(root: tree.root)) {
        $0.sources.gpuHz = 60
        $0.sensors.updateIntervalMilliseconds = 1
      }

      #expect(object["library_version"] as? String == FastNVMetricsVersion.text)
      #expect(object["format_version"] as? Int == 1)
      let duration = try #require(object["duration_s"] as? Double)
      #expect(duration > 0.01 && duration < 60)
      let header = try Trace(path: tree.output()).header
      #expect(
        (object["start_monotonic_ns"] as? NSNumber)?.uint64Value == header.startMonotonicNanoseconds
      )
      #expect(
        (object["start_realtime_ns"] as? NSNumber)?.uint64Value == header.startRealtimeNanoseconds)

      func nanoseconds(_ name: String) throws -> UInt64 {
        try #require(object[name] as? NSNumber).uint64Value
      }
      let monotonic = try nanoseconds("stop_monotonic_ns") - header.startMonotonicNanoseconds
      #expect(duration == Double(monotonic) / 1e9)
      let realtime = try nanoseconds("stop_realtime_ns") - header.startRealtimeNanoseconds
      let boottime = try nanoseconds("stop_boottime_ns") - nanoseconds("start_boottime_ns")
      // The first can be set meanwhile; neither tells the other way round what it read last.
      #expect(realtime / 1_000_000_000 <= monotonic / 1_000_000_000 + 1)
      #expect(boottime >= monotonic - min(monotonic, 10_000_000))

      let board = try part(object, "board")
      #expect(board["name"] as? String == "agx_orin" && board["cpu_cores"] as? Int == 12)
      #expect(board["compatible"] as? [String] == OrinFixture.compatible(of: .agx))
      #expect(board["model"] as? String == "NVIDIA Jetson \"AGX\" Orin")
      #expect((board["l4t_release"] as? String)?.hasPrefix("# R36 (release)") == true)
      #expect(board["kernel_release"] as? String == "5.15.148-tegra")
      #expect(board["power_mode"] as? String == "pmode:0002")
      #expect(board["power_mode_name"] as? String == "MODE_30W")
      #expect(board["host"] as? String == "orin-7")
      #expect(board["serial"] as? String == "1420000000017")
      #expect(board["root"] as? String == tree.root.description)

      let options = try part(object, "options")
      #expect(options["fast_hz"] as? Int == 500 && options["gpu_hz"] as? Int == 60)
      #expect(options["native_rates"] is NSNull && options["cpu"] is NSNull)
      #expect(options["write_metadata"] as? Bool == true)

      let rails = try list(object, "rails")
      #expect(rails.map { $0["label"] as? String } == fixture.railNames)
      #expect(rails.map { $0["chip"] as? String } == ["1-0040", "1-0040", "1-0040", "1-0041"])
      #expect(rails.map { $0["channel"] as? Int } == [1, 2, 3, 2])
      #expect(rails.map { $0["shunt_uohm"] as? Int } == [2000, 2000, 2000, 2000])
      #expect(rails.map { $0["in_total"] as? Bool } == [true, true, true, false])

      // As they are while recording, not as they are found or left.
      let sensors = try list(object, "sensors")
      #expect(sensors.map { $0["chip"] as? String } == ["1-0040", "1-0041"])
      #expect(sensors.map { $0["update_interval_ms"] as? Int } == [1, 1])
      #expect(sensors.map { $0["samples"] as? Int } == [1, 1])

      #expect(try list(object, "zones").map { $0["name"] as? String } == fixture.zoneNames)
      #expect(try part(object, "gpu")["source"] as? String == "load")
      #expect(
        try part(object, "emc")["actmon_path"] as? String
          == tree.path(fixture.actmonPath).description)
      for moment in ["start", "stop"] {
        let clocks = try part(try part(object, "clocks"), moment)
        #expect(clocks["gpu_hz"] as? Int == 306_000_000)
        #expect(clocks["emc_hz"] as? Int == 3_199_000_000)
        let policy = try #require(try list(clocks, "cpu").first)
        #expect(policy["policy"] as? String == "policy4" && policy["khz"] as? Int == 729_600)
        #expect(policy["cpus"] as? String == "4 5 6 7")
        #expect(policy["min_khz"] as? Int == 729_600 && policy["max_khz"] as? Int == 2_201_600)
        #expect(policy["governor"] as? String == "schedutil")
        #expect(clocks["gpu_min_hz"] as? Int == 306_000_000)
        #expect(clocks["gpu_max_hz"] as? Int == 1_300_500_000)
        #expect(clocks["gpu_governor"] as? String == "nvhost_podgov")
        #expect(clocks["locked"] as? Bool == false)
      }
    }
  }

  private func writeGPUClocks(_ tree: FixtureTree, minimum: Int, maximum: Int) throws {
    let devfreq = fixture.gpuDirectory + "/devfreq/17000000.gpu"
    try tree.write(devfreq + "/min_freq", "\(minimum)\n")
    try tree.write(devfreq + "/max_freq", "\(maximum)\n")
    try tree.write(devfreq + "/governor", "nvhost_podgov\n")
  }

  /// Policies with these limits; nil: a limit that cannot be read.
  @Test(
    arguments: [
      ([(1, 1), (2, 2)], (5, 5), true), ([(1, 1), (1, 2)], (5, 5), false),
      ([(1, 1), (1, nil)], (5, 5), true), ([(1, 1)], (5, 6), false), ([(nil, 1)], nil, nil),
      ([(1, 1)], nil, true), ([], (5, 5), true),
    ] as [([(Int?, Int?)], (Int, Int)?, Bool?)])
  func clocksAreLockedWhereNoneCanChange(
    _ policies: [(Int?, Int?)], _ gpu: (Int, Int)?, _ isLocked: Bool?
  ) throws {
    try withFixture { tree in
      try fixture.build(on: tree)
      for (i, limits) in policies.enumerated() {
        let policy = "sys/devices/system/cpu/cpufreq/policy\(i)"
        if let minimum = limits.0 { try tree.write(policy + "/scaling_min_freq", "\(minimum)") }
        if let maximum = limits.1 { try tree.write(policy + "/scaling_max_freq", "\(maximum)") }
      }
      if let gpu { try writeGPUClocks(tree, minimum: gpu.0, maximum: gpu.1) }
      let object = try metadata(tree, try .detect(root: tree.root))
      #expect(try part(try part(object, "clocks"), "start")["locked"] as? Bool == isLocked)
    }
  }

  @Test func whatTheMachineDoesNotSayIsNull() throws {
    try withFixture { tree in
      try tree.writeStat(cores: [0])
      try tree.writeMemory(totalKB: 1000, availableKB: 400)
      try tree.write("mv", "5000\n")
      try tree.write("ma", "10\n")
      let rail = PowerRailConfig(
        label: "R", voltagePath: tree.path("mv"), currentPath: tree.path("ma"))
      let object = try metadata(
        tree,
        BoardConfig(
          boardName: "own", cpuCoreCount: 1,
          powerRails: [rail, PowerRailConfig(label: "", voltagePath: "", currentPath: "")],
          root: tree.root))
      let board = try part(object, "board")
      for name in [
        "host", "model", "serial", "l4t_release", "kernel_release", "power_mode", "power_mode_name",
      ] {
        #expect(board[name] is NSNull, "\(name)")
      }
      #expect(board["compatible"] as? [String] == [])
      let rails = try list(object, "rails")
      for name in ["chip", "channel", "shunt_uohm", "in_total"] {
        #expect(rails[0][name] is NSNull && rails[1][name] is NSNull, "\(name)")
      }
      #expect(rails[1]["current_path"] is NSNull)
      #expect(try list(object, "sensors").count == 1)
      #expect(try part(object, "gpu")["load_path"] is NSNull)
      let clocks = try part(try part(object, "clocks"), "stop")
      for name in ["gpu_hz", "gpu_min_hz", "gpu_max_hz", "gpu_governor", "emc_hz", "locked"] {
        #expect(clocks[name] is NSNull, "\(name)")
      }
      #expect(try list(clocks, "cpu").isEmpty)
    }
  }
}
