/// The version of the library.
public enum FastNVMetricsVersion {
  /// Parts of the version, as in the header's FNVM_VERSION_ macros.
  public static let major: UInt32 = 0
  /// Parts of the version, as in the header's FNVM_VERSION_ macros.
  public static let minor: UInt32 = 3
  /// Parts of the version, as in the header's FNVM_VERSION_ macros.
  public static let patch: UInt32 = 0
  /// The version of the binary interface.
  public static let abi: UInt32 = 0

  /// major << 16 | minor << 8 | patch, as traces hold it.
  public static var packed: UInt32 { major << 16 | minor << 8 | patch }

  /// For people, such as "0.3.0".
  static var text: String { joined(decimal(major), ".", decimal(minor), ".", decimal(patch)) }
}
