/// Puts a text together out of parts.
///
/// An interpolation becomes code where it stands, in Embedded Swift some hundred bytes for each part: all sentences
/// together were a tenth of the library.
@inline(never)
package func joined(_ parts: String...) -> String {
  var text = ""
  for part in parts { text += part }
  return text
}

/// A number as text.
@inline(never)
package func decimal(_ value: Int64) -> String { "\(value)" }

/// A number as text.
@inline(never)
package func decimal(_ value: UInt64) -> String { "\(value)" }

/// A number as text.
package func decimal<Value: BinaryInteger>(_ value: Value) -> String {
  decimal(Int64(clamping: value))
}
