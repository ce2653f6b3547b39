internal import CFastNVMetricsShims

/// What can be said of a node without reading it.
enum NodeAccess {
  /// Whether it can be opened: 0, or the errno of `open(2)`.
  static func check(_ path: SystemPath) -> CInt {
    let fd = path.withCString { fnvm_sys_open_node($0) }
    if fd < 0 { return -fd }
    fnvm_sys_close(fd)
    return 0
  }

  /// Whether a read can take as long as a device or a server pleases. A file on a disk or in memory, as
  /// simulated boards have them, is read at once.
  static func canBlock(_ path: SystemPath) -> Bool {
    var place = path
    while true {
      let answer = place.withCString { fnvm_sys_is_storage($0) }
      if answer >= 0 { return answer == 0 }
      // Nothing will ever be there.
      if answer == -ErrorNumber.nameTooLong { return false }
      // Not there yet: it will be where its directory is.
      let parent = place.parent
      if parent == place { return true }
      place = parent
    }
  }
}
