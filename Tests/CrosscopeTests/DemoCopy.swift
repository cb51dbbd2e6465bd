// The demo store with the files beside it, to be changed by a test.

import Foundation
import Inference
import Storage
import TestSupport

@testable import Experiments
@testable import crosscope

/// The demo store with its models, loaded once in this process: reading and hashing them takes seconds.
struct LoadedDemo {
  let store: Store
  let context: SteeringContext

  static let shared: Result<LoadedDemo, any Error> = Result {
    let store = try Store(path: DemoStoreTests.path, access: .readOnly)
    return LoadedDemo(
      store: store,
      context: try SteeringContext.load(store: store, files: ModelLocations(model: RealModel.path), precision: .fast))
  }
}

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
