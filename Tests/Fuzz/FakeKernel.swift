internal import Glibc

// Calls of the shims that the linker leads here (--wrap), so that plain files behave as the kernel's.

/// How the files of the probes behave beyond what plain files can.
enum FakeKernel {
  /// Whether a file whose content is "!11" fails to be read with errno 11. Off where contents are no
  /// nodes.
  nonisolated(unsafe) static var hasFailures = false
  /// Whether files count as the kernel's own procfs, whose counters run with wall time.
  nonisolated(unsafe) static var isProcfs = false

  /// The errno that a content stands for; 0 where it is one to be read.
  static func failure(_ bytes: some Collection<UInt8>) -> CInt {
    guard bytes.first == UInt8(ascii: "!") else { return 0 }
    var errno: CInt = 0
    for byte in bytes.dropFirst().prefix(3) {
      guard (0x30...0x39).contains(byte) else { break }
      errno = errno * 10 + CInt(byte - 0x30)
    }
    return errno <= EHWPOISON ? errno : 0
  }
}

@_cdecl("__wrap_fnvm_sys_pread")
public func fakePread(
  _ descriptor: CInt, _ buffer: UnsafeMutableRawPointer?, _ size: Int, _ offset: Int64
) -> Int {
  let count = pread(descriptor, buffer, size, Int(offset))
  if count < 0 { return -Int(errno) }
  if FakeKernel.hasFailures {
    let failure = FakeKernel.failure(UnsafeRawBufferPointer(start: buffer, count: count))
    if failure != 0 { return -Int(failure) }
  }
  return count
}

@_cdecl("__wrap_fnvm_sys_is_procfs")
public func fakeIsProcfs(_ descriptor: CInt) -> Bool { FakeKernel.isProcfs }
