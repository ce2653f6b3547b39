/// The cpuidle counters of one CPU: microseconds spent in each idle state, credited when the core
/// leaves it.
struct IdleCounter: ~Copyable {
  private let states: UnsafeMutablePointer<Node>
  private let stateCount: Int

  private static var maxStates: Int { 16 }

  init(cpu: Int, root: Root, keeper: NodeKeeper) {
    let directory = root.path(joined("/sys/devices/system/cpu/cpu", decimal(cpu), "/cpuidle"))
    var count = 0
    while count < Self.maxStates,
      NodeAccess.check(directory.appending(joined("state", decimal(count), "/time"))) == 0
    {
      count += 1
    }
    states = .allocate(capacity: max(count, 1))
    for state in 0..<count {
      (states + state).initialize(
        to: keeper.node(.fixed(directory.appending(joined("state", decimal(state), "/time")))))
    }
    stateCount = count
  }

  deinit {
    states.deinitialize(count: stateCount)
    states.deallocate()
  }

  var isPresent: Bool { stateCount > 0 }

  /// Idle microseconds since boot over all states; negative where a state cannot be read.
  func read(_ scratch: borrowing Scratch) -> Int64 {
    var total: Int64 = 0
    for state in 0..<stateCount {
      let reading = states[state].integer(scratch)
      if !reading.isGood || reading.value < 0 { return -1 }
      total &+= reading.value
    }
    return total
  }
}
