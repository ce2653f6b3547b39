/// Reads numbers and words out of bytes in place, as the kernel prints them.
///
/// Numbers are read as by `strtoll`: leading blanks, an optional sign, then digits up to the first
/// byte that is none or the end of the data. A number that does not fit saturates.
struct ByteScanner {
  private var position: UnsafeRawPointer
  private let end: UnsafeRawPointer

  init(_ base: UnsafeRawPointer, count: Int) {
    position = base
    end = base + count
  }

  var isAtEnd: Bool { position >= end }

  /// How many bytes are left.
  var remaining: Int { end - position }

  private var byte: UInt8 { position.load(as: UInt8.self) }

  /// The next number; nil where there is none, and then nothing but blanks is consumed.
  ///
  /// - Parameter onThisLine: whether the end of the line ends the search, as between columns.
  // The library is built for size; half of what a tick does beside its system calls is here.
  @_optimize(speed)
  mutating func integer(onThisLine: Bool = false) -> Int64? {
    skipBlanks(onThisLine: onThisLine)
    var negative = false
    var at = position
    if at < end {
      let sign = at.load(as: UInt8.self)
      if sign == minus || sign == plus {
        negative = sign == minus
        at += 1
      }
    }
    let first = at
    var value: UInt64 = 0
    // So many digits fit, whatever they are.
    let safeEnd = end - at > safeDigits ? at + safeDigits : end
    while at < safeEnd {
      let digit = at.load(as: UInt8.self) &- zero
      if digit > 9 { break }
      value = value &* 10 &+ UInt64(digit)
      at += 1
    }
    if at == first { return nil }
    while at >= safeEnd, at < end {
      let digit = at.load(as: UInt8.self) &- zero
      if digit > 9 { break }
      value = value <= stillExact ? value &* 10 &+ UInt64(digit) : UInt64.max
      at += 1
    }
    position = at
    if negative {
      return value >= magnitudeOfMinimum ? Int64.min : 0 &- Int64(truncatingIfNeeded: value)
    }
    return value >= magnitudeOfMinimum ? Int64.max : Int64(truncatingIfNeeded: value)
  }

  /// Consumes `prefix` where the data goes on with it.
  mutating func consume(_ prefix: StaticString) -> Bool {
    let count = prefix.utf8CodeUnitCount
    if end - position < count { return false }
    let wanted = UnsafeRawPointer(prefix.utf8Start)
    for i in 0..<count
    where position.load(fromByteOffset: i, as: UInt8.self)
      != wanted.load(fromByteOffset: i, as: UInt8.self)
    {
      return false
    }
    position += count
    return true
  }

  /// Consumes blanks of this line and `prefix`, where the line goes on with that.
  mutating func consume(word prefix: StaticString) -> Bool {
    skipBlanks(onThisLine: true)
    return consume(prefix)
  }

  /// Whether the next byte is a digit: "cpu0" and not "cpu " or "cpufoo".
  var isAtDigit: Bool { position < end && byte &- zero <= 9 }

  private mutating func skipBlanks(onThisLine: Bool) {
    while position < end, byte == space || byte &- 9 <= 4 {
      if onThisLine && byte == newline { return }
      position += 1
    }
  }

  /// Goes to the start of the next line, or to the end.
  mutating func skipLine() {
    while position < end {
      let isNewline = byte == newline
      position += 1
      if isNewline { return }
    }
  }

  private var zero: UInt8 { 0x30 }
  private var minus: UInt8 { 0x2D }
  private var plus: UInt8 { 0x2B }
  private var space: UInt8 { 0x20 }
  private var newline: UInt8 { 0x0A }
  private var safeDigits: Int { 18 }
  private var magnitudeOfMinimum: UInt64 { 1 << 63 }
  /// Up to here another digit fits.
  private var stillExact: UInt64 { (UInt64.max - 9) / 10 }
}
