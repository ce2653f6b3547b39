internal import CFastNVMetricsShims
internal import Synchronization

/// The files of a trace that is not complete yet: the trace itself, with a header and the fast
/// samples, one spool for each other stream, and the journal. docs/trace-format.md says what lies on
/// disk at each moment.
///
/// Used by one thread at a time, streams apart: `append` may be called for different streams at once, and
/// `flush` beside them.
final class TraceFiles {
  let location: TraceLocation
  let trace: OwnedDescriptor
  /// A cell for each stream, so that threads that append to different ones share nothing.
  private let streams: UnsafeMutablePointer<Stream>
  /// nil in a recovery, which appends nothing.
  private let journal: TraceJournal?
  /// An older trace that this one took the place of, −1: none. While it is open its blocks are not freed, which for a
  /// large one takes longer than all the rest of a start.
  private var replaced: CInt = -1
  /// The metadata kept beside the trace, −1: none.
  var metadata: CInt = -1
  /// The disk was not made to keep it yet.
  let hasNewMetadata = Atomic<Bool>(false)
  /// What a crashed trace was renamed with that was found at the path; empty where there was none.
  private let asideSuffix: String

  private struct Stream {
    /// -1 where a recovery found no spool.
    let descriptor: CInt
    /// Whole records in the file, each vouched for by the journal.
    var recordCount: UInt64
  }

  /// Takes over open files.
  ///
  /// - Parameters:
  ///   - spools: those of the other streams, in their order, −1 for a missing one.
  ///   - recordCounts: how many records of each stream's file are good.
  init(
    _ location: consuming TraceLocation, trace: consuming OwnedDescriptor, spools: [CInt],
    journal: TraceJournal? = nil,
    recordCounts: [UInt64] = Array(repeating: 0, count: TraceStream.count),
    asideSuffix: String = ""
  ) {
    self.location = location
    self.trace = trace
    self.journal = journal
    self.asideSuffix = asideSuffix
    streams = .allocate(capacity: TraceStream.count)
    for (i, descriptor) in ([self.trace.rawValue] + spools).enumerated() {
      (streams + i).initialize(to: Stream(descriptor: descriptor, recordCount: recordCounts[i]))
    }
    // A child that keeps the open file keeps its lock, also when this process is gone.
    fnvm_sys_close_in_children(self.trace.rawValue, true)
  }

  deinit {
    for stream in TraceStream.spooled { fnvm_sys_close(streams[stream.rawValue].descriptor) }
    fnvm_sys_close(metadata)
    streams.deallocate()
    letGoOfReplaced()
    fnvm_sys_close_in_children(trace.rawValue, false)
    fnvm_sys_unlock(trace.rawValue)
  }

  /// Lets others have the path, while somebody may still hold this object: nothing is written after it.
  func release() { fnvm_sys_unlock(trace.rawValue) }

  var path: SystemPath { location.shown }

  /// Opens what is about to be replaced.
  func keepReplaced() {
    replaced = location.name.withCString {
      fnvm_sys_openat(location.directory.rawValue, $0, OpenFlag.nonBlocking | OpenFlag.noFollow, 0)
    }
  }

  /// Closes it, on a thread that has the time.
  func letGoOfReplaced() {
    fnvm_sys_close(replaced)
    replaced = -1
  }

  /// Whole records written so far.
  func recordCount(_ stream: TraceStream) -> UInt64 { streams[stream.rawValue].recordCount }

  /// The file of a stream, −1 where a recovery found none.
  func descriptor(of stream: TraceStream) -> CInt { streams[stream.rawValue].descriptor }

  /// Appends whole records, then vouches for them in the journal.
  ///
  /// - Returns: how many of them count now, and an errno where those are not all. The others are written
  ///   again by the next call, to the same place.
  func append(_ bytes: UnsafeRawBufferPointer, to stream: TraceStream) -> (
    records: Int, errno: CInt
  ) {
    let file = streams + stream.rawValue
    let size = stream.recordSize
    let first = file.pointee.recordCount
    var done = 0
    let error = fnvm_sys_pwrite_all(
      file.pointee.descriptor, bytes.baseAddress, bytes.count,
      stream.startOffset + Int64(first) * Int64(size), &done)
    let records = done / size
    if records > 0, let journal {
      let block = UnsafeRawBufferPointer(rebasing: bytes[..<(records * size)])
      let error = journal.vouch(for: block, of: stream, first: first, count: records)
      if error != 0 { return (0, error) }
    }
    file.pointee.recordCount = first + UInt64(records)
    return (records, -error)
  }

  /// Writes the header in place.
  func write(_ header: TraceHeader) throws(FNVMError) {
    let bytes = header.encoded()
    var done = 0
    let error = bytes.withUnsafeBytes {
      fnvm_sys_pwrite_all(trace.rawValue, $0.baseAddress, $0.count, 0, &done)
    }
    if error != 0 { throw .io(-error, "write the header of the trace", path) }
  }

  /// Waits until the disk has everything that was written before this call. Beside the other functions, from any
  /// one thread.
  ///
  /// - Returns: 0 or the first errno.
  func flush() -> CInt {
    var first: CInt = 0
    first = flushMetadata()
    // The journal last: what it vouches for is there then.
    var files = (0..<TraceStream.count).map { streams[$0].descriptor }
    if let journal { files.append(journal.rawDescriptor) }
    for file in files {
      let error = fnvm_sys_fdatasync(file)
      if first == 0 { first = -error }
    }
    return first
  }

  /// Waits until the disk knows the files by their names. 0 or an errno; a file system that cannot do that for a
  /// directory (EINVAL) is let be.
  func flushNames() -> CInt {
    let error = -fnvm_sys_fdatasync(location.directory.rawValue)
    return error == ErrorNumber.invalid ? 0 : error
  }

  /// Removes the spools and the journal, as far as what has their names still is them: another recorder may
  /// have come to the path.
  func removeSidecars() {
    for stream in TraceStream.spooled {
      remove(streams[stream.rawValue].descriptor, named: stream.spoolSuffix ?? "")
    }
    if let journal {
      remove(journal.rawDescriptor, named: TraceLocation.journalSuffix)
      remove(metadata, named: TraceLocation.metadataSuffix)
      return
    }
    for suffix in [
      TraceLocation.journalSuffix, TraceLocation.metadataSuffix, TraceLocation.newMetadataSuffix,
    ] { location.remove(location.name(suffix: suffix)) }
  }

  private func remove(_ descriptor: CInt, named suffix: String) {
    let name = location.name(suffix: suffix)
    if location.holds(descriptor, at: name) { location.remove(name) }
  }

  /// Renames the trace from its name with a suffix to its own. 0 or an errno.
  func rename(suffix: String) -> CInt {
    location.rename(location.name(suffix: suffix), to: location.name)
  }

  /// Removes a trace that never came to its path, and puts back what was set aside for it.
  func discard(suffix: String) {
    location.remove(location.name(suffix: suffix))
    removeSidecars()
    if !asideSuffix.isEmpty { location.putBack(asideSuffix) }
  }

  /// What the user should know of the crashed trace that was found at the path.
  var notice: String? {
    if asideSuffix.isEmpty { return nil }
    return
      joined(
        "The trace of a recorder that crashed was set aside as ", path.description, asideSuffix,
        "; complete it with: fastnvmetrics recover ", path.description, asideSuffix)
  }
}
