import FastNVMetrics
import Foundation

/// A directory of one test's own: a board's /proc, /sys and /etc in `root`, and a place for traces beside it.
struct FixtureTree: Sendable {
  private let directory: String

  /// What a board is detected under.
  var root: SystemPath { SystemPath(directory + "/root") }

  /// Where a trace can be written.
  func output(_ name: String = "run.bin") -> SystemPath { SystemPath(directory + "/out/" + name) }

  /// The names in the directory of traces, sorted.
  var outputNames: [String] {
    get throws { try FileManager.default.contentsOfDirectory(atPath: directory + "/out").sorted() }
  }

  /// A path inside the root, as the machine names it: "sys/…".
  func path(_ inside: String) -> SystemPath { SystemPath(absolute(inside)) }

  private func absolute(_ inside: String) -> String { directory + "/root/" + inside }

  fileprivate init() throws {
    let pattern = FileManager.default.temporaryDirectory.path + "/fastnvmetrics-XXXXXX"
    var bytes = Array(pattern.utf8CString)
    guard bytes.withUnsafeMutableBufferPointer({ mkdtemp($0.baseAddress!) }) != nil else {
      throw Failure(what: "mkdtemp", errno: errno)
    }
    directory = String(decoding: bytes.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    for name in ["/root", "/out"] {
      try FileManager.default.createDirectory(
        atPath: directory + name, withIntermediateDirectories: true)
    }
  }

  fileprivate func removeAll() { try? FileManager.default.removeItem(atPath: directory) }

  struct Failure: Error {
    var what: String
    var errno: Int32
  }

  /// Writes a file anew, and the directories above it.
  func write(_ inside: String, _ text: String) throws {
    let path = absolute(inside)
    try FileManager.default.createDirectory(
      atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
    try store(text, path, flags: O_WRONLY | O_CREAT | O_TRUNC)
  }

  /// Changes a file that an engine may be reading: in place and without a moment in which it is empty.
  /// What is shorter than before is filled up with line ends.
  func rewrite(_ inside: String, _ text: String) throws {
    var status = stat()
    let path = absolute(inside)
    guard stat(path, &status) == 0 else { throw Failure(what: "stat \(path)", errno: errno) }
    let missing = max(0, Int(status.st_size) - text.utf8.count)
    try store(text + String(repeating: "\n", count: missing), path, flags: O_WRONLY)
  }

  private func store(_ text: String, _ path: String, flags: Int32) throws {
    let fd = open(path, flags | O_CLOEXEC, 0o644)
    guard fd >= 0 else { throw Failure(what: "open \(path)", errno: errno) }
    defer { close(fd) }
    let bytes = Array(text.utf8)
    guard pwrite(fd, bytes, bytes.count, 0) == bytes.count else {
      throw Failure(what: "write \(path)", errno: errno)
    }
  }

  /// Makes a symbolic link; a target that begins with a slash counts from the root.
  func link(_ inside: String, to target: String) throws {
    let path = absolute(inside)
    try FileManager.default.createDirectory(
      atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
    guard symlink(target, path) == 0 else { throw Failure(what: "symlink \(path)", errno: errno) }
  }

  /// Removes a file, a link, or a directory with what is in it.
  func remove(_ inside: String) throws {
    try FileManager.default.removeItem(atPath: absolute(inside))
  }
}

/// Runs a test in a directory of its own, which is gone afterwards.
func withFixture<Result>(_ body: (FixtureTree) throws -> Result) throws -> Result {
  let tree = try FixtureTree()
  defer { tree.removeAll() }
  return try body(tree)
}

/// Runs a test in a directory of its own, which is gone afterwards.
func withFixture<Result>(_ body: (FixtureTree) async throws -> Result) async throws -> Result {
  let tree = try FixtureTree()
  defer { tree.removeAll() }
  return try await body(tree)
}
