internal import CFastNVMetricsShims

/// What is put before /proc, /sys and /etc: the host's tree in a container, a simulated board, a
/// fixture.
///
/// Links inside it are followed as they are for a process whose root it is: an absolute target
/// starts at the root again, and `..` does not lead out of it.
struct Root: Sendable {
  /// What is put before a path; empty: the machine itself.
  let prefix: SystemPath
  /// The root as a board keeps it: "/" where the machine itself was asked for in so many words, which
  /// FASTNVMETRICS_ROOT does not override.
  let name: SystemPath

  /// - Parameter given: nil or empty stands for the environment variable FASTNVMETRICS_ROOT.
  init(_ given: SystemPath?) {
    name = (given.flatMap { $0.isEmpty ? nil : $0 } ?? Self.fromEnvironment).madeAbsolute()
    var bytes = name.bytes
    while bytes.last == slash { bytes.removeLast() }
    prefix = SystemPath(bytes: bytes)
  }

  private static var fromEnvironment: SystemPath {
    guard let value = fnvm_sys_getenv("FASTNVMETRICS_ROOT") else { return SystemPath() }
    return SystemPath(cString: value)
  }

  /// The root put before an absolute path, links left as they are.
  func path(_ absolute: String) -> SystemPath { path(SystemPath(absolute)) }

  func path(_ absolute: SystemPath) -> SystemPath {
    SystemPath(bytes: prefix.bytes + absolute.bytes)
  }

  /// A path without the root before it; nil where it does not lie under the root.
  func inside(_ path: SystemPath) -> SystemPath? {
    guard path.isAbsolute, path.bytes.starts(with: prefix.bytes) else { return nil }
    let rest = SystemPath(bytes: Array(path.bytes[prefix.bytes.count...]))
    return rest.isAbsolute ? rest : nil
  }

  /// Where an absolute path leads with every link followed inside the root; nil where nothing is
  /// there.
  func resolve(_ absolute: SystemPath) -> Resolved? {
    var pending = Self.components(absolute.bytes)
    pending.reverse()
    var inside: [[UInt8]] = []
    var links = 0
    while let name = pending.popLast() {
      if name == [dot] { continue }
      if name == [dot, dot] {
        _ = inside.popLast()
        continue
      }
      let candidate = path(Self.joined(inside + [name]))
      switch Self.linkTarget(of: candidate) {
      case .missing: return nil
      case .notALink: inside.append(name)
      case .target(let target):
        links += 1
        if links > 40 { return nil }
        if target.first == slash { inside = [] }
        pending += Self.components(target).reversed()
      }
    }
    let joined = Self.joined(inside)
    return Resolved(inRoot: joined, path: path(joined))
  }

  func resolve(_ absolute: String) -> Resolved? { resolve(SystemPath(absolute)) }

  /// A path without links, as seen inside the root and as the process opens it.
  struct Resolved {
    let inRoot: SystemPath
    let path: SystemPath
  }

  private enum Link {
    case missing
    case notALink
    case target([UInt8])
  }

  private static func linkTarget(of path: SystemPath) -> Link {
    var status = fnvm_sys_stat()
    guard path.withCString({ fnvm_sys_lstatat(fnvm_sys_working_directory(), $0, &status) }) == 0
    else {
      return .missing
    }
    if !status.is_link { return .notALink }
    guard let target = path.linkTarget() else { return .missing }
    return .target(target.bytes)
  }

  private static func components(_ bytes: [UInt8]) -> [[UInt8]] {
    bytes.split(separator: slash).map(Array.init)
  }

  private static func joined(_ components: [[UInt8]]) -> SystemPath {
    var bytes: [UInt8] = components.isEmpty ? [slash] : []
    for component in components { bytes += [slash] + component }
    return SystemPath(bytes: bytes)
  }

  private var dot: UInt8 { UInt8(ascii: ".") }
}

extension SystemPath {
  /// What a symbolic link holds; nil where this is none.
  func linkTarget() -> SystemPath? {
    var buffer = [UInt8](repeating: 0, count: 4096)
    let capacity = buffer.count
    let count = withCString { path in
      buffer.withUnsafeMutableBytes {
        fnvm_sys_readlink(path, $0.baseAddress, capacity)
      }
    }
    return count > 0 ? SystemPath(bytes: Array(buffer[..<Int(count)])) : nil
  }
}
