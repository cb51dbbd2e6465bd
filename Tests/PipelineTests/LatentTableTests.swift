// The tables of latents that diffing-toolkit wrote: each value has its place in the store, and the table that is written again has
// equal values, column by column.

import Foundation
import Inference
import Storage
import TestSupport
import Testing

@testable import Diffing
@testable import Experiments
@testable import Pipeline

@Suite struct LatentTableTests {
  private let folder = TemporaryFolder()
  private static let fixtures = DashboardTests.fixtures + "/toolkit"

  /// A store with a table's latents and nothing else.
  private func store(_ path: String) throws -> Store {
    let table = try LatentTable(path: path, nLatents: 64)
    var records = (0..<64).map { LatentRecord(id: $0) }
    try table.fill(&records)
    let place = folder.path + "/t.crosscope"
    let pair = ModelPair(base: "b", chat: "c", layer: 1, dModel: 24, nLatents: 64, vocabSize: 1)
    let writer = try StoreWriter(replacing: place, pair: pair, meta: [LatentTableLayout.key: storedJSON(table.layout)])
    try writer.add(latents: records)
    for metric in table.metrics(besides: records) {
      try writer.add(
        metric: metric.name,
        values: metric.values.enumerated().lazy.filter { !$1.isNaN }.map { (latent: $0, value: $1) })
    }
    try writer.finish()
    return try Store(path: place, access: .readOnly)
  }

  private func cells(_ path: String) throws -> [[String]] {
    var reader = try CSVReader(path: path)
    var rows = [reader.header]
    while let row = try reader.next() { rows.append(row) }
    return rows
  }

  @Test(arguments: ["crosscoder", "sae_difference"]) func aTableComesOutWithEqualValues(form: String) throws {
    let path = "\(Self.fixtures)/\(form)/dictionary_model/latent_df.csv"
    let out = folder.path + "/out.csv"
    try LatentTableWriter.write(store(path), to: out, replacing: false)
    let (before, after) = (try cells(path), try cells(out))
    #expect(before[0] == after[0])
    #expect(before.count == 65 && after.count == before.count)
    for (a, b) in zip(before.dropFirst(), after.dropFirst()) {
      for (column, (x, y)) in zip(before[0], zip(a, b)) {
        #expect(x == y || (Double(x) != nil && Double(x) == Double(y)), "\(column) of latent \(a[0]): \(x) and \(y)")
      }
    }
  }

  @Test func columnsOfTheToolkitHaveTheirPlaces() throws {
    let store = try store(Self.fixtures + "/crosscoder/dictionary_model/latent_df.csv")
    let reference = try SafetensorsFile(path: Self.fixtures + "/crosscoder/reference.safetensors")
    func doubles(_ name: String) throws -> [Double?] {
      try reference.tensor(named: "latent_df." + name).doubles().map { $0.isNaN ? nil : $0 }
    }
    let (norms, betas, maxima) = (
      try doubles("dec_ft_norm"), try doubles("beta_error_ft"), try doubles("max_act_validation")
    )
    let (differences, shares, ratios) = (
      try doubles("dec_norm_diff"), try doubles("freq_validation"), try doubles("beta_activation_ratio")
    )
    for latent in try store.latents(ids: 0..<64) {
      #expect(latent.decNormChat == norms[latent.id])
      #expect(latent.betaErrorChat == betas[latent.id])
      #expect(latent.maxActivation == maxima[latent.id])
      #expect(latent.frequency == shares[latent.id])
      #expect(latent.deltaNorm == differences[latent.id].map { 1 - $0 })
      #expect(latent.metrics["beta_activation_ratio"] == ratios[latent.id])
    }
  }

  @Test func marksAndLineEndsOfWindowsChangeNothing() throws {
    let path = Self.fixtures + "/crosscoder/dictionary_model/latent_df.csv"
    let text = try String(contentsOfFile: path, encoding: .utf8)
    let windows = folder.path + "/w.csv"
    try ("\u{FEFF}" + text.replacing("\n", with: "\r\n")).write(toFile: windows, atomically: true, encoding: .utf8)
    let (a, b) = (try LatentTable(path: path, nLatents: 64), try LatentTable(path: windows, nLatents: 64))
    #expect(
      a.columns.elementsEqual(b.columns) {
        $0.name == $1.name && zip($0.values, $1.values).allSatisfy { $0 == $1 || $0.isNaN }
      })
    #expect(a.layout == b.layout)
  }

  @Test func aTableThatIsCutShortIsReadOrNamed() throws {
    let bytes = try Data(contentsOf: URL(filePath: Self.fixtures + "/sae_difference/dictionary_model/latent_df.csv"))
    for length in stride(from: 1, to: bytes.count, by: 97) {
      let path = try folder.file("cut.csv", Array(bytes.prefix(length)))
      do { _ = try LatentTable(path: path, nLatents: 64) } catch {
        #expect("\(error)".contains("cut.csv") && "\(error)".contains("line "), "\(error)")
      }
    }
  }
}
