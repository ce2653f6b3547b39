/// The doctor at work under one root: a function for each kind of node.
struct Examination {
  let root: Root

  private static var setup: String {
    "run: sudo scripts/setup_fastnvmetrics.sh --user \"$USER\", then log in again"
  }

  // MARK: - The board

  func board(_ tree: DeviceTree, _ known: CatalogBoard?) -> NodeReport {
    var report = NodeReport(
      kind: .board, name: known?.name ?? BoardCatalog.genericName,
      path: root.path("/proc/device-tree/compatible"))
    var strings = ""
    for string in tree.compatible {
      strings += (strings.isEmpty ? "" : ", ") + String(decoding: string, as: UTF8.self)
    }
    if let release = TextFile.line(root.path("/etc/nv_tegra_release")), !release.isEmpty {
      strings += "; " + String(decoding: release, as: UTF8.self)
    }
    if tree.compatible.isEmpty {
      report.state = .absent
      report.advice = "no device tree: not a Jetson, or its /proc is not mounted under the root"
    } else if let product = tree.unsupportedProduct() {
      report.state = .absent
      report.advice = joined(product, " is not supported (", strings, ")")
    } else if tree.board() == nil {
      report.state = .absent
      report.advice = joined("no module that is known: ", strings)
    } else {
      report.state = .good
      report.advice = strings
    }
    return report
  }

  // MARK: - GPU

  func gpu(isExpected: Bool) -> [NodeReport] {
    let path = GPUNode.find(root: root)
    if path.isEmpty {
      guard isExpected else { return [] }
      var report = firstCandidate(.gpu, "load", GPUNode.loadPaths)
      if report.state == .absent {
        report.advice =
          "GPU load will read 0: its driver (nvgpu) has no load node yet; it can appear late after boot and is then used"
      }
      return [report]
    }
    let directory = path.parent
    var load = measure(.gpu, "load", path, unit: "per mille")
    load.refreshMilliseconds = 16.7
    var reports = [load]
    let counters = directory.appending("counters")
    if NodeAccess.check(counters) == 0 {
      var report = measure(.gpu, "counters", counters, unit: "busy cycles")
      if report.state == .good {
        report.advice =
          isCounting(counters)
          ? "used for GPU load, checked against load"
          : "does not count at this moment: while that is so, load is used"
      }
      reports.append(report)
    }
    if let status = TextFile.line(directory.appending("power/runtime_status")),
      status == Array("suspended".utf8)
    {
      reports[0].state = .poweredDown
      reports[0].advice = "the GPU is suspended: reads as 0 without being woken"
    }
    return reports
  }

  /// Whether the second number of the file, total cycles, changes within 20 ms.
  private func isCounting(_ counters: SystemPath) -> Bool {
    func total() -> Int64? {
      guard case .bytes(let bytes) = TextFile.read(counters, limit: 64) else { return nil }
      return bytes.withUnsafeBytes { buffer in
        guard let base = buffer.baseAddress else { return nil }
        var scanner = ByteScanner(base, count: buffer.count)
        return scanner.integer() == nil ? nil : scanner.integer(onThisLine: true)
      }
    }
    let before = total()
    let pause = FutexWord(0)
    _ = pause.reference.wait(while: 0, until: Clock.monotonic() &+ 20_000_000)
    return before != total()
  }

  // MARK: - CPU and RAM

  func cpu() -> [NodeReport] {
    let stat = root.path("/proc/stat")
    var report = measure(.cpu, "stat", stat, unit: "", isNumber: false)
    report.value = Int64(CPUList.possibleCount(root: root))
    report.unit = "cores"
    report.refreshMilliseconds = 10
    let counter = root.path("/sys/devices/system/cpu/cpu0/cpuidle/state0/time")
    var idle = measure(.cpu, "cpuidle", counter, unit: "µs idle")
    if idle.state == .absent {
      idle.advice =
        "no idle counters: CPU utilisation comes from /proc/stat in steps of 10 ms; means are still true"
    }
    return [report, idle]
  }

