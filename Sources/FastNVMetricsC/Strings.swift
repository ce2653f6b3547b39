/// A literal as a C string; literals end in NUL and live for ever.
func staticText(_ text: StaticString) -> UnsafePointer<CChar> {
  UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self)
}

/// A C string that whoever asked for it deallocates.
func ownedCString(_ bytes: [UInt8]) -> UnsafeMutablePointer<CChar> {
  let copy = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count + 1)
  for (i, byte) in bytes.enumerated() { copy[i] = CChar(bitPattern: byte) }
  copy[bytes.count] = 0
  return copy
}
