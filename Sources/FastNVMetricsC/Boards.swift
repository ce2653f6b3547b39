public import CFastNVMetrics
internal import FastNVMetrics

/// What an `fnvm_board` points to: a board, and its strings as C strings.
///
/// The strings are made when the board changes, not when they are asked for, so that any number of
/// threads may read a board that nobody changes.
final class BoardHandle {
  private(set) var config: BoardConfig
  private var strings: [UnsafeMutablePointer<CChar>] = []

  init(_ config: BoardConfig) {
    self.config = config
    renewStrings()
  }

  deinit { freeStrings() }

  func change(_ body: (inout BoardConfig) -> Void) {
    body(&config)
    renewStrings()
  }

  enum Text: Int {
    case name, root, gpuLoadPath, emcActmonPath, emcClkRatePath
    static let count = 5
  }

  func text(_ text: Text) -> UnsafePointer<CChar> { UnsafePointer(strings[text.rawValue]) }

  /// - Parameter part: 0 label, 1 voltage path, 2 current path.
  func rail(_ index: UInt32, part: Int) -> UnsafePointer<CChar> {
    guard index < config.powerRails.count else { return staticText("") }
    return UnsafePointer(strings[Text.count + 3 * Int(index) + part])
  }

  /// - Parameter part: 0 name, 1 temperature path.
  func zone(_ index: UInt32, part: Int) -> UnsafePointer<CChar> {
    guard index < config.thermalZones.count else { return staticText("") }
    return UnsafePointer(
      strings[Text.count + 3 * config.powerRails.count + 2 * Int(index) + part])
  }

  private func renewStrings() {
    freeStrings()
    var texts = [
      Array(config.boardName.utf8), config.root.bytes, config.gpuLoadPath.bytes,
      config.emcActmonPath.bytes, config.emcClkRatePath.bytes,
    ]
    for rail in config.powerRails {
      texts += [Array(rail.label.utf8), rail.voltagePath.bytes, rail.currentPath.bytes]
    }
    for zone in config.thermalZones { texts += [Array(zone.name.utf8), zone.tempPath.bytes] }
    strings = texts.map(ownedCString)
  }

  private func freeStrings() {
    for string in strings { string.deallocate() }
    strings = []
  }
}

func boardHandle(_ board: OpaquePointer) -> BoardHandle {
  Unmanaged<BoardHandle>.fromOpaque(UnsafeRawPointer(board)).takeUnretainedValue()
}

private func hand(_ config: BoardConfig, to out: UnsafeMutablePointer<OpaquePointer?>) {
  out.pointee = OpaquePointer(Unmanaged.passRetained(BoardHandle(config)).toOpaque())
}

private func path(_ string: UnsafePointer<CChar>?) -> SystemPath {
  string.map { SystemPath(cString: $0) } ?? SystemPath()
}

// MARK: - Making and freeing

@_cdecl("fnvm_board_detect")
public func boardDetect(
  _ root: UnsafePointer<CChar>?, _ out: UnsafeMutablePointer<OpaquePointer?>?
) -> fnvm_status {
  guard let out else { return invalid("fnvm_board_detect: out is NULL") }
  out.pointee = nil
  return status { () throws(FNVMError) in
    hand(try BoardConfig.detect(root: root.map { SystemPath(cString: $0) }), to: out)
  }
}

@_cdecl("fnvm_board_named")
public func boardNamed(
  _ name: UnsafePointer<CChar>?, _ root: UnsafePointer<CChar>?,
  _ out: UnsafeMutablePointer<OpaquePointer?>?
) -> fnvm_status {
  guard let out else { return invalid("fnvm_board_named: out is NULL") }
  out.pointee = nil
  guard let name else { return invalid("fnvm_board_named: name is NULL") }
  return status { () throws(FNVMError) in
    hand(
      try BoardConfig.named(String(cString: name), root: root.map { SystemPath(cString: $0) }),
      to: out)
  }
}

