/// Whether bytes are JSON, as RFC 8259 has it, in UTF-8.
struct JSONText {
  private var rest: ArraySlice<UInt8>

  static func isValid(_ bytes: [UInt8]) -> Bool {
    // What is no UTF-8 does not come back from a text as it was.
    guard Array(String(decoding: bytes, as: UTF8.self).utf8) == bytes else { return false }
    var text = JSONText(rest: bytes[...])
    return text.value() && text.rest.isEmpty
  }

  private mutating func value() -> Bool {
    switch rest.first {
    case UInt8(ascii: "{"): return members("}") { $0.string() && $0.take(":") && $0.value() }
    case UInt8(ascii: "["): return members("]") { $0.value() }
    case UInt8(ascii: "\""): return string()
    case UInt8(ascii: "n"): return take("null")
    case UInt8(ascii: "t"): return take("true")
    case UInt8(ascii: "f"): return take("false")
    default: return number()
    }
  }

  private mutating func members(
    _ end: String, _ member: (inout JSONText) -> Bool
  ) -> Bool {
    rest.removeFirst()
    if take(end) { return true }
    repeat { if !member(&self) { return false } } while take(",")
    return take(end)
  }

  private mutating func take(_ text: String) -> Bool {
    guard rest.starts(with: Array(text.utf8)) else { return false }
    rest = rest.dropFirst(text.utf8.count)
    return true
  }

  private mutating func string() -> Bool {
    guard take("\"") else { return false }
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "\"") { return true }
      if byte < 0x20 { return false }
      if byte != UInt8(ascii: "\\") { continue }
      guard let escaped = rest.popFirst() else { return false }
      if Array("\"\\/bfnrt".utf8).contains(escaped) { continue }
      let digits = rest.prefix(4)
      let isHex = digits.allSatisfy { Array("0123456789abcdefABCDEF".utf8).contains($0) }
      guard escaped == UInt8(ascii: "u"), digits.count == 4, isHex else { return false }
      rest = rest.dropFirst(4)
    }
    return false
  }

  private mutating func number() -> Bool {
    _ = take("-")
    if !take("0") && !digits() { return false }
    if take(".") && !digits() { return false }
    if take("e") || take("E") {
      if !take("+") { _ = take("-") }
      return digits()
    }
    return true
  }

  private mutating func digits() -> Bool {
    let count = rest.prefix { (0x30...0x39).contains($0) }.count
    rest = rest.dropFirst(count)
    return count > 0
  }
}
