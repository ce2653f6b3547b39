/// What the doctor found out about one node of a board.
public struct NodeReport: Equatable, Sendable {
  /// What the node is for; the raw values are those of the C ABI.
  public enum Kind: UInt32, Sendable {
    /// The board itself, and its device tree.
    case board = 0
    /// GPU load.
    case gpu = 1
    /// CPU time.
    case cpu = 2
    /// RAM.
    case memory = 3
    /// The memory controller.
    case emc = 4
    /// A power rail.
    case rail = 5
    /// A thermal zone.
    case zone = 6
  }

  /// What became of reading it; the raw values are those of the C ABI.
  public enum State: UInt32, Sendable {
    /// Found and read.
    case good = 0
    /// Not there: see `advice`.
    case absent = 1
    /// There, and this process may not read it.
    case forbidden = 2
    /// There, and the read failed: see `errno`.
    case failing = 3
    /// A thermal zone or GPU that is powered down at this moment.
    case poweredDown = 4
    /// There, and beyond what a trace can hold.
    case leftOut = 5
  }

  /// What the node is for.
  public var kind: Kind
  /// Which one: the rail's label, the zone's type, "load", "mc_all" and so on.
  public var name: String
  /// Where it is, or where it was looked for first.
  public var path: SystemPath
  /// What became of reading it.
  public var state: State
  /// The errno that says why not; 0 where it was read.
  public var errno: Int32
  /// What it says now, in `unit`; 0 where it could not be read.
  public var value: Int64
  /// The unit of `value`, empty where it has none.
  public var unit: String
  /// What a read costs, in nanoseconds; 0 where it was not read.
  public var readNanoseconds: UInt64
  /// How often the sensor measures, in milliseconds; 0 where that is not known.
  public var refreshMilliseconds: Double
  /// What follows for a recording, and what to do about it; empty where all is well.
  public var advice: String
}
