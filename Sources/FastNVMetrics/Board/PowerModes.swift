/// The power modes of a Jetson, as NVIDIA's `nvpmodel` knows them. By its documentation: not tried on a board.
enum PowerModes {
  /// What a mode is called.
  ///
  /// - Parameter status: what `nvpmodel` last set, "pmode:0002".
  static func name(of status: [UInt8], root: Root) -> [UInt8]? {
    guard let mode = number(status), let place = root.resolve("/etc/nvpmodel.conf"),
      case .bytes(let text) = TextFile.read(place.path)
    else { return nil }
    return text.withUnsafeBytes { buffer in
      guard let base = buffer.baseAddress else { return nil }
      var scanner = ByteScanner(base, count: buffer.count)
      while !scanner.isAtEnd {
        // < POWER_MODEL ID=2 NAME=MODE_30W >
        if scanner.consume(word: "<"), scanner.consume(word: "POWER_MODEL"),
          scanner.consume(word: "ID="), scanner.integer(onThisLine: true) == mode,
          scanner.consume(word: "NAME=")
        {
          return Array(
            buffer.suffix(scanner.remaining).prefix { $0 > 0x20 && $0 != UInt8(ascii: ">") })
        }
        scanner.skipLine()
      }
      return nil
    }
  }

  private static func number(_ status: [UInt8]) -> Int64? {
    status.withUnsafeBytes { buffer in
      guard let base = buffer.baseAddress else { return nil }
      var scanner = ByteScanner(base, count: buffer.count)
      return scanner.consume("pmode:") ? scanner.integer() : nil
    }
  }
}
