import Foundation
import Storage
import TestSupport
import Testing

@Suite struct SampleStoreTests {
  /// Also keeps a copy to look at, where CROSSCOPE_KEEP_SAMPLE names a file.
  @Test func theSampleIsAStore() throws {
    let sample = try SampleStore()
    #expect(try sample.open(.readOnly).latentCount() == SampleStore.latents)
    if let kept = ProcessInfo.processInfo.environment["CROSSCOPE_KEEP_SAMPLE"] {
      try? FileManager.default.removeItem(atPath: kept)
      try FileManager.default.copyItem(atPath: sample.path, toPath: kept)
    }
  }
}
