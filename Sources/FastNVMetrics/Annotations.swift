/// Facts of the caller's own, for the META chunk of every trace of an engine.
///
/// Thread-safe.
final class Annotations: @unchecked Sendable {
  // Both are guarded by `gate`.
  private let gate = ControlMutex()
  private var entries: [Entry] = []
  private var changes = 0

  struct Entry {
    let key: String
    var value: String
  }

  static let maxKeyBytes = 64
  static let maxValueBytes = 4096
  static let maxCount = 128

  /// Adds a fact, or replaces the one of that key.
  ///
  /// - Throws: `.invalid`.
  func set(_ key: String, _ value: String) throws(FNVMError) {
    // Not as strings: equal ones can differ in their bytes.
    let bytes = Array(key.utf8)
    if bytes.isEmpty || bytes.count > Self.maxKeyBytes {
      throw FNVMError(
        .invalid,
        joined("the key of an annotation is 1 to 64 bytes long, not ", decimal(bytes.count)))
    }
    if value.utf8.count > Self.maxValueBytes {
      throw FNVMError(
        .invalid,
        joined(
          "the annotation ", key, " is 0 to 4096 bytes long, not ", decimal(value.utf8.count)))
    }
    try gate.locked { () throws(FNVMError) in
      if let index = entries.firstIndex(where: { Array($0.key.utf8) == bytes }) {
        entries[index].value = value
      } else if entries.count < Self.maxCount {
        entries.append(Entry(key: key, value: value))
      } else {
        throw FNVMError(
          .invalid, joined("there are 128 annotations already: no room for ", key))
      }
      changes += 1
    }
  }

  /// How often they were changed; 0: there are none.
  var version: Int { gate.locked { changes } }

  /// All of them, in the order of their first appearance.
  var all: [Entry] { gate.locked { entries } }

  /// Free again, whoever held the lock: only in a forked child, where its holder does not exist.
  func reset() { gate.reset() }
}

extension Engine {
  /// Says something of your own about what is recorded: the command, the model, the temperature of the room.
  ///
  ///     try engine.annotate("command", "train --epochs 3")
  ///
  /// It is in the META chunk of every trace that this engine completes from now on, of the one that is being
  /// recorded too; an annotation makes that chunk be written where nobody asked for it. Setting a key
  /// again replaces it.
  ///
  /// - Parameters:
  ///   - key: 1 to 64 bytes of UTF-8; an engine has room for 128 keys.
  ///   - value: up to 4096 bytes of UTF-8.
  /// - Throws: `.invalid`, `.forked`.
  ///
  /// Thread-safe; does not block. The corresponding C function is `fnvm_engine_annotate`.
  public func annotate(_ key: String, _ value: String) throws(FNVMError) {
    try checkNotForked()
    try annotations.set(key, value)
  }
}
