/// A phase of a trace: a stretch of time with a name.
public struct Phase: Equatable, Sendable {
  /// Grows in the order of their beginnings. The first recording of an engine begins with 1.
  public var id: UInt64
  /// What it was called.
  public var name: String
  /// The phase that it is inside of.
  public var parent: UInt64?
  /// How many it is inside of.
  public var depth: Int
  /// The thread that began it, as `gettid` says.
  public var thread: UInt32
  /// Nanoseconds since t = 0.
  public var beginNanoseconds: UInt64
  /// Nanoseconds since t = 0; where it was never ended, the time of the last fast sample.
  public var endNanoseconds: UInt64
  /// Whether it was ended.
  public var wasEnded: Bool
}

/// A sync point's label.
public struct SyncLabel: Equatable, Sendable {
  /// The id of the sync point.
  public var syncID: UInt64
  /// Nanoseconds since t = 0 at which the mark was made.
  public var timeNanoseconds: UInt64
  /// What it was called.
  public var text: String
}

extension Trace {
  /// The phases, in the order of their beginnings. Linear in their number: ask once.
  ///
  /// What is damaged is left out.
  ///
  /// The corresponding C function is `fnvm_trace_phase`.
  public var phases: [Phase] {
    var phases: [Phase] = []
    // As it is where nothing ends.
    let end = lastTime
    for event in phaseEvents {
      switch event.kind {
      case .label: break
      case .begin:
        // Ids grow; what does not fit was not written by a recorder.
        if event.id <= phases.last?.id ?? 0 { continue }
        let parent = Self.index(of: event.parent, in: phases)
        phases.append(
          Phase(
            id: event.id, name: String(decoding: event.name, as: UTF8.self),
            parent: parent.map { phases[$0].id }, depth: parent.map { phases[$0].depth + 1 } ?? 0,
            thread: event.thread, beginNanoseconds: event.time,
            endNanoseconds: max(end, event.time), wasEnded: false))
      case .end:
        guard let index = Self.index(of: event.id, in: phases), !phases[index].wasEnded else {
          continue
        }
        phases[index].endNanoseconds = max(event.time, phases[index].beginNanoseconds)
        phases[index].wasEnded = true
      }
    }
    return phases
  }

  /// The labels of sync points, in the order in which they were made. Linear in their number: ask once.
  ///
  /// The corresponding C function is `fnvm_trace_sync_label`.
  public var syncLabels: [SyncLabel] {
    var labels: [SyncLabel] = []
    for event in phaseEvents
    where event.kind == .label && event.id <= header.syncPointCount
      && event.id > labels.last?.syncID ?? 0
    {
      labels.append(
        SyncLabel(
          syncID: event.id, timeNanoseconds: event.time,
          text: String(decoding: event.name, as: UTF8.self)))
    }
    return labels
  }

  private static func index(of id: UInt64, in phases: [Phase]) -> Int? {
    var low = 0
    var high = phases.count
    while low < high {
      let middle = (low + high) / 2
      if phases[middle].id < id { low = middle + 1 } else { high = middle }
    }
    return low < phases.count && phases[low].id == id ? low : nil
  }

  /// Nanoseconds since t = 0 of the last fast sample.
  private var lastTime: UInt64 {
    guard let last = fast.last, last.timeSeconds > 0, last.timeSeconds < 1e9 else { return 0 }
    return UInt64(last.timeSeconds * 1e9)
  }

  private var phaseEvents: [PhaseEvent] {
    var events: [PhaseEvent] = []
    let wanted = Array(PhaseEvent.chunkType.utf8)
    for i in 0..<chunkCount where isChunk(i, ofType: wanted) {
      guard let payload = try? chunkBytes(i).payload else { continue }
      for at in stride(from: 0, to: payload.count - PhaseEvent.size + 1, by: PhaseEvent.size) {
        let record = UnsafeRawBufferPointer(rebasing: payload[at..<(at + PhaseEvent.size)])
        if let event = PhaseEvent(decoding: record) { events.append(event) }
      }
    }
    return events
  }
}
