/// What the device tree says the machine is.
struct DeviceTree {
  /// The strings of the root node's `compatible`, most specific first; empty where there is no
  /// device tree.
  let compatible: [[UInt8]]

  init(root: Root) {
    for place in ["/proc/device-tree/compatible", "/sys/firmware/devicetree/base/compatible"] {
      guard let node = root.resolve(place), case .bytes(let bytes) = TextFile.read(node.path) else {
        continue
      }
      compatible = bytes.split { $0 == 0 || $0 == UInt8(ascii: "\n") }.map(Array.init)
      return
    }
    compatible = []
  }

  /// The first board of the catalogue whose module id occurs in one of the strings.
  ///
  /// In `…p3701-0005-as-p3767-0001` an AGX emulates an NX: the real module comes first, and the
  /// rails are its own.
  func board() -> CatalogBoard? {
    let boards = BoardCatalog.all
    for string in compatible {
      var best: (position: Int, board: CatalogBoard)?
      for board in boards {
        for id in board.moduleIDs {
          guard let position = string.firstRange(of: id) else { continue }
          if best == nil || position < best.unsafelyUnwrapped.position { best = (position, board) }
        }
      }
      if let best { return best.board }
    }
    return nil
  }

  /// The product, where it is one that we recognise and do not support.
  func unsupportedProduct() -> String? {
    for string in compatible {
      for (id, product) in BoardCatalog.unsupported where string.firstRange(of: id) != nil {
        return product
      }
    }
    return nil
  }
}

extension [UInt8] {
  /// Where a text first occurs.
  fileprivate func firstRange(of text: String) -> Int? {
    let wanted = [UInt8](text.utf8)
    guard !wanted.isEmpty, count >= wanted.count else { return nil }
    for start in 0...(count - wanted.count)
    where self[start..<(start + wanted.count)].elementsEqual(wanted) {
      return start
    }
    return nil
  }
}
