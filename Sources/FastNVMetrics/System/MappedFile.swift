internal import CFastNVMetricsShims

/// A file mapped into memory for reading.
struct MappedFile: ~Copyable, @unchecked Sendable {
  // The mapping is never written and lives as long as the value.
  let bytes: UnsafeRawBufferPointer

  /// - Throws: `.io`; EISDIR and the like for what is not a regular file.
  init(_ path: SystemPath, purpose: String) throws(FNVMError) {
    let file = try OwnedDescriptor(
      opening: path, flags: OpenFlag.nonBlocking, purpose: purpose)
    guard let status = file.status else { throw .io(ErrorNumber.io, purpose, path) }
    if status.is_directory { throw .io(ErrorNumber.isDirectory, purpose, path) }
    if !status.is_regular {
      throw .io(ErrorNumber.invalid, purpose, path, hint: "it is not a regular file")
    }
    if status.size == 0 {
      bytes = UnsafeRawBufferPointer(start: nil, count: 0)
      return
    }
    var address: UnsafeMutableRawPointer?
    let error = fnvm_sys_map_file(file.rawValue, Int(status.size), &address)
    guard error == 0, let address else { throw .io(-error, purpose, path) }
    bytes = UnsafeRawBufferPointer(start: address, count: Int(status.size))
  }

  deinit {
    if let base = bytes.baseAddress {
      fnvm_sys_unmap(UnsafeMutableRawPointer(mutating: base), bytes.count)
    }
  }
}
