import Foundation
import Testing

@testable import FastNVMetrics

/// Numbers are read as `strtoll` reads them.
@Suite struct ByteScannerTests {
  private func scan(_ text: String) -> (value: Int64?, isAtEnd: Bool) {
    // Exactly the bytes, at the end of an allocation: reading past them is found by a sanitizer.
    let bytes = UnsafeMutableRawPointer.allocate(byteCount: max(text.utf8.count, 1), alignment: 1)
    defer { bytes.deallocate() }
    bytes.copyMemory(from: Array(text.utf8), byteCount: text.utf8.count)
    var scanner = ByteScanner(bytes, count: text.utf8.count)
    let value = scanner.integer()
    return (value, scanner.isAtEnd)
  }

  @Test(arguments: [
    "0", "7\n", "437", "  42", "\t\n\r\u{B}\u{C}42", "+5", "-5", "  -17 kB", "007", "12abc", "1.5",
    "3-8", "18446744073709551615", "99999999999999999999999999",
    "9223372036854775799", "922337203685477580", "9223372036854775808", "-9223372036854775807",
  ])
  func aNumberIsWhatStrtollSays(text: String) {
    #expect(scan(text).value == strtoll(text, nil, 10))
  }

  @Test(arguments: [
    "9223372036854775800", "9223372036854775806", "9223372036854775807", "-9223372036854775808",
    "-9223372036854775809", "-9223372036854775800", "-99999999999999999999999999",
  ])
  func theLargestNumbersAreExact(text: String) {
    #expect(scan(text).value == strtoll(text, nil, 10))
  }

  @Test(arguments: ["", " ", "\n", "-", "+", "x1", "- 5", "+-5", "--5", "NaN", "\0" + "5"])
  func textWithoutDigitsIsNoNumber(text: String) {
    #expect(scan(text).value == nil)
  }

  @Test func theEndOfTheDataEndsANumber() {
    let (value, isAtEnd) = scan("123456")
    #expect(value == 123_456)
    #expect(isAtEnd)
    #expect(!scan("123456\n").isAtEnd)
  }

  @Test func linesAndWordsAreWalkedInOrder() {
    let text = Array("cpu  1 2\ncpu12 34 56\nintr 9".utf8)
    text.withUnsafeBytes { raw in
      var scanner = ByteScanner(raw.baseAddress!, count: raw.count)
      // `#expect` cannot call what changes its subject.
      var found: [Bool] = []
      found.append(scanner.consume("cpu"))
      found.append(!scanner.isAtDigit)
      found.append(!scanner.consume("cpu"))
      scanner.skipLine()
      found.append(scanner.consume("cpu"))
      found.append(scanner.isAtDigit)
      let numbers = [scanner.integer(), scanner.integer(), scanner.integer(), scanner.integer()]
      // Where there is no number, blanks are all that is consumed.
      #expect(numbers == [12, 34, 56, nil])
      found.append(scanner.consume("intr"))
      found.append(!scanner.consume("a word that is longer than what is left"))
      scanner.skipLine()
      found.append(scanner.isAtEnd)
      scanner.skipLine()
      found.append(scanner.integer() == nil)
      #expect(found.allSatisfy { $0 }, "\(found)")
    }
  }
}
