/// What one read of a node gave: a number, or the errno that says why there is none.
struct Reading {
  var value: Int64
  /// 0 where `value` is good.
  var errno: CInt

  var isGood: Bool { errno == 0 }

  static func failed(_ errno: CInt) -> Reading { Reading(value: 0, errno: errno) }
}
