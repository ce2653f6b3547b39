internal import CFastNVMetricsShims

/// Small text files of sysfs and procfs, read whole at set-up. Not for the tick path.
enum TextFile {
  /// The content, or the negative errno of `open(2)` or `read(2)`.
  static func read(_ path: SystemPath, limit: Int = 64 * 1024) -> Content {
    let fd = path.withCString { fnvm_sys_open_node($0) }
    guard fd >= 0 else { return .failed(errno: -fd) }
    let file = OwnedDescriptor(owning: fd)
    var bytes = [UInt8](repeating: 0, count: 4096)
    var count = 0
    while count < limit {
      if count == bytes.count { bytes += [UInt8](repeating: 0, count: count) }
      let room = bytes.count - count
      let n = bytes.withUnsafeMutableBytes {
        fnvm_sys_read(file.rawValue, $0.baseAddress.unsafelyUnwrapped + count, room)
      }
      if n < 0 { return .failed(errno: CInt(truncatingIfNeeded: -n)) }
      if n == 0 { break }
      count += Int(n)
    }
    return .bytes(Array(bytes[..<count]))
  }

  enum Content {
    case bytes([UInt8])
    case failed(errno: CInt)
  }

  /// The first line without blanks at its ends and without NULs; nil where the file cannot be read.
  static func line(_ path: SystemPath) -> [UInt8]? {
    guard case .bytes(let bytes) = read(path) else { return nil }
    let line = bytes.prefix { $0 != newline && $0 != 0 }
    guard let first = line.firstIndex(where: { !isBlank($0) }),
      let last = line.lastIndex(where: { !isBlank($0) })
    else { return [] }
    return Array(line[first...last])
  }

  /// The number at the start of the file, as `strtoll` reads it.
  static func integer(_ path: SystemPath) -> Int64? {
    guard case .bytes(let bytes) = read(path) else { return nil }
    return bytes.withUnsafeBytes { buffer in
      guard let base = buffer.baseAddress else { return nil }
      var scanner = ByteScanner(base, count: buffer.count)
      return scanner.integer()
    }
  }

  /// Whether the file can be read now: 0, or the errno that says why not.
  static func readability(_ path: SystemPath) -> CInt {
    switch read(path, limit: 1) {
    case .bytes: return 0
    case .failed(let errno): return errno
    }
  }

  private static let newline = UInt8(ascii: "\n")
  private static func isBlank(_ byte: UInt8) -> Bool { byte == 32 || (byte >= 9 && byte <= 13) }
}
