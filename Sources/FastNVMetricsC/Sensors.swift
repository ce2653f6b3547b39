public import CFastNVMetrics
internal import FastNVMetrics

/// What an `fnvm_notices` points to: sentences as C strings.
final class NoticesHandle {
  let texts: [UnsafeMutablePointer<CChar>]

  init(_ notices: [String]) { texts = notices.map { ownedCString(Array($0.utf8)) } }

  deinit { for text in texts { text.deallocate() } }
}

@_cdecl("fnvm_sensors_restore")
public func sensorsRestore(
  _ root: UnsafePointer<CChar>?, _ out: UnsafeMutablePointer<OpaquePointer?>?
) -> fnvm_status {
  guard let out else { return invalid("fnvm_sensors_restore: out is NULL") }
  out.pointee = nil
  return status { () throws(FNVMError) in
    let notices = try Doctor.restoreSensors(root: root.map { SystemPath(cString: $0) })
    out.pointee = OpaquePointer(Unmanaged.passRetained(NoticesHandle(notices)).toOpaque())
  }
}

@_cdecl("fnvm_notices_text")
public func noticesText(_ notices: OpaquePointer?, _ index: UInt32) -> UnsafePointer<CChar>? {
  guard let notices else { return nil }
  let handle = Unmanaged<NoticesHandle>.fromOpaque(UnsafeRawPointer(notices)).takeUnretainedValue()
  return index < handle.texts.count ? UnsafePointer(handle.texts[Int(index)]) : nil
}

@_cdecl("fnvm_notices_free")
public func noticesFree(_ notices: OpaquePointer?) {
  guard let notices else { return }
  Unmanaged<NoticesHandle>.fromOpaque(UnsafeRawPointer(notices)).release()
}

private func headerAgreement() {
  let h1 = CFastNVMetrics.fnvm_sensors_restore, s1 = sensorsRestore
  agree(type(of: h1), type(of: s1))
  let h2 = CFastNVMetrics.fnvm_notices_text, s2 = noticesText
  agree(type(of: h2), type(of: s2))
  let h3 = CFastNVMetrics.fnvm_notices_free, s3 = noticesFree
  agree(type(of: h3), type(of: s3))
}
