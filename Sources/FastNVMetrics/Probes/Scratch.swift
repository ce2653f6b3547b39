/// The buffer that a tier reads into, allocated once.
struct Scratch: ~Copyable {
  let base: UnsafeMutableRawPointer
  let count: Int

  init(byteCount: Int) {
    base = .allocate(byteCount: byteCount, alignment: 64)
    // Touched now, so that the first tick does not fault.
    base.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
    count = byteCount
  }

  deinit { base.deallocate() }
}