@_cdecl("fnvm_board_create")
public func boardCreate(
  _ name: UnsafePointer<CChar>?, _ cores: Int32, _ root: UnsafePointer<CChar>?,
  _ out: UnsafeMutablePointer<OpaquePointer?>?
) -> fnvm_status {
  guard let out else { return invalid("fnvm_board_create: out is NULL") }
  out.pointee = nil
  guard let name else { return invalid("fnvm_board_create: name is NULL") }
  guard cores >= 1, cores <= FNVM_MAX_CPU_CORES else {
    return invalid(joined("fnvm_board_create: a board has 1 to 16 CPU cores, not ", decimal(cores)))
  }
  let root = root.map { SystemPath(cString: $0) } ?? BoardConfig.environmentRoot
  hand(
    BoardConfig(boardName: String(cString: name), cpuCoreCount: Int(cores), root: root), to: out)
  return FNVM_OK
}

@_cdecl("fnvm_board_copy")
public func boardCopy(
  _ board: OpaquePointer?, _ out: UnsafeMutablePointer<OpaquePointer?>?
) -> fnvm_status {
  guard let out else { return invalid("fnvm_board_copy: out is NULL") }
  out.pointee = nil
  guard let board else { return invalid("fnvm_board_copy: board is NULL") }
  hand(boardHandle(board).config, to: out)
  return FNVM_OK
}

@_cdecl("fnvm_board_free")
public func boardFree(_ board: OpaquePointer?) {
  guard let board else { return }
  Unmanaged<BoardHandle>.fromOpaque(UnsafeRawPointer(board)).release()
}

// MARK: - Changing

@_cdecl("fnvm_board_set_gpu_load_path")
public func boardSetGPULoadPath(
  _ board: OpaquePointer?, _ string: UnsafePointer<CChar>?
) -> fnvm_status {
  guard let board else { return invalid("fnvm_board_set_gpu_load_path: board is NULL") }
  boardHandle(board).change { $0.gpuLoadPath = path(string) }
  return FNVM_OK
}

@_cdecl("fnvm_board_set_emc_actmon_path")
public func boardSetEMCActmonPath(
  _ board: OpaquePointer?, _ string: UnsafePointer<CChar>?
) -> fnvm_status {
  guard let board else { return invalid("fnvm_board_set_emc_actmon_path: board is NULL") }
  boardHandle(board).change { $0.emcActmonPath = path(string) }
  return FNVM_OK
}

@_cdecl("fnvm_board_set_emc_clk_rate_path")
public func boardSetEMCClkRatePath(
  _ board: OpaquePointer?, _ string: UnsafePointer<CChar>?
) -> fnvm_status {
  guard let board else { return invalid("fnvm_board_set_emc_clk_rate_path: board is NULL") }
  boardHandle(board).change { $0.emcClkRatePath = path(string) }
  return FNVM_OK
}

@_cdecl("fnvm_board_add_power_rail")
public func boardAddPowerRail(
  _ board: OpaquePointer?, _ label: UnsafePointer<CChar>?, _ voltage: UnsafePointer<CChar>?,
  _ current: UnsafePointer<CChar>?
) -> fnvm_status {
  guard let board, let label, let voltage, let current else {
    return invalid("fnvm_board_add_power_rail: board, label or a path is NULL")
  }
  let handle = boardHandle(board)
  guard handle.config.powerRails.count < BoardConfig.maxPowerRails else {
    return invalid("fnvm_board_add_power_rail: a trace holds at most 8 power rails")
  }
  handle.change {
    $0.powerRails.append(
      PowerRailConfig(
        label: String(cString: label), voltagePath: path(voltage), currentPath: path(current)))
  }
  return FNVM_OK
}

@_cdecl("fnvm_board_add_thermal_zone")
public func boardAddThermalZone(
  _ board: OpaquePointer?, _ name: UnsafePointer<CChar>?, _ temp: UnsafePointer<CChar>?
) -> fnvm_status {
  guard let board, let name, let temp else {
    return invalid("fnvm_board_add_thermal_zone: board, name or path is NULL")
  }
  let handle = boardHandle(board)
  guard handle.config.thermalZones.count < BoardConfig.maxThermalZones else {
    return invalid("fnvm_board_add_thermal_zone: a trace holds at most 16 thermal zones")
  }
  handle.change {
    $0.thermalZones.append(ThermalZoneConfig(name: String(cString: name), tempPath: path(temp)))
  }
  return FNVM_OK
}

