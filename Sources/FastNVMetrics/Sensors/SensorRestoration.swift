/// Putting back the settings of power sensors, and what became of it.
struct SensorRestoration {
  /// What was done and what was not, a sentence for each chip.
  private(set) var sentences: [String] = []
  /// The first thing that could not be put back.
  private(set) var failure: FNVMError?

  /// Puts back what recorders that crashed left.
  ///
  /// - Parameter isAskedFor: whether the user wants to hear of what cannot be put back, or of a recorder that is
  ///   running.
  static func afterCrash(root: Root, isAskedFor: Bool) -> SensorRestoration {
    var report = SensorRestoration()
    guard let directory = SensorStateDirectory.existing(root: root) else { return report }
    directory.locked { isLocked in
      if !isLocked {
        if isAskedFor { report.fail(.io(ErrorNumber.busy, "lock", directory.path)) }
        return
      }
      for found in directory.files() {
        switch found {
        case .crashed(let file, let changes):
          report.putBack(changes, of: file, root: root, isOfCrash: true)
        case .running(let changes):
          if isAskedFor { report.noteRunning(changes) }
        case .closed(let path, let errno):
          if isAskedFor {
            report.fail(
              .io(errno, "read", path, hint: "it belongs to whoever recorded, mostly root"))
          }
        }
      }
    }
    return report
  }

  private mutating func noteRunning(_ changes: [SensorChange]) {
    for chip in Self.chips(of: changes) {
      sentences.append(
        joined(
          "A recorder that is running has set the power sensor ", SensorChip.name(of: chip),
          ": it is left alone.")
      )
    }
  }

  @inline(never)
  private mutating func fail(_ error: FNVMError) {
    sentences.append(error.message + ".")
    if failure == nil { failure = error }
  }

  @inline(never)
  private static func chips(of changes: [SensorChange]) -> [SystemPath] {
    var chips: [SystemPath] = []
    for change in changes where !chips.contains(change.chip) { chips.append(change.chip) }
    return chips
  }

  // MARK: - Putting back

  /// Puts back what a recorder has set. Its file is removed, unless something is still to be done.
  mutating func putBack(
    _ changes: [SensorChange], of file: SensorStateFile, root: Root, isOfCrash: Bool
  ) {
    var isComplete = true
    for chip in Self.chips(of: changes) {
      let own = changes.filter { $0.chip == chip }
      let outcome = Self.putBack(own, of: chip, file: file, root: root)
      let name = joined("The power sensor ", SensorChip.name(of: chip))
      switch outcome {
      case .wasSo: break
      case .done(let description):
        sentences.append(
          joined(
            name, isOfCrash ? ", which a recorder that crashed had set, " : " ", description,
            " again."))
      case .left(let reason): sentences.append(joined(name, " is left as it is: ", reason, "."))
      case .failed(let error):
        isComplete = false
        fail(error)
      }
    }
    if isComplete { file.remove() }
  }

  private enum Outcome {
    case wasSo
    case done(String)
    case left(String)
    case failed(FNVMError)
  }

  private static func putBack(
    _ changes: [SensorChange], of directory: SystemPath, file: SensorStateFile, root: Root
  ) -> Outcome {
    guard root.resolve(directory) != nil else {
      return .left("its driver was bound again meanwhile, which resets it")
    }
    // A file must not make root write anywhere else: a chip, at the path that has no link in it.
    guard let chip = SensorChip(directory, root: root), chip.inRoot == directory else {
      return .left(joined(root.path(directory).description, " is not the directory of an INA3221"))
    }
    let hint = joined("to put it back: ", command(root))
    var isAsBefore = true
    for change in changes {
      guard let now = chip.value(change.setting) else {
        return .failed(.io(ErrorNumber.io, "read", chip.path(change.setting), hint: hint))
      }
      if let made = change.made, now != made, now != change.original {
        return .left(
          joined(
            change.setting.nodeName, " was set to ", decimal(now),
            " by someone else meanwhile, where this recorder had set ", decimal(made), " and ",
            decimal(change.original), " was there before")
        )
      }
      if now != change.original { isAsBefore = false }
    }
    if isAsBefore { return .wasSo }

    // A crash between the two writes leaves neither what was there nor what was set.
    var pending = changes
    for index in pending.indices { pending[index].made = nil }
    _ = file.append(pending)
    let refused = SensorChange.writeOriginals(
      changes, read: { chip.value($0) }, write: { chip.write($0, to: $1) })
    if let refused {
      return .failed(
        .io(refused.errno, "put back what was in", chip.path(refused.setting), hint: hint))
    }
    for change in changes {
      if chip.value(change.setting) != change.original {
        return .left(
          joined(
            change.setting.nodeName, " ", decimal(change.original), " was written, and now it ",
            chip.description))
      }
    }
    return .done(chip.description)
  }

  /// What to run in order to put it back.
  @inline(never)
  private static func command(_ root: Root) -> String {
    joined(
      "sudo fastnvmetrics doctor --restore", root.prefix.isEmpty ? "" : " --root ",
      root.prefix.description)
  }
}

extension Doctor {
  /// Puts back the settings of the board's INA3221 that recorders which crashed left behind.
  ///
  /// Settings of a recorder that is running are left alone, and so is a sensor that somebody else has set
  /// meanwhile. Blocks for milliseconds.
  ///
  /// - Parameter root: what is put before /sys and /run; nil: FASTNVMETRICS_ROOT.
  /// - Returns: what was done, a sentence for each sensor; empty where there was nothing to do.
  /// - Throws: `.io` where something could not be put back; the message says all that was done and was not.
  ///
  /// Thread-safe. The corresponding C function is `fnvm_sensors_restore`.
  public static func restoreSensors(root: SystemPath? = nil) throws(FNVMError) -> [String] {
    let report = SensorRestoration.afterCrash(root: Root(root), isAskedFor: true)
    guard var failure = report.failure else { return report.sentences }
    failure.message = ""
    for sentence in report.sentences {
      failure.message = joined(failure.message, failure.message.isEmpty ? "" : " ", sentence)
    }
    throw failure
  }
}

extension SensorRestoration {
  /// What a recorder that crashed has left set, for the doctor.
  struct Leftover {
    /// The chip's directory as the process opens it; nil: it could be any of them.
    let directory: SystemPath?
    let advice: String
  }

  static func leftovers(root: Root) -> [Leftover] {
    guard let directory = SensorStateDirectory.existing(root: root) else { return [] }
    return directory.locked { isLocked in
      // Whoever is at work there is not one that crashed.
      if !isLocked { return [] }
      var leftovers: [Leftover] = []
      for found in directory.files() {
        switch found {
        case .running: break
        case .closed(let path, _):
          leftovers.append(
            Leftover(
              directory: nil,
              advice:
                joined(
                  "its settings may be those of a recorder that crashed (", path.description,
                  "): if none is running, put them back with: ", command(root))))
        case .crashed(_, let changes):
          for chip in chips(of: changes) {
            var before = ""
            for change in changes where change.chip == chip {
              before = joined(
                before, before.isEmpty ? "" : ", ", change.setting.nodeName, " ",
                decimal(change.original))
            }
            leftovers.append(
              Leftover(
                directory: root.path(chip),
                advice:
                  joined(
                    "a recorder that crashed has set the sensor and not put it back (", before,
                    "): run: ", command(root))))
          }
        }
      }
      return leftovers
    }
  }
}
