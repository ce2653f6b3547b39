internal import Glibc

/// A file that targets write and the code under test reads.
struct FuzzFile {
  let path: String
  private let descriptor: CInt

  /// Creates the file, or opens the one that is there.
  init(_ path: String) {
    self.path = path
    descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    check(descriptor >= 0, "the fuzzer can create \(path)")
  }

  func close() { _ = Glibc.close(descriptor) }

  func set(_ bytes: [UInt8]) {
    let isWritten =
      pwrite(descriptor, bytes, bytes.count, 0) == bytes.count
      && ftruncate(descriptor, bytes.count) == 0
    check(isWritten, "the fuzzer can write \(path)")
  }

  /// Replaces what is at a path; nil leaves nothing there.
  static func place(_ bytes: [UInt8]?, at path: String) {
    unlink(path)
    guard let bytes else { return }
    let file = FuzzFile(path)
    file.set(bytes)
    file.close()
  }

  /// The content of the file at a path; nil where there is none.
  static func content(at path: String) -> [UInt8]? {
    let fd = open(path, O_RDONLY | O_CLOEXEC)
    if fd < 0 { return nil }
    defer { _ = Glibc.close(fd) }
    var status = stat()
    guard fstat(fd, &status) == 0 else { return nil }
    var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
    let count = pread(fd, &bytes, bytes.count, 0)
    return count == bytes.count ? bytes : nil
  }
}

/// Where this process keeps its files: in memory, in a directory of its own below FUZZ_DIRECTORY, which
/// scripts/fuzz removes in the end.
enum FuzzDirectory {
  static let path: String = {
    let parent = getenv("FUZZ_DIRECTORY").map { String(cString: $0) } ?? "/dev/shm"
    var pattern = Array((parent + "/fastnvmetrics-fuzz-XXXXXX").utf8CString)
    let made = mkdtemp(&pattern).map { String(cString: $0) }
    check(made != nil, "the fuzzer can make a directory in \(parent)")
    return made ?? ""
  }()

  /// Makes a directory inside it, and those above.
  static func make(_ inside: String) {
    var path = Self.path
    for component in inside.split(separator: "/") {
      path += "/" + component
      mkdir(path, 0o755)
    }
  }
}
