// Latents as points of a plane.

import Testing

@testable import Storage

@Suite struct PointsTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  @Test func pointsComeByChatSpecificityAndThoseWithoutAValueAreCounted() throws {
    let path = folder.file()
    var latents = (0..<6).map { LatentRecord(id: $0, latentClass: $0 == 2 ? .chatOnly : .other) }
    for index in [0, 1, 2, 4] {
      latents[index].nuError = Double(index) / 10
      latents[index].nuReconstruction = index == 4 ? nil : Double(index) / 5
      latents[index].chatSpecificity = index == 0 ? nil : 3 - index
    }
    let writer = try StoreWriter(
      replacing: path,
      pair: ModelPair(base: "a", chat: "b", layer: 0, dModel: 4, nLatents: 6, vocabSize: 2))
    try writer.add(latents: latents)
    try writer.add(metric: "auto_interp", values: [(latent: 1, value: 7), (latent: 5, value: -1)])
    try writer.finish()
    let store = try Store(path: path, access: .readOnly)
    let points = try store.points(x: .column(.nuError), y: .column(.nuReconstruction))
    #expect(points.ids == [2, 1, 0] && points.x == [0.2, 0.1, 0] && points.y == [0.4, 0.2, 0])
    #expect(points.isChatOnly == [true, false, false] && points.missing == 3)
    let metric = try store.points(x: .metric("auto_interp"), y: .column(.id))
    #expect(metric.ids == [1, 5] && metric.x == [7, -1] && metric.y == [1, 5] && metric.missing == 4)
    #expect(
      storageError { _ = try store.points(x: .metric("none"), y: .column(.id)) }
        == .noSuchMetric(name: "none", known: ["auto_interp"]))
  }

  @Test func namesThatAreWordsOfTheLanguageAreBracketed() throws {
    for name in ["and", "Dead", "not", "or", "nu_error", "two words", "plain"] {
      let written = FilterColumn.metric(name).written
      #expect(try Filter("\(written)<1", metrics: [name]).root == .compareMetric(name, .less, 1))
    }
  }
}
