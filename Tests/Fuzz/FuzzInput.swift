/// The bytes of one input, taken from the front.
struct FuzzInput {
  private(set) var rest: ArraySlice<UInt8>

  init(_ bytes: [UInt8]) { rest = bytes[...] }

  var isAtEnd: Bool { rest.isEmpty }

  /// The next byte, 0 at the end.
  mutating func byte() -> UInt8 { rest.popFirst() ?? 0 }

  /// The next bytes, little-endian, as a number; what is missing is 0.
  mutating func integer(bytes count: Int) -> UInt64 {
    var value: UInt64 = 0
    for i in 0..<count { value |= UInt64(byte()) << (8 * UInt64(i)) }
    return value
  }

  /// The next bytes, as many as there are.
  mutating func take(_ count: Int) -> [UInt8] {
    let taken = rest.prefix(count)
    rest = rest.dropFirst(count)
    return Array(taken)
  }

  /// The input cut at 0xFF, which no text of the kernel contains. Of each piece the first byte says
  /// what it is for, the others are its content.
  var pieces: [(selector: UInt8, content: [UInt8])] {
    rest.split(separator: Self.separator).map { ($0[$0.startIndex], Array($0.dropFirst())) }
  }

  static var separator: UInt8 { 0xFF }

  /// The opposite of `pieces`.
  static func joined(_ pieces: [(UInt8, String)]) -> [UInt8] {
    var bytes: [UInt8] = []
    for (selector, content) in pieces { bytes += [selector] + Array(content.utf8) + [separator] }
    return bytes
  }
}
