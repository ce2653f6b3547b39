import Foundation
import Testing

@testable import FastNVMetrics

@Suite struct JSONWriterTests {
  private func written(_ body: (inout JSONWriter) -> Void) -> String {
    var json = JSONWriter()
    body(&json)
    return String(decoding: json.bytes, as: UTF8.self)
  }

  @Test func objectsAndArraysNest() {
    let text = written {
      $0.object { json in
        json.object("empty") { _ in }
        json.array("none") { _ in }
        json.array("two") { json in
          json.array { json in json.number(nil, 1) }
          json.object { json in json.flag("a", true) }
        }
        json.number("after", 2)
      }
    }
    #expect(text == #"{"empty":{},"none":[],"two":[[1],{"a":true}],"after":2}"#)
  }

  @Test func textIsEscaped() throws {
    let all = (0..<128).map { UInt8($0) } + Array("µ°\u{1F600}\u{2028}".utf8)
    let text = written { $0.array { json in json.text(nil, bytes: all) } }
    let read = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String]
    #expect(read == [String(decoding: all, as: UTF8.self)])
    #expect(written { $0.text(nil, "\"\\\n\t\u{1}\u{1F}") } == #""\"\\\n\t\u0001\u001f""#)
  }

  @Test func bytesThatAreNoTextAreReplaced() {
    #expect(written { $0.text(nil, bytes: [0x61, 0xFF, 0x62]) } == "\"a\u{FFFD}b\"")
  }

  @Test func whatIsNotKnownIsNull() {
    let text = written {
      $0.array { json in
        json.text(nil, nil)
        json.text(nil, bytes: nil)
        json.path(nil, SystemPath())
        json.number(nil, nil as Int?)
        json.number(nil, nil as Double?)
        json.number(nil, Double.nan)
        json.number(nil, -Double.infinity)
        json.flag(nil, nil)
      }
    }
    #expect(text == "[null,null,null,null,null,null,null,null]")
  }

  @Test func numbersKeepTheirDigits() throws {
    let text = written {
      $0.array { json in
        json.number(nil, UInt64.max)
        json.number(nil, Int64.min)
        for value in [0.1, 1e-7, 1e300, 5e20, -0.0, 1.0] { json.number(nil, value) }
      }
    }
    #expect(text.hasPrefix("[18446744073709551615,-9223372036854775808,0.1,"))
    let read = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [NSNumber]
    #expect(read?.suffix(6).map { $0.doubleValue } == [0.1, 1e-7, 1e300, 5e20, -0.0, 1.0])
  }
}
