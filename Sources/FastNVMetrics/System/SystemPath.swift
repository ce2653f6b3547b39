internal import CFastNVMetricsShims

/// A path of the file system: bytes, never interpreted as text.
///
/// File names on Linux need not be UTF-8; a path that went through `String` could name another
/// file.
public struct SystemPath: Equatable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
  /// The bytes, without a terminating NUL.
  public var bytes: [UInt8]

  /// The path with these bytes.
  public init(bytes: [UInt8] = []) { self.bytes = bytes }

  /// The path whose bytes are the string's UTF-8.
  public init(_ string: String) { self.bytes = Array(string.utf8) }

  /// The path written as a literal.
  public init(stringLiteral value: String) { self.init(value) }

  /// The path that a C string holds.
  public init(cString: UnsafePointer<CChar>) {
    var bytes: [UInt8] = []
    var next = cString
    while next.pointee != 0 {
      bytes.append(UInt8(bitPattern: next.pointee))
      next += 1
    }
    self.bytes = bytes
  }

  /// The path as text, for people: bytes that are not UTF-8 show as U+FFFD.
  @inline(never)
  public var description: String { String(decoding: bytes, as: UTF8.self) }

  /// Whether there is no path at all; in a board this means that the node is not available.
  public var isEmpty: Bool { bytes.isEmpty }

  var isAbsolute: Bool { bytes.first == slash }

  /// A NUL cannot be part of a path: the kernel would see a shorter one.
  var containsNUL: Bool { bytes.contains(0) }

  /// The same place, however the working directory changes; itself where that cannot be found out.
  func madeAbsolute() -> SystemPath {
    if isEmpty || isAbsolute { return self }
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = buffer.withUnsafeMutableBytes { fnvm_sys_getcwd($0.baseAddress, $0.count) }
    if count <= 0 { return self }
    return SystemPath(bytes: Array(buffer[..<Int(count)])).appending(bytes: bytes)
  }

  func appending(_ component: String) -> SystemPath {
    appending(bytes: Array(component.utf8))
  }

  func appending(bytes component: [UInt8]) -> SystemPath {
    if isEmpty { return SystemPath(bytes: component) }
    var joined = bytes
    if joined.last != slash && component.first != slash { joined.append(slash) }
    joined += component
    return SystemPath(bytes: joined)
  }

  /// What follows the last slash.
  var lastComponent: [UInt8] {
    guard let cut = bytes.lastIndex(of: slash) else { return bytes }
    return Array(bytes[(cut + 1)...])
  }

  /// What precedes the last slash: "." where there is none, "/" for a name in the root.
  var parent: SystemPath {
    guard let cut = bytes.lastIndex(of: slash) else { return "." }
    return cut == 0 ? "/" : SystemPath(bytes: Array(bytes[..<cut]))
  }

  func withCString<Result>(_ body: (UnsafePointer<CChar>) -> Result) -> Result {
    let terminated = bytes + [0]
    return terminated.withUnsafeBufferPointer { buffer in
      buffer.withMemoryRebound(to: CChar.self) { body($0.baseAddress.unsafelyUnwrapped) }
    }
  }
}

let slash = UInt8(ascii: "/")
