internal import CFastNVMetricsShims

/// Whether a node can be opened, without reading it.
enum NodeAccess {
  /// 0, or the errno of `open(2)`.
  static func check(_ path: SystemPath) -> CInt {
    let fd = path.withCString { fnvm_sys_open_node($0) }
    if fd < 0 { return -fd }
    fnvm_sys_close(fd)
    return 0
  }
}