  func memory() -> NodeReport {
    let path = root.path("/proc/meminfo")
    var report = measure(.memory, "meminfo", path, unit: "kB used", isNumber: false)
    if case .bytes(let bytes) = TextFile.read(path) {
      var place = 0
      let memory = bytes.withUnsafeBytes { buffer in
        buffer.baseAddress.flatMap { MemoryProbe.scan($0, buffer.count, &place) }
      }
      report.value = Int64(clamping: memory?.usedKB ?? 0)
    }
    return report
  }

  // MARK: - EMC

  func emc(isExpected: Bool) -> [NodeReport] {
    var reports: [NodeReport] = []
    let actmon = EMCNodes.findActmon(root: root)
    let rate = EMCNodes.findRate(root: root)
    if !isExpected && actmon.isEmpty && rate.isEmpty { return [] }
    reports.append(
      actmon.isEmpty
        ? missingEMC("mc_all", EMCNodes.actmonPaths)
        : measure(.emc, "mc_all", actmon, unit: "kHz active"))
    reports.append(
      rate.isEmpty
        ? missingEMC("rate", EMCNodes.ratePaths) : measure(.emc, "rate", rate, unit: "Hz"))
    return reports
  }

  private func missingEMC(_ name: String, _ places: [String]) -> NodeReport {
    var report = firstCandidate(.emc, name, places)
    switch report.state {
    case .forbidden: report.advice = joined("EMC will read -1: ", Self.setup)
    case .absent:
      report.advice =
        NodeAccess.check(root.path("/sys/kernel/debug")) == 0
        ? "EMC will read -1: this kernel has no such node (its activity monitor module is not loaded)"
        : "EMC will read -1: debugfs is not mounted, or not under the root"
    default: report.advice = "EMC will read -1"
    }
    return report
  }

  // MARK: - Rails

  func rails(_ known: CatalogBoard?) -> [NodeReport] {
    var reports: [NodeReport] = []
    var found: [PowerRailConfig] = []
    let chips = HwmonChip.all(root: root)
    for chip in chips where known == nil || chip.isINA3221 {
      found += chip.rails(requireLabel: chip.isINA3221)
      reports += chip.forbiddenRails().map { rail in
        var report = NodeReport(kind: .rail, name: rail.label, path: rail.currentPath)
        report.state = .forbidden
        report.errno = NodeAccess.check(rail.currentPath)
        report.advice = joined("the rail is left out: ", Self.setup)
        return report
      }
    }
    if let known {
      found = BoardDetector.inOrder(found, of: known)
      for rail in known.rails {
        let label = Array(rail.label.utf8)
        if found.contains(where: { Array($0.label.utf8) == label })
          || reports.contains(where: { Array($0.name.utf8) == label })
        {
          continue
        }
        var report = NodeReport(
          kind: .rail, name: rail.label,
          path: root.path(joined("/sys/bus/i2c/drivers/ina3221/", rail.chip)))
        report.advice =
          chips.contains(where: { $0.isINA3221 })
          ? "no enabled channel of an INA3221 has this label"
          : "no INA3221: its driver is not loaded or not bound"
        reports.append(report)
      }
    }
    let leftovers = SensorRestoration.leftovers(root: root)
    for (index, rail) in found.enumerated() {
      var report = measure(.rail, rail.label, rail.currentPath, unit: "mW")
      let voltage = TextFile.integer(rail.voltagePath)
      if report.state == .good {
        let (product, overflow) = report.value.multipliedReportingOverflow(by: voltage ?? 0)
        report.value = overflow ? 0 : product / 1000
      }
      let refresh = SensorRefresh(besides: rail.currentPath)
      report.refreshMilliseconds = Double(refresh.milliseconds ?? 0)
      if index >= BoardConfig.maxPowerRails {
        report.state = .leftOut
        report.advice =
          joined(
            "a trace holds ", decimal(BoardConfig.maxPowerRails),
            " rails: describe the board yourself to choose")
      } else if let samples = refresh.samples, samples > 1 {
        report.advice = joined("the sensor averages ", decimal(samples), " measurements")
      }
      let directory = rail.currentPath.parent
      for leftover in leftovers where leftover.directory ?? directory == directory {
        report.advice += (report.advice.isEmpty ? "" : "; ") + leftover.advice
      }
      reports.append(report)
    }
    return reports
  }

