/// The probes of a recording: which of them the tiers read, and which have threads of their own.
final class ProbeRoster {
  /// In the order in which they were added.
  private(set) var statuses: [ProbeStatus] = []
  private let keeper: NodeKeeper
  private var pending: [(name: String, body: @Sendable (FutexReference) -> Void)] = []
  /// Not changed after `start`: statistics are asked for by any thread until the recording is gone.
  private var started: [(thread: Thread, stop: FutexHolder)] = []

  /// What is left of reads in progress when a recording ends is waited for no longer than this.
  private static let patience: UInt64 = 3_000_000

  /// Outlives the recording where a thread does.
  private final class FutexHolder: Sendable {
    let word = FutexWord(0)
  }

  init(keeper: NodeKeeper) { self.keeper = keeper }

  /// The status of a source that its tier reads by other means.
  func status(_ name: String, tier: Int) -> ProbeStatus {
    let status = ProbeStatus(name: name, tier: tier, hasOwnThread: false, wordCount: 1)
    statuses.append(status)
    return status
  }

  /// Gives a tier its end of a probe.
  ///
  /// - Parameters:
  ///   - name: what users know it by.
  ///   - tick: the tier's period in nanoseconds.
  ///   - canBlock: whether it gets a thread of its own, which runs after `start`.
  func add<P: Probe & ~Copyable>(
    _ probe: consuming P, name: String, tier: Int, tick: UInt64, canBlock: Bool
  ) -> PacedProbe<P> {
    let status = ProbeStatus(
      name: name, tier: tier, hasOwnThread: canBlock, wordCount: P.wordCount)
    statuses.append(status)
    if canBlock {
      let thread = ProbeThread<P>(probe, status, tick: tick, keeper: keeper)
      pending.append((name, { stop in thread.run(stop: stop) }))
      return PacedProbe(nil, status, tick: tick)
    }
    let own = UnsafeMutablePointer<P>.allocate(capacity: 1)
    own.initialize(to: probe)
    return PacedProbe(own, status, tick: tick)
  }

  /// Starts the threads of the probes that have one.
  ///
  /// - Parameter configure: called with each.
  /// - Throws: `.thread`; those that were started before are to be ended all the same.
  func start(_ configure: (Thread) -> Void) throws(FNVMError) {
    for (name, body) in pending {
      let holder = FutexHolder()
      let thread = try Thread.start(Self.threadName(name)) { body(holder.word.reference) }
      started.append((thread, holder))
      configure(thread)
    }
    pending = []
  }

  /// "fnvm-" and what fits of the probe's name.
  private static func threadName(_ name: String) -> String {
    String(decoding: Array(joined("fnvm-", name).utf8.prefix(15)), as: UTF8.self)
  }

  /// Has the threads end after the read that they are at.
  func stop() {
    for (_, holder) in started { holder.word.reference.post(1) }
  }

  /// Joins the threads; those that hang in a read are left to themselves. Once.
  func end() {
    stop()
    let deadline = Clock.monotonic() &+ Self.patience
    for (thread, _) in started {
      if thread.hasEnded(by: deadline) { thread.join() } else { thread.detach() }
    }
  }

  /// CPU time of the threads so far. Not before `start` has returned.
  var cpuNanoseconds: UInt64 { started.reduce(0) { $0 &+ $1.thread.cpuNanoseconds } }
}