@_cdecl("fnvm_board_set_detected")
public func boardSetDetected(_ board: OpaquePointer?, _ detected: CInt) -> fnvm_status {
  guard let board else { return invalid("fnvm_board_set_detected: board is NULL") }
  boardHandle(board).change { $0.isDetected = detected != 0 }
  return FNVM_OK
}

// MARK: - Reading

@_cdecl("fnvm_board_is_detected")
public func boardIsDetected(_ board: OpaquePointer?) -> CInt {
  guard let board else { return 0 }
  return boardHandle(board).config.isDetected ? 1 : 0
}

private func text(_ board: OpaquePointer?, _ text: BoardHandle.Text) -> UnsafePointer<CChar>? {
  guard let board else { return staticText("") }
  return boardHandle(board).text(text)
}

@_cdecl("fnvm_board_name")
public func boardName(_ board: OpaquePointer?) -> UnsafePointer<CChar>? { text(board, .name) }

@_cdecl("fnvm_board_root")
public func boardRoot(_ board: OpaquePointer?) -> UnsafePointer<CChar>? { text(board, .root) }

@_cdecl("fnvm_board_gpu_load_path")
public func boardGPULoadPath(_ board: OpaquePointer?) -> UnsafePointer<CChar>? {
  text(board, .gpuLoadPath)
}

@_cdecl("fnvm_board_emc_actmon_path")
public func boardEMCActmonPath(_ board: OpaquePointer?) -> UnsafePointer<CChar>? {
  text(board, .emcActmonPath)
}

@_cdecl("fnvm_board_emc_clk_rate_path")
public func boardEMCClkRatePath(_ board: OpaquePointer?) -> UnsafePointer<CChar>? {
  text(board, .emcClkRatePath)
}

@_cdecl("fnvm_board_num_cpu_cores")
public func boardNumCPUCores(_ board: OpaquePointer?) -> Int32 {
  guard let board else { return 0 }
  return Int32(clamping: boardHandle(board).config.cpuCoreCount)
}

@_cdecl("fnvm_board_num_power_rails")
public func boardNumPowerRails(_ board: OpaquePointer?) -> UInt32 {
  guard let board else { return 0 }
  return UInt32(clamping: boardHandle(board).config.powerRails.count)
}

@_cdecl("fnvm_board_num_thermal_zones")
public func boardNumThermalZones(_ board: OpaquePointer?) -> UInt32 {
  guard let board else { return 0 }
  return UInt32(clamping: boardHandle(board).config.thermalZones.count)
}

private func rail(
  _ board: OpaquePointer?, _ index: UInt32, part: Int
) -> UnsafePointer<CChar>? {
  guard let board else { return staticText("") }
  return boardHandle(board).rail(index, part: part)
}

@_cdecl("fnvm_board_rail_label")
public func boardRailLabel(_ board: OpaquePointer?, _ index: UInt32) -> UnsafePointer<CChar>? {
  rail(board, index, part: 0)
}

@_cdecl("fnvm_board_rail_voltage_path")
public func boardRailVoltagePath(_ board: OpaquePointer?, _ index: UInt32) -> UnsafePointer<CChar>?
{
  rail(board, index, part: 1)
}

@_cdecl("fnvm_board_rail_current_path")
public func boardRailCurrentPath(_ board: OpaquePointer?, _ index: UInt32) -> UnsafePointer<CChar>?
{
  rail(board, index, part: 2)
}

@_cdecl("fnvm_board_rail_in_total")
public func boardRailInTotal(_ board: OpaquePointer?, _ index: UInt32) -> CInt {
  guard let board else { return 0 }
  return boardHandle(board).config.totalPowerRails.contains(Int(index)) ? 1 : 0
}

private func zone(
  _ board: OpaquePointer?, _ index: UInt32, part: Int
) -> UnsafePointer<CChar>? {
  guard let board else { return staticText("") }
  return boardHandle(board).zone(index, part: part)
}

@_cdecl("fnvm_board_zone_name")
public func boardZoneName(_ board: OpaquePointer?, _ index: UInt32) -> UnsafePointer<CChar>? {
  zone(board, index, part: 0)
}

