/// Writes JSON (RFC 8259), in UTF-8 and without blanks.
///
///     var json = JSONWriter()
///     json.object { json in
///       json.text("name", "agx_orin")
///       json.array("rates") { json in json.number(nil, 1000) }
///     }
///
/// What is called inside `object` has names, what is called inside `array` has none. A value that is not
/// known, nil or NaN, is null.
struct JSONWriter {
  /// What was written so far.
  private(set) var bytes: [UInt8] = []
  private var isFirst = true

  init() {}

  mutating func object(_ name: StaticString? = nil, _ body: (inout JSONWriter) -> Void) {
    nested(name, "{", "}", body)
  }

  mutating func array(_ name: StaticString? = nil, _ body: (inout JSONWriter) -> Void) {
    nested(name, "[", "]", body)
  }

  private mutating func nested(
    _ name: StaticString?, _ begin: StaticString, _ end: StaticString,
    _ body: (inout JSONWriter) -> Void
  ) {
    start(name)
    append(begin)
    isFirst = true
    body(&self)
    append(end)
    isFirst = false
  }

  mutating func text(_ name: StaticString?, _ value: String?) {
    text(name, bytes: value.map { Array($0.utf8) })
  }

  /// - Parameter bytes: text in UTF-8; bytes that are not are replaced by U+FFFD.
  mutating func text(_ name: StaticString?, bytes: [UInt8]?) {
    start(name)
    guard let bytes else {
      append("null")
      return
    }
    quote(String(decoding: bytes, as: UTF8.self))
  }

  /// A text whose name is one as well.
  mutating func text(named name: String, _ value: String) {
    start(nil)
    quote(name)
    append(":")
    quote(value)
  }

  private mutating func quote(_ text: String) {
    bytes.append(UInt8(ascii: "\""))
    for byte in text.utf8 { escape(byte) }
    bytes.append(UInt8(ascii: "\""))
  }

  /// A path; an empty one is null.
  mutating func path(_ name: StaticString?, _ value: SystemPath) {
    text(name, bytes: value.isEmpty ? nil : value.bytes)
  }

  /// A value that was written before.
  mutating func value(_ name: StaticString?, _ json: [UInt8]) {
    start(name)
    bytes += json
  }

  /// Members of an object that were written before: at least one.
  mutating func members(_ json: JSONWriter) { value(nil, json.bytes) }

  mutating func number<Value: FixedWidthInteger>(_ name: StaticString?, _ value: Value?) {
    start(name)
    guard let value else {
      append("null")
      return
    }
    bytes += Array("\(value)".utf8)
  }

  /// With all digits that tell the number from its neighbours.
  mutating func number(_ name: StaticString?, _ value: Double?) {
    start(name)
    guard let value, value.isFinite else {
      append("null")
      return
    }
    bytes += Array("\(value)".utf8)
  }

  mutating func flag(_ name: StaticString?, _ value: Bool?) {
    start(name)
    guard let value else {
      append("null")
      return
    }
    append(value ? "true" : "false")
  }

  /// The comma before a value, and its name.
  private mutating func start(_ name: StaticString?) {
    if !isFirst { bytes.append(UInt8(ascii: ",")) }
    isFirst = false
    guard let name else { return }
    bytes.append(UInt8(ascii: "\""))
    name.withUTF8Buffer { for byte in $0 { escape(byte) } }
    append("\":")
  }

  private mutating func escape(_ byte: UInt8) {
    switch byte {
    case UInt8(ascii: "\""): append("\\\"")
    case UInt8(ascii: "\\"): append("\\\\")
    case UInt8(ascii: "\n"): append("\\n")
    case UInt8(ascii: "\t"): append("\\t")
    case 0..<0x20:
      append("\\u00")
      bytes.append(Self.digit(byte >> 4))
      bytes.append(Self.digit(byte & 15))
    default: bytes.append(byte)
    }
  }

  private static func digit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
  }

  private mutating func append(_ text: StaticString) {
    text.withUTF8Buffer { bytes += $0 }
  }
}
