internal import CFastNVMetricsShims
internal import Synchronization

/// A file of sysfs, procfs or debugfs that the tick path reads: its descriptor is opened before the
/// first tick, and one `pread` gives a value.
///
/// Opening is not the tick's business. When the descriptor goes bad, because the driver was unbound
/// or the file removed, the node says so in its mailbox and answers with an error until the
/// keeper's thread has found the file again and put a new descriptor there.
struct Node: ~Copyable {
  private var descriptor: CInt
  /// Simple attributes of debugfs refuse `pread` and answer once an open: they are opened for each
  /// read.
  private var isReadAfresh = false
  /// For those; owned by the mailbox.
  private var path: UnsafePointer<CChar>?
  private let mailbox: UnsafeMutablePointer<NodeMailbox>
  private let news: NodeNews
  /// The news up to which the mailbox was looked at.
  private var seen: UInt32 = 0
  private var lastError: CInt

  /// Opens the file now; where that fails the node answers with the errno until the keeper has it.
  init(_ watch: NodeWatch) {
    mailbox = watch.mailbox
    news = watch.news
    let opened = watch.openFirst()
    descriptor = opened.descriptor
    lastError = opened.errno
    wasEverOpen = opened.isExpected
    path = mailbox.pointee.path.load(ordering: .relaxed)
  }

  deinit { fnvm_sys_close(descriptor) }

  /// Whether there is, or may be by now, a file to read: a node that is optional is left alone else.
  var isThere: Bool {
    descriptor >= 0 || mailbox.pointee.replacement.load(ordering: .relaxed) >= 0
  }

  /// Whether there never was one: then nobody need ask at every tick.
  var isAbsent: Bool { !wasEverOpen && !isThere }
  /// How often it is enough to ask then: the keeper looks no more often.
  static var absentInterval: UInt64 { 250_000_000 }

  /// Whether there ever was one: only then is a failed read a failure. A path that the caller gave
  /// counts.
  private(set) var wasEverOpen: Bool

  /// Whether reading a node of a board can take long: the one at that path, or the one that will be found.
  static func canBlock(_ path: SystemPath, _ board: BoardConfig) -> Bool {
    if !path.isEmpty { return NodeAccess.canBlock(path) }
    return board.isDetected && NodeAccess.canBlock(Root(board.root).path("/sys"))
  }

  /// The number the file holds now.
  mutating func integer(_ scratch: borrowing Scratch) -> Reading {
    // A number is short: reading no more than needed keeps the copy small.
    let count = read(scratch.base, 64)
    if count <= 0 { return .failed(CInt(truncatingIfNeeded: 0 &- count)) }
    var scanner = ByteScanner(scratch.base, count: count)
    guard let value = scanner.integer() else { return .failed(malformed) }
    return Reading(value: value, errno: 0)
  }

  /// Up to `count` bytes from the start of the file: how many, or a negative errno.
  mutating func read(_ buffer: UnsafeMutableRawPointer, _ count: Int) -> Int {
    let newest = news.count
    if newest != seen {
      seen = newest
      lookIntoMailbox()
    }
    if descriptor < 0 { return 0 &- Int(lastError) }
    var result: Int
    if isReadAfresh, let path {
      result = fnvm_sys_read_afresh(path, buffer, count)
    } else {
      result = fnvm_sys_pread(descriptor, buffer, count, 0)
      if result == 0 &- Int(fnvmIllegalSeek) || result == 0, let path {
        isReadAfresh = true
        result = fnvm_sys_read_afresh(path, buffer, count)
      }
    }
    if result > 0 { return result }
    let error = result == 0 ? malformed : CInt(truncatingIfNeeded: 0 &- result)
    lastError = error
    switch error {
    case fnvmNoDevice, fnvmNoEntry, fnvmNoDeviceOrAddress: giveUp(error)
    default: break
    }
    return 0 &- Int(error)
  }

  private mutating func lookIntoMailbox() {
    if mailbox.pointee.replacement.load(ordering: .relaxed) >= 0 { takeReplacement() }
    if descriptor >= 0, mailbox.pointee.isStale.load(ordering: .relaxed) { giveUp(fnvmNoDevice) }
  }

  private mutating func takeReplacement() {
    let replacement = mailbox.pointee.replacement.exchange(-1, ordering: .acquiring)
    if replacement < 0 { return }
    fnvm_sys_close(descriptor)
    // Whatever was found stale was the one before.
    mailbox.pointee.isStale.store(false, ordering: .relaxed)
    descriptor = replacement
    wasEverOpen = true
    path = mailbox.pointee.path.load(ordering: .acquiring)
    isReadAfresh = false
  }

  /// The descriptor will not give values again: closes it and asks the keeper for another.
  private mutating func giveUp(_ error: CInt) {
    fnvm_sys_close(descriptor)
    descriptor = -1
    lastError = error
    mailbox.pointee.isStale.store(false, ordering: .relaxed)
    mailbox.pointee.isWanted.store(true, ordering: .releasing)
  }
}

// Read once at compile time: a computed property of an enum would be a call in the tick path.
private var fnvmNoDevice: CInt { ENODEV }
private var fnvmNoEntry: CInt { ENOENT }
private var fnvmNoDeviceOrAddress: CInt { ENXIO }
private var fnvmIllegalSeek: CInt { ESPIPE }
/// An empty file, or one without a number where one was expected.
private var malformed: CInt { EBADMSG }