@_cdecl("fnvm_board_zone_temp_path")
public func boardZoneTempPath(_ board: OpaquePointer?, _ index: UInt32) -> UnsafePointer<CChar>? {
  zone(board, index, part: 1)
}

private func headerAgreement() {
  let h1 = CFastNVMetrics.fnvm_board_detect, s1 = boardDetect
  agree(type(of: h1), type(of: s1))
  let h2 = CFastNVMetrics.fnvm_board_named, s2 = boardNamed
  agree(type(of: h2), type(of: s2))
  let h3 = CFastNVMetrics.fnvm_board_create, s3 = boardCreate
  agree(type(of: h3), type(of: s3))
  let h4 = CFastNVMetrics.fnvm_board_copy, s4 = boardCopy
  agree(type(of: h4), type(of: s4))
  let h5 = CFastNVMetrics.fnvm_board_free, s5 = boardFree
  agree(type(of: h5), type(of: s5))
  let h6 = CFastNVMetrics.fnvm_board_set_gpu_load_path, s6 = boardSetGPULoadPath
  agree(type(of: h6), type(of: s6))
  let h7 = CFastNVMetrics.fnvm_board_set_emc_actmon_path, s7 = boardSetEMCActmonPath
  agree(type(of: h7), type(of: s7))
  let h8 = CFastNVMetrics.fnvm_board_set_emc_clk_rate_path, s8 = boardSetEMCClkRatePath
  agree(type(of: h8), type(of: s8))
  let h9 = CFastNVMetrics.fnvm_board_add_power_rail, s9 = boardAddPowerRail
  agree(type(of: h9), type(of: s9))
  let h10 = CFastNVMetrics.fnvm_board_add_thermal_zone, s10 = boardAddThermalZone
  agree(type(of: h10), type(of: s10))
  let h11 = CFastNVMetrics.fnvm_board_set_detected, s11 = boardSetDetected
  agree(type(of: h11), type(of: s11))
  let h12 = CFastNVMetrics.fnvm_board_is_detected, s12 = boardIsDetected
  agree(type(of: h12), type(of: s12))
  let h13 = CFastNVMetrics.fnvm_board_name, s13 = boardName
  agree(type(of: h13), type(of: s13))
  let h14 = CFastNVMetrics.fnvm_board_root, s14 = boardRoot
  agree(type(of: h14), type(of: s14))
  let h15 = CFastNVMetrics.fnvm_board_gpu_load_path, s15 = boardGPULoadPath
  agree(type(of: h15), type(of: s15))
  let h16 = CFastNVMetrics.fnvm_board_emc_actmon_path, s16 = boardEMCActmonPath
  agree(type(of: h16), type(of: s16))
  let h17 = CFastNVMetrics.fnvm_board_emc_clk_rate_path, s17 = boardEMCClkRatePath
  agree(type(of: h17), type(of: s17))
  let h18 = CFastNVMetrics.fnvm_board_num_cpu_cores, s18 = boardNumCPUCores
  agree(type(of: h18), type(of: s18))
  let h19 = CFastNVMetrics.fnvm_board_num_power_rails, s19 = boardNumPowerRails
  agree(type(of: h19), type(of: s19))
  let h20 = CFastNVMetrics.fnvm_board_num_thermal_zones, s20 = boardNumThermalZones
  agree(type(of: h20), type(of: s20))
  let h21 = CFastNVMetrics.fnvm_board_rail_label, s21 = boardRailLabel
  agree(type(of: h21), type(of: s21))
  let h22 = CFastNVMetrics.fnvm_board_rail_voltage_path, s22 = boardRailVoltagePath
  agree(type(of: h22), type(of: s22))
  let h23 = CFastNVMetrics.fnvm_board_rail_current_path, s23 = boardRailCurrentPath
  agree(type(of: h23), type(of: s23))
  let h24 = CFastNVMetrics.fnvm_board_rail_in_total, s24 = boardRailInTotal
  agree(type(of: h24), type(of: s24))
  let h25 = CFastNVMetrics.fnvm_board_zone_name, s25 = boardZoneName
  agree(type(of: h25), type(of: s25))
  let h26 = CFastNVMetrics.fnvm_board_zone_temp_path, s26 = boardZoneTempPath
  agree(type(of: h26), type(of: s26))
}
