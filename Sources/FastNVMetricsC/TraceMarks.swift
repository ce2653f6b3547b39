internal import FastNVMetrics

/// The phases and labels of a trace, with their names as C strings that live as long as this.
final class TraceMarks {
  let phases: [Phase]
  private let labels: [SyncLabel]
  private let phaseNames: [UnsafeMutablePointer<CChar>]
  private let labelTexts: [UnsafeMutablePointer<CChar>]

  init(_ trace: Trace) {
    phases = trace.phases
    labels = trace.syncLabels
    phaseNames = phases.map { ownedCString(Array($0.name.utf8)) }
    labelTexts = labels.map { ownedCString(Array($0.text.utf8)) }
  }

  deinit {
    for name in phaseNames { name.deallocate() }
    for text in labelTexts { text.deallocate() }
  }

  func name(ofPhase index: Int) -> UnsafePointer<CChar> { UnsafePointer(phaseNames[index]) }

  /// - Parameter time: nil, or receives when the mark was made.
  /// - Returns: nil where the sync point has no label.
  func label(of syncID: UInt64, _ time: UnsafeMutablePointer<UInt64>?) -> UnsafePointer<CChar>? {
    // They are in the order of their ids.
    var low = 0
    var high = labels.count
    while low < high {
      let middle = (low + high) / 2
      if labels[middle].syncID < syncID { low = middle + 1 } else { high = middle }
    }
    guard low < labels.count, labels[low].syncID == syncID else { return nil }
    time?.pointee = labels[low].timeNanoseconds
    return UnsafePointer(labelTexts[low])
  }
}
