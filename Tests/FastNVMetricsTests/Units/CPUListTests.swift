import Testing

@testable import FastNVMetrics

/// Lists of CPUs as the kernel prints them.
@Suite struct CPUListTests {
  @Test(arguments: [
    ("0", 1), ("0-11", 12), ("0-3,8-11", 8), ("0,2,4", 3), ("5-5", 1), ("0-1023", 1024),
  ])
  func itsCPUsAreCounted(list: String, count: Int) {
    #expect(CPUList.parse(Array(list.utf8))?.count == count)
  }

  @Test(arguments: [
    "", ",", "a", "0-x", "x-3", "3-1", "0-1-2", "0-99999999999", "0 1", "0x3",
  ])
  func aMalformedListIsNone(list: String) {
    #expect(CPUList.parse(Array(list.utf8)) == nil)
  }

  @Test(arguments: ["0-", "-3", "-1--5", "0,,1", "0-3,", "+1"])
  func aListWithAMissingNumberIsNone(list: String) {
    #expect(CPUList.parse(Array(list.utf8)) == nil)
  }

  /// The kernel never prints one: what names a CPU twice would count it twice.
  @Test(arguments: ["0,0", "0-3,2", "4-7,0-3", "0-99999,7", "3,3-5"])
  func aListThatGoesBackIsNone(list: String) {
    #expect(CPUList.parse(Array(list.utf8)) == nil)
  }

  @Test func presentCPUsStandInForPossibleOnes() throws {
    try withFixture { tree in
      try tree.write("sys/devices/system/cpu/possible", "nonsense\n")
      try tree.write("sys/devices/system/cpu/present", "0-5\n")
      #expect(CPUList.possibleCount(root: Root(tree.root)) == 6)
    }
  }

  @Test func aMachineHasACPU() throws {
    try withFixture { tree in
      #expect(CPUList.possibleCount(root: Root(tree.root)) == 1)
      try tree.write("proc/stat", "cpu  1 2 3\nintr 5\ncpufoo\ncpu99999999\n")
      #expect(CPUList.possibleCount(root: Root(tree.root)) == 1)
    }
  }
}
