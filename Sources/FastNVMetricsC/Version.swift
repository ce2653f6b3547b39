internal import CFastNVMetrics
internal import FastNVMetrics

@_cdecl("fnvm_version")
public func version() -> UInt32 { FastNVMetricsVersion.packed }

@_cdecl("fnvm_version_string")
public func versionString() -> UnsafePointer<CChar>? { staticText("0.3.0") }

@_cdecl("fnvm_abi_version")
public func abiVersion() -> UInt32 { FastNVMetricsVersion.abi }

private func headerAgreement() {
  let h1 = CFastNVMetrics.fnvm_version, s1 = version
  agree(type(of: h1), type(of: s1))
  let h2 = CFastNVMetrics.fnvm_version_string, s2 = versionString
  agree(type(of: h2), type(of: s2))
  let h3 = CFastNVMetrics.fnvm_abi_version, s3 = abiVersion
  agree(type(of: h3), type(of: s3))
}
