/// Finds the GPU's `load` node: through devfreq and the device tree, then at the known places.
enum GPUNode {
  /// Known places, newest L4T first (facts read in nvgpu and NVIDIA's device trees).
  static var loadPaths: [String] {
    [
      "/sys/devices/platform/bus@0/17000000.gpu/load",
      "/sys/devices/platform/17000000.gpu/load",
      "/sys/devices/17000000.gpu/load",
      "/sys/devices/platform/17000000.ga10b/load",
      "/sys/devices/17000000.ga10b/load",
      "/sys/devices/platform/gpu.0/load",
      "/sys/devices/gpu.0/load",
    ]
  }

  /// The names that GPUs have in the device tree.
  private static var nodeNames: [String] { ["gpu", "ga10b", "gv11b", "gp10b", "gb10b"] }

  /// The path of a `load` node that can be opened, empty where there is none.
  ///
  /// It is not read here: with sick firmware that takes seconds.
  static func find(root: Root) -> SystemPath {
    for entry in Directory.names(in: root.path("/sys/class/devfreq")) {
      let item = SystemPath("/sys/class/devfreq").appending(bytes: entry)
      guard let device = root.resolve(item.appending("device")),
        let nameNode = root.resolve(device.inRoot.appending("of_node/name")),
        let name = TextFile.line(nameNode.path),
        nodeNames.contains(where: { Array($0.utf8) == name })
      else { continue }
      let load = device.path.appending("load")
      if NodeAccess.check(load) == 0 { return load }
    }
    for place in loadPaths {
      if let node = root.resolve(place), NodeAccess.check(node.path) == 0 { return node.path }
    }
    return SystemPath()
  }
}
