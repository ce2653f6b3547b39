/// The first bytes of a text, at most `size` and up to a NUL, cut between characters: what a field of fixed length
/// holds of it.
func fittingBytes(_ text: String, size: Int) -> [UInt8] {
  var bytes = Array(text.utf8.prefix { $0 != 0 })
  if bytes.count <= size { return bytes }
  var cut = size
  while cut > 0, bytes[cut] & 0xC0 == 0x80 { cut -= 1 }
  bytes.removeLast(bytes.count - cut)
  return bytes
}
