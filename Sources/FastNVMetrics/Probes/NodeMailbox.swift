internal import CFastNVMetricsShims
internal import Synchronization

/// Where a node and the keeper meet: the tick asks for a descriptor, the keeper leaves one.
///
/// Written by the tick: `isWanted` (set), `replacement` (taken). Written by the keeper:
/// `replacement` (left), `path`, `isStale`. `path` is written before `replacement` is released, and
/// only while the node holds no descriptor.
struct NodeMailbox: ~Copyable {
  let isWanted = Atomic<Bool>(false)
  let isStale = Atomic<Bool>(false)
  let replacement = Atomic<CInt>(-1)
  fileprivate(set) var path: UnsafePointer<CChar>?

  private let locator: NodeLocator
  /// Paths are freed with the mailbox: the tick must not.
  private var ownedPaths: [UnsafeMutablePointer<CChar>] = []
  /// Which file the node has open, to notice when another one takes its place.
  private var identity: (device: UInt64, inode: UInt64)?
  private var currentPath: SystemPath

  init(_ locator: NodeLocator) {
    self.locator = locator
    currentPath = locator.startPath
  }

  deinit {
    fnvm_sys_close(replacement.load(ordering: .acquiring))
    for path in ownedPaths { path.deallocate() }
  }

  /// Called once, before the threads start.
  ///
  /// - Returns: `isExpected` says whether the node has a path at all, so that failing to read it is
  ///   a failure.
  mutating func openFirst() -> (
    descriptor: CInt, errno: CInt, path: UnsafePointer<CChar>?, isExpected: Bool
  ) {
    if currentPath.isEmpty { currentPath = locator.find() }
    if currentPath.isEmpty {
      isWanted.store(locator.canSearch, ordering: .relaxed)
      return (-1, ErrorNumber.noEntry, nil, false)
    }
    let fd = open(currentPath)
    if fd < 0 {
      isWanted.store(true, ordering: .relaxed)
      return (-1, -fd, nil, true)
    }
    return (fd, 0, path, true)
  }

  /// Called by the keeper: leaves a new descriptor where one is wanted, and notices files that were
  /// replaced.
  ///
  /// - Parameter searching: whether to look for nodes that have never been found.
  mutating func tend(searching: Bool) {
    if isWanted.load(ordering: .acquiring) {
      if identity == nil && currentPath.isEmpty && !searching { return }
      let found = locator.findAgain(after: currentPath)
      if found.isEmpty { return }
      let fd = open(found)
      if fd < 0 { return }
      currentPath = found
      isWanted.store(false, ordering: .relaxed)
      replacement.store(fd, ordering: .releasing)
    } else if let identity, replacement.load(ordering: .relaxed) < 0 {
      var status = fnvm_sys_stat()
      let error = currentPath.withCString {
        fnvm_sys_lstatat(fnvm_sys_working_directory(), $0, &status)
      }
      // A link that the caller gave is not compared: its inode is its own.
      if error == 0 && status.is_link { return }
      let isReplaced =
        error == 0 && (status.device != identity.device || status.inode != identity.inode)
      if isReplaced || error == -ErrorNumber.noEntry { isStale.store(true, ordering: .relaxed) }
    }
  }

  private mutating func open(_ path: SystemPath) -> CInt {
    let fd = path.withCString { fnvm_sys_open_node($0) }
    if fd < 0 { return fd }
    var status = fnvm_sys_stat()
    if fnvm_sys_fstat(fd, &status) == 0 { identity = (status.device, status.inode) }
    if self.path == nil || path != currentPath {
      let copy = UnsafeMutablePointer<CChar>.allocate(capacity: path.bytes.count + 1)
      for (i, byte) in path.bytes.enumerated() { copy[i] = CChar(bitPattern: byte) }
      copy[path.bytes.count] = 0
      ownedPaths.append(copy)
      self.path = UnsafePointer(copy)
    }
    return fd
  }
}
