/// Says of every node of a board whether it can be read, and if not, why and what to do.
///
/// Thread-safe. The corresponding C function is `fnvm_doctor_examine`.
public enum Doctor {
  /// Examines the board this program runs on, or one by name.
  ///
  /// Reads each node a few times: some 100 ms on a board.
  ///
  /// - Parameters:
  ///   - name: a board of the catalogue, or nil: the one that is detected, else what there is.
  ///   - root: what is put before /proc, /sys and /etc; nil: FASTNVMETRICS_ROOT.
  /// - Returns: the board first, then its nodes in the order of a trace.
  /// - Throws: `.unknownBoard`.
  public static func examine(
    board name: String? = nil, root: SystemPath? = nil
  ) throws(FNVMError) -> [NodeReport] {
    let root = Root(root)
    let tree = DeviceTree(root: root)
    var known = tree.board()
    if let name {
      known = BoardCatalog.board(named: name)
      if known == nil && Array(name.utf8) != Array(BoardCatalog.genericName.utf8) {
        _ = try BoardConfig.named(name, root: root.name)
      }
    }
    let examination = Examination(root: root)
    var reports = [examination.board(tree, known)]
    reports += examination.gpu(isExpected: known != nil)
    reports += examination.cpu()
    reports.append(examination.memory())
    reports += examination.emc(isExpected: known != nil)
    reports += examination.rails(known)
    reports += examination.zones(known)
    return reports
  }
}
