/// How a node is found, at first and again after it went away.
indirect enum NodeLocator {
  /// At this path and nowhere else.
  case fixed(SystemPath)
  /// Nodes of a detected board, at the path that detection found, or wherever they are by now.
  case gpuLoad(SystemPath, Root)
  case emcActmon(SystemPath, Root)
  case emcRate(SystemPath, Root)
  /// By label and chip: the hwmon number changes when a driver is bound again.
  case rail(SystemPath, label: String, isCurrent: Bool, Root)
  /// By type: zone numbers change as well.
  case zone(SystemPath, name: String, Root)
  /// In the directory of another node, wherever that is.
  case beside(NodeLocator, String)

  var startPath: SystemPath {
    switch self {
    case .fixed(let path), .gpuLoad(let path, _), .emcActmon(let path, _), .emcRate(let path, _),
      .rail(let path, _, _, _), .zone(let path, _, _):
      return path
    case .beside(let other, let name): return Self.neighbour(of: other.startPath, name)
    }
  }

  /// Whether there is more than one place to look at.
  var canSearch: Bool {
    switch self {
    case .fixed: return false
    case .beside(let other, _): return other.canSearch
    default: return true
    }
  }

  /// Looks everywhere; empty where the node is not to be found.
  func find() -> SystemPath {
    switch self {
    case .fixed(let path): return path
    case .gpuLoad(_, let root): return GPUNode.find(root: root)
    case .emcActmon(_, let root): return EMCNodes.findActmon(root: root)
    case .emcRate(_, let root): return EMCNodes.findRate(root: root)
    case .rail(let path, let label, let isCurrent, let root):
      return Self.findRail(path, label, isCurrent, root)
    case .zone(_, let name, let root):
      let wanted = Array(name.utf8)
      let zone = ThermalZones.all(root: root).first { ThermalZones.isSame($0.type, wanted) }
      return zone?.tempPath ?? SystemPath()
    case .beside(let other, let name):
      // Most that are looked for are not there beside a node that is: no reason to look for that one everywhere.
      let start = other.startPath
      let isThere = !start.isEmpty && NodeAccess.check(start) == 0
      return Self.neighbour(of: isThere ? start : other.find(), name)
    }
  }

  /// Looks where the node was, except where a number in the path may by now belong to another
  /// device.
  func findAgain(after path: SystemPath) -> SystemPath {
    switch self {
    case .rail, .zone: return find()
    default: return !path.isEmpty && NodeAccess.check(path) == 0 ? path : find()
    }
  }

  private static func neighbour(of path: SystemPath, _ name: String) -> SystemPath {
    path.isEmpty ? path : path.parent.appending(name)
  }

  /// The rail of that label on the chip that the path names: the same label on another chip is another
  /// rail. A path that names no chip leaves only the label to go by.
  private static func findRail(
    _ path: SystemPath, _ label: String, _ isCurrent: Bool, _ root: Root
  ) -> SystemPath {
    let wanted = Array(label.utf8)
    let components = path.bytes.split(separator: slash).map { Array($0) }
    let namesChip = components.contains(where: HwmonChip.isBusAddress)
    for chip in HwmonChip.all(root: root) where !namesChip || components.contains(chip.address) {
      for rail in chip.rails(requireLabel: chip.isINA3221) where Array(rail.label.utf8) == wanted {
        return isCurrent ? rail.currentPath : rail.voltagePath
      }
    }
    return SystemPath()
  }
}
