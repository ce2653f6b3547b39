public import CFastNVMetrics
internal import FastNVMetrics

/// What an `fnvm_doctor` points to: the reports, and their texts as C strings.
final class DoctorHandle {
  let reports: [NodeReport]
  private let texts: [UnsafeMutablePointer<CChar>]

  init(_ reports: [NodeReport]) {
    self.reports = reports
    texts = reports.flatMap { report in
      [
        Array(report.name.utf8), report.path.bytes, Array(report.unit.utf8),
        Array(report.advice.utf8),
      ].map(ownedCString)
    }
  }

  deinit { for text in texts { text.deallocate() } }

  /// - Parameter part: 0 name, 1 path, 2 unit, 3 advice.
  func text(_ report: Int, part: Int) -> UnsafePointer<CChar> {
    UnsafePointer(texts[4 * report + part])
  }
}

private func handle(_ doctor: OpaquePointer) -> DoctorHandle {
  Unmanaged<DoctorHandle>.fromOpaque(UnsafeRawPointer(doctor)).takeUnretainedValue()
}

@_cdecl("fnvm_doctor_examine")
public func doctorExamine(
  _ board: UnsafePointer<CChar>?, _ root: UnsafePointer<CChar>?,
  _ out: UnsafeMutablePointer<OpaquePointer?>?
) -> fnvm_status {
  guard let out else { return invalid("fnvm_doctor_examine: out is NULL") }
  out.pointee = nil
  return status { () throws(FNVMError) in
    let reports = try Doctor.examine(
      board: board.map { String(cString: $0) }, root: root.map { SystemPath(cString: $0) })
    out.pointee = OpaquePointer(Unmanaged.passRetained(DoctorHandle(reports)).toOpaque())
  }
}

@_cdecl("fnvm_doctor_free")
public func doctorFree(_ doctor: OpaquePointer?) {
  guard let doctor else { return }
  Unmanaged<DoctorHandle>.fromOpaque(UnsafeRawPointer(doctor)).release()
}

@_cdecl("fnvm_doctor_count")
public func doctorCount(_ doctor: OpaquePointer?) -> UInt32 {
  guard let doctor else { return 0 }
  return UInt32(clamping: handle(doctor).reports.count)
}

@_cdecl("fnvm_doctor_report")
public func doctorReport(
  _ doctor: OpaquePointer?, _ index: UInt32, _ out: UnsafeMutablePointer<fnvm_node_report>?
) -> fnvm_status {
  guard let doctor, let out else { return invalid("fnvm_doctor_report: doctor or out is NULL") }
  guard hasRoom(out) else { return tooSmall("fnvm_doctor_report") }
  let handle = handle(doctor)
  guard index < handle.reports.count else {
    return invalid(
      joined(
        "fnvm_doctor_report: there are ", decimal(handle.reports.count), " reports, not ",
        decimal(index)))
  }
  let report = handle.reports[Int(index)]
  out.pointee.kind = report.kind.rawValue
  out.pointee.state = report.state.rawValue
  out.pointee.error_number = report.errno
  out.pointee.value = report.value
  out.pointee.read_ns = report.readNanoseconds
  out.pointee.refresh_ms = report.refreshMilliseconds
  out.pointee.name = handle.text(Int(index), part: 0)
  out.pointee.path = handle.text(Int(index), part: 1)
  out.pointee.unit = handle.text(Int(index), part: 2)
  out.pointee.advice = handle.text(Int(index), part: 3)
  return FNVM_OK
}

private func headerAgreement() {
  let h1 = CFastNVMetrics.fnvm_doctor_examine, s1 = doctorExamine
  agree(type(of: h1), type(of: s1))
  let h2 = CFastNVMetrics.fnvm_doctor_free, s2 = doctorFree
  agree(type(of: h2), type(of: s2))
  let h3 = CFastNVMetrics.fnvm_doctor_count, s3 = doctorCount
  agree(type(of: h3), type(of: s3))
  let h4 = CFastNVMetrics.fnvm_doctor_report, s4 = doctorReport
  agree(type(of: h4), type(of: s4))
}
