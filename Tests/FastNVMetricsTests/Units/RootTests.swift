import Testing

@testable import FastNVMetrics

/// Links inside a mounted root.
@Suite struct RootTests {
  @Test func linksAreFollowedInsideTheRoot() throws {
    try withFixture { tree in
      try tree.write("sys/a/b/file", "x")
      try tree.link("sys/absolute", to: "/sys/a")
      try tree.link("sys/relative", to: "a/b")
      try tree.link("sys/twice", to: "absolute/../relative")
      try tree.link("sys/up", to: "../../../../../sys/a/b")
      let root = Root(tree.root)
      for (place, end) in [
        ("/sys/absolute/b/file", "/sys/a/b/file"), ("/sys/relative/file", "/sys/a/b/file"),
        ("/sys/up/./file", "/sys/a/b/file"), ("/sys/a/../a/b", "/sys/a/b"), ("/", "/"),
      ] {
        #expect(root.resolve(place)?.inRoot == SystemPath(end), "\(place)")
      }
      // `..` after a link leads out of where the link leads to.
      try tree.link("sys/deep", to: "/sys/a/b")
      #expect(root.resolve("/sys/deep/..")?.inRoot == "/sys/a")
      #expect(root.resolve("/sys/absolute/b/file")?.path == tree.path("sys/a/b/file"))
    }
  }

  @Test func aLinkThatLeadsNowhereOrInCirclesIsNothing() throws {
    try withFixture { tree in
      try tree.link("sys/dangling", to: "/nowhere")
      try tree.link("sys/circle", to: "circle")
      let root = Root(tree.root)
      #expect(root.resolve("/sys/dangling") == nil)
      #expect(root.resolve("/sys/circle") == nil)
      #expect(root.resolve("/sys/missing") == nil)
    }
  }

  @Test func numbersInNamesCountByValue() throws {
    try withFixture { tree in
      for number in [10, 2, 1, 33, 3] { try tree.write("sys/hwmon\(number)", "") }
      let names = Directory.names(in: tree.path("sys")).map { String(decoding: $0, as: UTF8.self) }
      #expect(names == ["hwmon1", "hwmon2", "hwmon3", "hwmon10", "hwmon33"])
      #expect(Directory.names(in: tree.path("nowhere")).isEmpty)
    }
  }
}
