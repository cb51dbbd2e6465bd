// The demo store with the files beside it, to be changed by a test.

import Foundation
import TestSupport

/// A copy of data/demo in a temporary folder.
struct DemoCopy {
  private let folder = TemporaryFolder()
  var store: String { folder.path + "/demo/demo.crosscope" }

  init() throws {
    let demo = URL(filePath: DemoStoreTests.path).deletingLastPathComponent().path
    try FileManager.default.createDirectory(atPath: folder.path, withIntermediateDirectories: true)
    try FileManager.default.copyItem(atPath: demo, toPath: folder.path + "/demo")
  }
}
