internal import CFastNVMetricsShims

/// What can be set of an INA3221, in the order in which it has to be written: the kernel's driver makes a
/// conversion time of what is written to `update_interval`, divided by the samples that are set at that moment.
enum SensorSetting: CaseIterable {
  case samples
  case updateInterval

  var nodeName: String {
    switch self {
    case .samples: return "samples"
    case .updateInterval: return "update_interval"
    }
  }

  /// What a request asks for; nil: leave it.
  func value(in request: SensorRequest) -> Int64? {
    let value =
      self == .samples ? request.samples : request.updateIntervalMilliseconds
    return value == 0 ? nil : Int64(value)
  }
}

/// An INA3221 as far as its settings go.
struct SensorChip {
  let root: Root
  /// The directory of its nodes inside the root, no link in it: the same for every process, wherever the
  /// root is mounted.
  let inRoot: SystemPath

  /// - Parameter inRoot: a directory inside the root, with or without links.
  /// - Returns: nil where there is no INA3221.
  init?(_ inRoot: SystemPath, root: Root) {
    guard let directory = root.resolve(inRoot)?.inRoot,
      directory.bytes.starts(with: Array("/sys/".utf8)),
      let name = TextFile.line(root.path(directory).appending("name")),
      name == Array("ina3221".utf8)
    else { return nil }
    self.root = root
    self.inRoot = directory
  }

  /// The chips that a board's rails are read from, each once.
  static func all(of board: BoardConfig, root: Root) -> [SensorChip] {
    var chips: [SensorChip] = []
    for rail in board.powerRails {
      guard let directory = root.inside(rail.currentPath.parent),
        let chip = SensorChip(directory, root: root),
        !chips.contains(where: { $0.inRoot == chip.inRoot })
      else { continue }
      chips.append(chip)
    }
    return chips
  }

  /// For people: its address on the bus.
  var name: String { Self.name(of: inRoot) }

  @inline(never)
  static func name(of inRoot: SystemPath) -> String {
    String(decoding: HwmonChip.busAddress(in: inRoot) ?? inRoot.bytes, as: UTF8.self)
  }

  /// As the process opens it.
  @inline(never)
  func path(_ setting: SensorSetting) -> SystemPath {
    root.path(inRoot).appending(setting.nodeName)
  }

  @inline(never)
  func value(_ setting: SensorSetting) -> Int64? { TextFile.integer(path(setting)) }

  /// 0, or the errno that says why it cannot be written.
  func writability(_ setting: SensorSetting) -> CInt {
    let fd = open(setting)
    if fd < 0 { return -fd }
    fnvm_sys_close(fd)
    return 0
  }

  /// What to say where it cannot be written.
  @inline(never)
  func failure(of setting: SensorSetting, _ value: Int64, _ errno: CInt) -> String {
    joined(
      "cannot set ", path(setting).description, " to ", decimal(value), ": ", errorText(errno))
  }

  /// 0 or an errno.
  @inline(never)
  func write(_ value: Int64, to setting: SensorSetting) -> CInt {
    let fd = open(setting)
    if fd < 0 { return -fd }
    let node = OwnedDescriptor(owning: fd)
    let text = Array(joined(decimal(value), "\n").utf8)
    var done = 0
    let error = text.withUnsafeBytes {
      fnvm_sys_pwrite_all(node.rawValue, $0.baseAddress, $0.count, 0, &done)
    }
    // The kernel's nodes have no length; a simulated one is a file, where an older number can be longer.
    if error == 0 { _ = fnvm_sys_ftruncate(node.rawValue, Int64(text.count)) }
    return -error
  }

  /// Never through a link: root writes here.
  @inline(never)
  private func open(_ setting: SensorSetting) -> CInt {
    path(setting).withCString {
      fnvm_sys_openat(
        fnvm_sys_working_directory(), $0,
        OpenFlag.write | OpenFlag.noFollow | OpenFlag.nonBlocking, 0)
    }
  }

  /// What it does now, as it completes "the power sensor …".
  @inline(never)
  var description: String {
    let interval = value(.updateInterval)
    // Rounded: with one channel in use a cycle can be 0.28 ms.
    var text =
      interval.map {
        $0 == 0 ? "measures more than once a ms" : joined("measures every ", decimal($0), " ms")
      } ?? "measures"
    if let samples = value(.samples), samples > 1 || interval == nil {
      text = joined(text, ", averaging ", decimal(samples), " measurements")
    }
    return text
  }
}
