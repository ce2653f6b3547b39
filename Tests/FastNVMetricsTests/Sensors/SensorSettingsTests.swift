import Foundation
import Testing

@testable import FastNVMetrics

/// A board whose nodes are plain files: they take any number and do not move each other.
@Suite struct SensorSettingsTests {
  private let fixture = OrinFixture(.agx)
  private var interval: String { fixture.firstChip.directory + "/update_interval" }
  private var samples: String { fixture.firstChip.directory + "/samples" }

  private func withBoard(_ body: (FixtureTree, BoardConfig) throws -> Void) throws {
    try withFixture { tree in
      try fixture.build(on: tree)
      try body(tree, try BoardConfig.detect(root: tree.root))
    }
  }

  private func request(interval: UInt32 = 0, samples: UInt32 = 0) -> SensorRequest {
    var request = SensorRequest()
    request.updateIntervalMilliseconds = interval
    request.samples = samples
    return request
  }

  private func number(_ tree: FixtureTree, _ node: String) -> Int64? {
    TextFile.integer(tree.path(node))
  }

  private func stateFiles(_ tree: FixtureTree) -> [String] {
    Directory.names(in: tree.path("run/fastnvmetrics")).map { String(decoding: $0, as: UTF8.self) }
      .filter { $0.hasPrefix("sensors-") }
  }

  /// What a recorder that was killed leaves behind.
  private func leave(_ tree: FixtureTree, _ lines: String, name: String = "sensors-1-0") throws {
    try tree.write("run/fastnvmetrics/\(name)", lines)
  }

  private func line(_ node: String, _ original: Int, _ made: String) -> String {
    "/\(node)\t\(original)\t\(made)\n"
  }

  // MARK: - Setting and putting back