  // MARK: - Zones

  func zones(_ known: CatalogBoard?) -> [NodeReport] {
    let all = ThermalZones.all(root: root, readableOnly: false)
    guard let known else {
      return all.enumerated().map { index, zone in
        var report = zoneReport(String(decoding: zone.type, as: UTF8.self), zone.tempPath)
        if index >= BoardConfig.maxThermalZones {
          report.state = .leftOut
          report.advice =
            joined(
              "a trace holds ", decimal(BoardConfig.maxThermalZones),
              " zones: describe the board yourself to choose")
        }
        return report
      }
    }
    return known.zones.map { name in
      let wanted = Array(name.utf8)
      if let zone = all.first(where: { ThermalZones.isSame($0.type, wanted) }) {
        return zoneReport(name, zone.tempPath)
      }
      var report = NodeReport(kind: .zone, name: name, path: root.path("/sys/class/thermal"))
      report.advice = "no zone of this type: not every release has all of them"
      return report
    }
  }

  private func zoneReport(_ name: String, _ path: SystemPath) -> NodeReport {
    var report = measure(.zone, name, path, unit: "m°C")
    let isOff =
      report.state == .good
      ? report.value == ThermalProbe.poweredDownMillidegrees
      : report.errno == ErrorNumber.again || report.errno == ErrorNumber.noData
    if isOff {
      report.state = .poweredDown
      report.advice = "powered down at this moment: reads as NaN until its engine is in use"
    }
    return report
  }

  // MARK: - Reading

  /// Reads a node as a recording does: its value, and the cost of the cheapest of three reads.
  private func measure(
    _ kind: NodeReport.Kind, _ name: String, _ path: SystemPath, unit: String, isNumber: Bool = true
  ) -> NodeReport {
    var report = NodeReport(kind: kind, name: name, path: path)
    report.unit = unit
    let scratch = Scratch(byteCount: 4096)
    let keeper = NodeKeeper()
    var node = keeper.node(.fixed(path))
    var cheapest = UInt64.max
    for _ in 0..<3 {
      let begin = Clock.monotonic()
      let count = node.read(scratch.base, scratch.count)
      cheapest = min(cheapest, Clock.monotonic() &- begin)
      if count < 0 {
        report.fail(CInt(truncatingIfNeeded: -count))
        return report
      }
      if !isNumber { continue }
      var scanner = ByteScanner(scratch.base, count: count)
      guard let value = scanner.integer() else {
        report.fail(ErrorNumber.malformed)
        return report
      }
      report.value = value
    }
    report.state = .good
    report.readNanoseconds = cheapest
    return report
  }

  /// Of several places where a node can be, the one that tells most about why it cannot be read.
  private func firstCandidate(
    _ kind: NodeReport.Kind, _ name: String, _ places: [String]
  ) -> NodeReport {
    var report = NodeReport(kind: kind, name: name, path: root.path(places.first ?? ""))
    report.fail(ErrorNumber.noEntry)
    for place in places {
      let path = root.resolve(place)?.path ?? root.path(place)
      let errno = NodeAccess.check(path)
      if errno == ErrorNumber.noEntry || errno == 0 { continue }
      report.path = path
      report.fail(errno)
      break
    }
    return report
  }
}

extension NodeReport {
  init(kind: Kind, name: String, path: SystemPath) {
    self.init(
      kind: kind, name: name, path: path, state: .absent, errno: 0, value: 0, unit: "",
      readNanoseconds: 0, refreshMilliseconds: 0, advice: "")
  }

  mutating func fail(_ errno: Int32) {
    self.errno = errno
    switch errno {
    case ErrorNumber.noEntry, ErrorNumber.notDirectory: state = .absent
    case ErrorNumber.accessDenied, ErrorNumber.notPermitted: state = .forbidden
    case ErrorNumber.malformed:
      state = .failing
      advice = "it does not hold a number"
    default:
      state = .failing
      advice = joined("reading it fails: ", errorText(errno))
    }
  }
}
