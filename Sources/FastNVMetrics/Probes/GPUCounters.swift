/// `counters`: "busy total", two counters of GPU cycles with 31 bits. They wrap within seconds and begin
/// at 0 again when the GPU was powered down.
struct GPUCounters: ~Copyable {
  private var node: Node
  private var busy: Int64 = -1
  private var total: Int64 = -1
  private var time: UInt64 = 0
  /// Cycles per second, as counted: tells a wrap from a new beginning.
  private var rate: Double = 0
  /// Busy and total cycles of about one refresh of `load`, to compare with it.
  private var recentBusy: Double = 0
  private var recentTotal: Double = 0

  private static var span: Int64 { 1 << 31 }
  /// One refresh of `load`, in seconds.
  private static var recentSeconds: Double { 0.0167 }

  init(_ node: consuming Node) { self.node = node }

  var isOpen: Bool { node.isThere }

  /// The utilisation over about the last 17 ms, per mille; nil before anything was counted.
  var recent: Int? { recentTotal > 0 ? Int(1000 * recentBusy / recentTotal) : nil }

  /// The GPU was powered down: what follows has nothing to do with what was before.
  mutating func forget() {
    busy = -1
    total = -1
    recentBusy = 0
    recentTotal = 0
  }

  /// The utilisation since the last read, per mille; nil where there is none to be had.
  mutating func read(at now: UInt64, _ scratch: borrowing Scratch) -> UInt16? {
    let count = node.read(scratch.base, 64)
    if count <= 0 {
      forget()
      return nil
    }
    var scanner = ByteScanner(scratch.base, count: count)
    guard let newBusy = scanner.integer(), let newTotal = scanner.integer(onThisLine: true),
      newBusy >= 0, newBusy < Self.span, newTotal >= 0, newTotal < Self.span
    else {
      forget()
      return nil
    }
    let seconds = Double(now &- time) / 1e9
    let hadBaseline = total >= 0
    let hasWrapped = newBusy < busy || newTotal < total
    let busyCycles = (newBusy &- busy) & (Self.span &- 1)
    let totalCycles = (newTotal &- total) & (Self.span &- 1)
    busy = newBusy
    total = newTotal
    time = now
    if !hadBaseline { return nil }
    if hasWrapped {
      // A wrap goes on at the rate before it; anything else that is smaller began anew.
      let expected = rate * seconds
      if expected == 0 || Double(totalCycles) > 2 * expected || busyCycles > totalCycles {
        recentBusy = 0
        recentTotal = 0
        return nil
      }
    } else if totalCycles > 0 {
      rate = Double(totalCycles) / seconds
    }
    if totalCycles == 0 { return nil }
    let share = min(Double(busyCycles) / Double(totalCycles), 1)
    let keep = max(0, 1 - seconds / Self.recentSeconds)
    recentBusy = recentBusy * keep + share * Double(totalCycles)
    recentTotal = recentTotal * keep + Double(totalCycles)
    return UInt16(1000 * share + 0.5)
  }
}