  @Test func aRecordingSetsTheSensorsAndPutsThemBack() throws {
    try withBoard { tree, board in
      var configuration = EngineConfiguration.forTests
      configuration.sensors = request(interval: 1, samples: 4)
      let recorded = try tree.record(board, configuration) { engine in
        #expect(number(tree, interval) == 1 && number(tree, samples) == 4)
        #expect(number(tree, fixture.secondChip.directory + "/update_interval") == 1)
        #expect(stateFiles(tree).count == 1)
        #expect(engine.notices.count == 2)
        #expect(
          engine.notices.first
            == "The power sensor 1-0040 measures every 1 ms, averaging 4 measurements while recording (before: measures every 7 ms)."
        )
      }
      #expect(number(tree, interval) == 7 && number(tree, samples) == 1)
      #expect(stateFiles(tree).isEmpty)
      #expect(recorded.notices.last == "The power sensor 1-0041 measures every 7 ms again.")
    }
  }

  @Test func theStateFileIsThereBeforeAnythingIsSetAndForItsOwnerAlone() throws {
    try withBoard { tree, board in
      let (settings, _) = SensorSettings.apply(request(interval: 1), to: board)
      let file = tree.path("run/fastnvmetrics/\(stateFiles(tree)[0])")
      var status = stat()
      #expect(stat(file.description, &status) == 0 && status.st_mode & 0o777 == 0o600)
      let text = String(decoding: try TraceBytes.read(file), as: UTF8.self)
      #expect(text.hasPrefix(line(interval, 7, "-")))
      #expect(text.contains(line(interval, 7, "1")))
      #expect(settings?.restore().count == 2)
      #expect(settings?.restore() == [])
    }
  }

  @Test func whatIsSetAlreadyIsLeftWithoutAWord() throws {
    try withBoard { tree, board in
      let (settings, notices) = SensorSettings.apply(request(interval: 7, samples: 1), to: board)
      #expect(settings == nil && notices.isEmpty)
      #expect(!TraceBytes.exists(tree.path("run/fastnvmetrics")))
    }
  }

  @Test func theIntervalIsWrittenAlsoWhereOnlyTheSamplesDiffer() throws {
    try withBoard { tree, board in
      let (settings, _) = SensorSettings.apply(request(interval: 7, samples: 4), to: board)
      let text = String(
        decoding: try TraceBytes.read(tree.path("run/fastnvmetrics/\(stateFiles(tree)[0])")),
        as: UTF8.self)
      #expect(text.hasPrefix(line(samples, 1, "-") + line(interval, 7, "-")))
      _ = settings?.restore()
      #expect(number(tree, samples) == 1 && number(tree, interval) == 7)
    }
  }

  @Test func anIntervalThatIsRoundedToNothingIsSaidInWords() throws {
    try withBoard { tree, board in
      try tree.write(interval, "0\n")
      let (settings, notices) = SensorSettings.apply(request(interval: 1), to: board)
      #expect(
        notices.first
          == "The power sensor 1-0040 measures every 1 ms while recording (before: measures more than once a ms)."
      )
      #expect(
        settings?.restore().first == "The power sensor 1-0040 measures more than once a ms again.")
      #expect(number(tree, interval) == 0)
    }
  }

  /// What the kernel's driver makes of a chip's settings.
  private struct Driver {
    var channels: Int64
    var conversion: Int64 = 1100  // µs
    var samples: Int64 = 1
    /// As its documentation has it; the driver of Linux 5.15 and 6.1 leaves the samples out where it is read.
    var readsAllSamples = false

    func value(_ setting: SensorSetting) -> Int64 {
      if setting == .samples { return samples }
      return (2 * channels * conversion * (readsAllSamples ? samples : 1) + 500) / 1000
    }

    mutating func set(_ value: Int64, _ setting: SensorSetting) {
      if setting == .samples {
        samples = value
      } else {
        let wanted = value * 1000 / 2 / (channels * samples)
        conversion = [140, 204, 332, 588, 1100, 2116, 4156, 8244]
          .min { abs($0 - wanted) < abs($1 - wanted) }!
      }
    }
  }

  @Test(arguments: [1, 2, 3] as [Int64], [1, 4, 16, 128, 1024] as [Int64])
  func theDriversConversionTimeIsPutBack(channels: Int64, samples: Int64) {
    for readsAllSamples in [false, true] {
      for conversion in [1100, 2116, 4156, 8244] as [Int64] {
        var driver = Driver(
          channels: channels, conversion: conversion, samples: samples,
          readsAllSamples: readsAllSamples)
        let changes = SensorSetting.allCases.map {
          SensorChange(chip: SystemPath("/sys"), setting: $0, original: driver.value($0))
        }
        driver.set(4, .samples)
        driver.set(1, .updateInterval)
        let refused = SensorChange.writeOriginals(
          changes, read: { driver.value($0) },
          write: {
            driver.set($0, $1)
            return 0
          })
        #expect(refused == nil)
        #expect(driver.samples == samples && driver.conversion == conversion)
      }
    }
  }

  @Test func aStartThatFailsPutsThemBack() throws {
    try withBoard { tree, board in
      var configuration = EngineConfiguration.forTests
      configuration.sensors = request(interval: 1)
      let engine = try Engine(
        outputPath: tree.output("no/such/directory"), board: board, configuration: configuration)
      #expect(FNVMError.from { () throws(FNVMError) in try engine.start() }?.code == .io)
      #expect(number(tree, interval) == 7 && stateFiles(tree).isEmpty)
    }
  }

  @Test func whatSomebodyElseSetMeanwhileIsLeft() throws {
    try withBoard { tree, board in
      let (settings, _) = SensorSettings.apply(request(interval: 1), to: board)
      try tree.write(interval, "28\n")
      let notices = try #require(settings).restore()
      #expect(number(tree, interval) == 28)
      #expect(notices.first?.contains("update_interval was set to 28 by someone else") == true)
      #expect(number(tree, fixture.secondChip.directory + "/update_interval") == 7)
      #expect(stateFiles(tree).isEmpty)
    }
  }

  @Test func aDriverThatWasBoundAgainIsLeft() throws {
    try withBoard { tree, board in
      let (settings, _) = SensorSettings.apply(request(interval: 1), to: board)
      try tree.remove(fixture.firstChip.directory)
      var again = fixture.firstChip
      again.hwmon = 9
      try tree.remove("sys/bus/i2c/drivers/ina3221/1-0040")
      try again.build(on: tree)
      let notices = try #require(settings).restore()
      #expect(notices.first?.contains("bound again") == true)
      #expect(number(tree, again.directory + "/update_interval") == 7)
      #expect(stateFiles(tree).isEmpty)
    }
  }

  @Test func aSecondRecorderLeavesThemAlone() throws {
    try withBoard { tree, board in
      let (first, _) = SensorSettings.apply(request(interval: 1), to: board)
      let (second, notices) = SensorSettings.apply(request(interval: 2), to: board)
      #expect(second == nil && number(tree, interval) == 1)
      #expect(notices.count == 2)
      #expect(notices.first?.hasPrefix("Another recorder has set the power sensor 1-0040") == true)
      #expect(SensorSettings.restoreAfterCrash(root: tree.root) == [])
      #expect(number(tree, interval) == 1)
      let notice = try Doctor.restoreSensors(root: tree.root).first
      #expect(notice?.contains("is running") == true)
      _ = first?.restore()
      #expect(number(tree, interval) == 7)
    }
  }

  @Test func aBoardWithoutSuchASensorIsRecordedAllTheSame() throws {
    try withBoard { tree, _ in
      var configuration = EngineConfiguration.forTests
      configuration.sensors = request(interval: 1)
      let recorded = try tree.record(
        BoardConfig(boardName: "bare", cpuCoreCount: 1, root: tree.root), configuration)
      #expect(recorded.notices.count == 1)
      #expect(recorded.notices.first?.contains("INA3221") == true)
    }
  }

  @Test func aSensorThatCannotBeSetIsANoticeAndNoMore() throws {
    try withBoard { tree, board in
      // Through a link nothing is written, which is also what stops root.
      try tree.write("elsewhere", "7\n")
      try tree.remove(interval)
      try tree.link(interval, to: tree.path("elsewhere").description)
      var configuration = EngineConfiguration.forTests
      configuration.sensors = request(interval: 1)
      let recorded = try tree.record(board, configuration)
      #expect(recorded.notices.first?.hasPrefix("cannot set \(tree.path(interval)) to 1: ") == true)
      #expect(recorded.notices.first?.contains("1-0040 measures every 7 ms, as before") == true)
      #expect(number(tree, "elsewhere") == 7)
    }
  }

  @Test func withoutAPlaceForTheStateFileNothingIsSet() throws {
    try withBoard { tree, board in
      try tree.write("run", "a file")
      let (settings, notices) = SensorSettings.apply(request(interval: 1), to: board)
      #expect(settings == nil && number(tree, interval) == 7)
      #expect(notices.first?.contains("stay as they are") == true)
    }
  }

  // MARK: - After a crash

  @Test func theNextRecordingPutsBackWhatACrashedOneLeft() throws {
    try withBoard { tree, board in
      try tree.write(interval, "1\n")
      try tree.write(samples, "4\n")
      try leave(tree, line(samples, 1, "4") + line(interval, 7, "1"))
      let recorded = try tree.record(board)
      #expect(number(tree, interval) == 7 && number(tree, samples) == 1)
      #expect(
        recorded.notices == [
          "The power sensor 1-0040, which a recorder that crashed had set, measures every 7 ms again."
        ])
      #expect(stateFiles(tree).isEmpty)
    }
  }

  @Test func theNextRecordingFindsWhatWasThereBeforeTheCrash() throws {
    try withBoard { tree, board in
      try tree.write(interval, "1\n")
      try leave(tree, line(interval, 7, "1"))
      var configuration = EngineConfiguration.forTests
      configuration.sensors = request(interval: 1)
      _ = try tree.record(board, configuration) { _ in
        #expect(number(tree, interval) == 1)
      }
      #expect(number(tree, interval) == 7)
    }
  }

  /// Between the write and the look at what the chip made of it.
  @Test func aCrashInTheMiddleOfSettingIsPutBackWhateverIsThere() throws {
    try withBoard { tree, _ in
      try tree.write(interval, "3\n")
      try leave(tree, line(interval, 7, "-") + "/\(interval)\t7")
      #expect(SensorSettings.restoreAfterCrash(root: tree.root).count == 1)
      #expect(number(tree, interval) == 7 && stateFiles(tree).isEmpty)
    }
  }

  @Test func whatIsAsBeforeIsNotMentioned() throws {
    try withBoard { tree, _ in
      try leave(tree, line(interval, 7, "1"))
      #expect(SensorSettings.restoreAfterCrash(root: tree.root) == [])
      #expect(stateFiles(tree).isEmpty)
    }
  }

  @Test func whatCannotBePutBackIsKeptForTheNextTime() throws {
    try withBoard { tree, _ in
      try tree.write("elsewhere", "1\n")
      try tree.remove(interval)
      try tree.link(interval, to: tree.path("elsewhere").description)
      try leave(tree, line(interval, 7, "1"))
      let error = FNVMError.from { () throws(FNVMError) in
        try Doctor.restoreSensors(root: tree.root)
      }
      #expect(error?.code == .io && error?.path == tree.path(interval))
      #expect(number(tree, "elsewhere") == 1 && stateFiles(tree).count == 1)
    }
  }

  @Test(arguments: [
    "/etc/update_interval\t7\t1\n", "/sys/../etc/update_interval\t7\t1\n",
    "/sys/class/update_interval\t7\t1\n", "/sys/chip/in1_input\t7\t1\n",
    "/sys/link/update_interval\t7\t1\n", "/sys/chip/update_interval\t7 8\t1\n",
    "/sys/chip/update_interval\t-7\t1\n", "/sys/chip/update_interval\t7\n",
    "/sys/chip/update_interval\t\t1\n", "/sys/chip/update_interval\t99999999999\t1\n",
    "update_interval\t7\t1\n", "\t\t\n", "\0\n", "/sys/chip//update_interval\t7\t1\n",
  ])
  func aStateFileMakesNobodyWriteAnywhereElse(content: String) throws {
    try withFixture { tree in
      for directory in ["etc", "sys/class", "sys/chip"] {
        try tree.write(directory + "/update_interval", "1\n")
        try tree.write(directory + "/in1_input", "1\n")
      }
      for directory in ["etc", "sys/chip"] { try tree.write(directory + "/name", "ina3221\n") }
      try tree.link("sys/link", to: "../etc")
      try leave(tree, content)
      _ = SensorSettings.restoreAfterCrash(root: tree.root)
      for directory in ["etc", "sys/class", "sys/chip"] {
        #expect(number(tree, directory + "/update_interval") == 1)
        #expect(number(tree, directory + "/in1_input") == 1)
      }
    }
  }

  @Test func aStateFileThatIsALinkIsNotFollowed() throws {
    try withBoard { tree, _ in
      try tree.write(interval, "1\n")
      try tree.write("elsewhere", line(interval, 7, "1"))
      try tree.write("run/fastnvmetrics/lock", "")
      try tree.link("run/fastnvmetrics/sensors-1-0", to: tree.path("elsewhere").description)
      #expect(SensorSettings.restoreAfterCrash(root: tree.root) == [])
      #expect(number(tree, interval) == 1)
    }
  }

  // MARK: - The doctor

  @Test func theDoctorTellsWhatACrashedRecorderLeft() throws {
    try withBoard { tree, _ in
      try tree.write(interval, "1\n")
      try leave(tree, line(interval, 7, "1"))
      func advice() throws -> [String] {
        try Doctor.examine(root: tree.root).filter { $0.kind == .rail }.map { $0.advice }
      }
      let found = try advice()
      #expect(found.count == 4)
      for text in found.prefix(3) {
        #expect(text.contains("(update_interval 7): run: sudo fastnvmetrics doctor --restore"))
      }
      #expect(found.last == "")
      #expect(stateFiles(tree).count == 1 && number(tree, interval) == 1)
      #expect(
        try Doctor.restoreSensors(root: tree.root) == [
          "The power sensor 1-0040, which a recorder that crashed had set, measures every 7 ms again."
        ])
      #expect(try advice() == ["", "", "", ""])
      #expect(try Doctor.restoreSensors(root: tree.root) == [])
    }
  }
}
