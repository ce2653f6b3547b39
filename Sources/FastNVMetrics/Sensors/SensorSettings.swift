/// The settings of a board's INA3221 for one recording.
///
/// Only the kernel's driver stands between a chip and two recorders, and a chip cannot say what it was set
/// to before: so whoever changes one first writes down what was there, where the next recorder finds it.
final class SensorSettings {
  private let directory: SensorStateDirectory
  private let file: SensorStateFile
  private let root: Root
  private var changes: [SensorChange]

  private init(
    _ directory: SensorStateDirectory, _ file: SensorStateFile, _ root: Root,
    _ changes: [SensorChange]
  ) {
    self.directory = directory
    self.file = file
    self.root = root
    self.changes = changes
  }

  /// Sets them. What cannot be set is told in the notices, and the recording goes on.
  static func apply(
    _ request: SensorRequest, to board: BoardConfig
  ) -> (settings: SensorSettings?, notices: [String]) {
    if request.isEmpty { return (nil, []) }
    let root = Root(board.root)
    let chips = SensorChip.all(of: board, root: root)
    if chips.isEmpty {
      return (
        nil,
        [
          "None of the board's rails is on an INA3221: rail_update_interval_ms and rail_samples change nothing."
        ]
      )
    }
    var notices: [String] = []
    let plans = chips.map { Plan(request, $0, &notices) }
    do throws(FNVMError) {
      // One that is as asked for may be so only for as long as another recorder runs.
      let directory =
        plans.allSatisfy { $0.changes.isEmpty }
        ? SensorStateDirectory.existing(root: root) : try SensorStateDirectory.created(root: root)
      guard let directory else { return (nil, notices) }
      let settings = try directory.locked { (isLocked) throws(FNVMError) in
        if !isLocked { throw .io(ErrorNumber.busy, "lock", directory.path) }
        // Read again: until now another recorder may have been about to put back what was there.
        var known: [String] = []
        let plans = chips.map { Plan(request, $0, &known) }
        return try carryOut(plans, in: directory, root, &notices)
      }
      return (settings, notices)
    } catch {
      notices.append(
        joined(
          "The power sensors stay as they are, since after a crash they could not be put back: ",
          error.message, ".")
      )
      return (nil, notices)
    }
  }

  /// What is to be changed of a chip.
  private struct Plan {
    let chip: SensorChip
    var changes: [SensorChange] = []
    /// What is asked for, for each change.
    var wanted: [Int64] = []

    init(_ request: SensorRequest, _ chip: SensorChip, _ notices: inout [String]) {
      self.chip = chip
      for setting in SensorSetting.allCases {
        guard let wanted = setting.value(in: request) else { continue }
        guard let original = chip.value(setting), original >= 0 else {
          notices.append(
            joined(
              chip.path(setting).description, " does not say a number: the power sensor ",
              chip.name,
              " keeps its own.")
          )
          continue
        }
        // With `samples` the interval moves, even where it is right at this moment.
        if original == wanted && changes.isEmpty { continue }
        let errno = chip.writability(setting)
        if errno != 0 {
          let isForbidden =
            errno == ErrorNumber.accessDenied || errno == ErrorNumber.notPermitted
          notices.append(
            joined(
              chip.failure(of: setting, wanted, errno), isForbidden ? "; only root can" : "",
              ". The power sensor ", chip.name, " ", chip.description, ", as before."))
          continue
        }
        changes.append(SensorChange(chip: chip.inRoot, setting: setting, original: original))
        self.wanted.append(wanted)
      }
    }
  }

  /// With the directory locked.
  private static func carryOut(
    _ plans: [Plan], in directory: SensorStateDirectory, _ root: Root, _ notices: inout [String]
  ) throws(FNVMError) -> SensorSettings? {
    var taken: [SystemPath] = []
    for found in directory.files() {
      switch found {
      case .running(let changes), .crashed(_, let changes): taken += changes.map { $0.chip }
      case .closed: break
      }
    }
    var free: [Plan] = []
    for plan in plans {
      if taken.contains(plan.chip.inRoot) {
        notices.append(
          joined(
            "Another recorder has set the power sensor ", plan.chip.name,
            " and will put it back: it ",
            plan.chip.description, ", and stays so.")
        )
      } else if !plan.changes.isEmpty {
        free.append(plan)
      }
    }
    if free.isEmpty { return nil }

    let file = try directory.createFile()
    let errno = file.append(free.flatMap { $0.changes })
    if errno != 0 {
      file.remove()
      throw .io(errno, "keep the settings of the power sensors in", directory.path)
    }
    var all: [SensorChange] = []
    var changed: [SensorChange] = []
    for plan in free {
      let done = carryOut(plan, &notices)
      all += done
      // Both or none: putting back one moves the other.
      if done.contains(where: { $0.made != $0.original }) { changed += done }
    }
    if changed.isEmpty {
      file.remove()
      return nil
    }
    // Where this fails, the file says that they were about to be set: they are put back all the same.
    _ = file.append(all)
    return SensorSettings(directory, file, root, changed)
  }

  /// - Returns: the changes with what the chip made of them.
  private static func carryOut(_ plan: Plan, _ notices: inout [String]) -> [SensorChange] {
    let chip = plan.chip
    let before = chip.description
    var done = plan.changes
    var isChanged = false
    for (change, wanted) in zip(plan.changes, plan.wanted) {
      let errno = chip.write(wanted, to: change.setting)
      if errno == 0 {
        isChanged = true
      } else {
        notices.append(joined(chip.failure(of: change.setting, wanted, errno), "."))
      }
    }
    if !isChanged {
      for index in done.indices { done[index].made = done[index].original }
      return done
    }
    // What counts is what the chip says now: it rounds, and each setting moves the other.
    var asked = ""
    for index in done.indices {
      done[index].made = chip.value(done[index].setting)
      if done[index].made != plan.wanted[index] {
        asked = joined(
          asked, "; ", done[index].setting.nodeName, " ", decimal(plan.wanted[index]),
          " was asked for")
      }
    }
    notices.append(
      joined(
        "The power sensor ", chip.name, " ", chip.description, " while recording (before: ", before,
        asked, ")."))
    return done
  }

  /// Puts back what was there.
  ///
  /// - Returns: what became of it.
  func restore() -> [String] {
    if changes.isEmpty { return [] }
    var report = SensorRestoration()
    // Without the lock as well: nobody else puts back what a running recorder has set.
    directory.locked { _ in report.putBack(changes, of: file, root: root, isOfCrash: false) }
    changes = []
    return report.sentences
  }

  /// Puts back what a recorder that crashed left; leaves alone what a running one has set, and says nothing of
  /// what this process may not put back.
  ///
  /// - Returns: what it did.
  static func restoreAfterCrash(root: SystemPath?) -> [String] {
    SensorRestoration.afterCrash(root: Root(root), isAskedFor: false).sentences
  }
}
