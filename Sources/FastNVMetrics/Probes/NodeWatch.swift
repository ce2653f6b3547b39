internal import CFastNVMetricsShims
internal import Synchronization

/// The keeper's side of a node: where its file is, and which one was opened.
///
/// Used by the thread that sets up a recording, then by the keeper's alone.
final class NodeWatch {
  let mailbox: UnsafeMutablePointer<NodeMailbox>
  let news: NodeNews
  private let locator: NodeLocator
  private var path: SystemPath
  /// Which file was opened last, to notice when another one takes its place.
  private var identity: (device: UInt64, inode: UInt64)?
  /// The node's descriptor, which the tick closes when it pleases: good for a hint, no more.
  private var descriptor: CInt = -1
  /// A node of sysfs or procfs answers ENODEV once it is gone: there is no need to look.
  private var saysItself = false
  /// Paths that were handed to the tick: it must not free them.
  private var handedOut: [UnsafeMutablePointer<CChar>] = []

  init(_ locator: NodeLocator, news: NodeNews) {
    self.locator = locator
    self.news = news
    path = locator.startPath.madeAbsolute()
    mailbox = .allocate(capacity: 1)
    mailbox.initialize(to: NodeMailbox())
  }

  deinit {
    fnvm_sys_close(mailbox.pointee.replacement.load(ordering: .acquiring))
    mailbox.deinitialize(count: 1)
    mailbox.deallocate()
    for path in handedOut { path.deallocate() }
  }

  /// Opens the file for the first time.
  ///
  /// - Returns: `isExpected` says whether the node has a path at all, so that failing to read it is a
  ///   failure.
  func openFirst() -> (descriptor: CInt, errno: CInt, isExpected: Bool) {
    if path.isEmpty { path = locator.find() }
    if path.isEmpty {
      mailbox.pointee.isWanted.store(locator.canSearch, ordering: .relaxed)
      return (-1, ErrorNumber.noEntry, false)
    }
    let fd = open(path)
    if fd >= 0 { return (fd, 0, true) }
    mailbox.pointee.isWanted.store(true, ordering: .relaxed)
    return (-1, -fd, true)
  }

  /// Leaves a new descriptor where one is wanted, and where the path leads to another file by now.
  ///
  /// - Parameters:
  ///   - searching: whether to look for a node that has never been found.
  ///   - looking: whether to follow the path, to see if it leads to another file by now. Where the file that is
  ///     open has lost its name, that is done anyway.
  func tend(searching: Bool, looking: Bool) {
    if mailbox.pointee.isWanted.load(ordering: .acquiring) {
      if path.isEmpty && !searching { return }
      let found = locator.findAgain(after: path)
      if !found.isEmpty { leave(found) }
      return
    }
    if saysItself || !(looking || hasLostName) { return }
    // One that was left and not taken yet is looked at in the next round.
    if mailbox.pointee.replacement.load(ordering: .relaxed) >= 0 { return }
    switch whatIsThere() {
    case .same: break
    case .another: leave(path)
    case .nothing:
      mailbox.pointee.isStale.store(true, ordering: .relaxed)
      news.tell()
    }
  }

  private func leave(_ found: SystemPath) {
    let fd = open(found)
    if fd < 0 { return }
    path = found
    mailbox.pointee.isWanted.store(false, ordering: .relaxed)
    mailbox.pointee.replacement.store(fd, ordering: .releasing)
    news.tell()
  }

  /// Whether the open file was removed, or another one renamed over it. Cheaper than to follow its path; a directory
  /// on the way that was renamed goes unseen.
  private var hasLostName: Bool {
    var status = fnvm_sys_stat()
    return fnvm_sys_fstat(descriptor, &status) == 0 && status.links == 0
  }

  private enum Finding {
    case same, another, nothing
  }

  private func whatIsThere() -> Finding {
    guard let identity else { return .same }
    var status = fnvm_sys_stat()
    let error = path.withCString {
      fnvm_sys_lstatat(fnvm_sys_working_directory(), $0, &status)
    }
    if error != 0 { return error == -ErrorNumber.noEntry ? .nothing : .same }
    // A link that the caller gave is not compared: its inode is its own.
    if status.is_link { return .same }
    let isSame = status.device == identity.device && status.inode == identity.inode
    return isSame ? .same : .another
  }

  private func open(_ path: SystemPath) -> CInt {
    let fd = path.withCString { fnvm_sys_open_node($0) }
    if fd < 0 { return fd }
    var status = fnvm_sys_stat()
    if fnvm_sys_fstat(fd, &status) == 0 { identity = (status.device, status.inode) }
    descriptor = fd
    saysItself = fnvm_sys_is_sysfs(fd) || fnvm_sys_is_procfs(fd)
    if mailbox.pointee.path.load(ordering: .relaxed) == nil || path != self.path {
      let copy = UnsafeMutablePointer<CChar>.allocate(capacity: path.bytes.count + 1)
      for (i, byte) in path.bytes.enumerated() { copy[i] = CChar(bitPattern: byte) }
      copy[path.bytes.count] = 0
      handedOut.append(copy)
      mailbox.pointee.path.store(UnsafePointer(copy), ordering: .releasing)
    }
    return fd
  }
}
