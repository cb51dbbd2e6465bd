// config.json in many spellings, and folders with one or two of embedding and head, against transformers' logits
// (Fixtures/make_spellings.py).

import Foundation
import TestSupport
import Testing

@testable import Inference

@Suite struct ModelSpellingTests {
  struct Spelling: Sendable, CustomTestStringConvertible {
    let name, family: String
    /// The text of config.json.
    let configuration: String
    let drop: String?
    let hasOwnHead: Bool
    var testDescription: String { name }
  }

  private static var root: String { fixturePath("spellings") }
  let folder = TemporaryFolder()

  static var spellings: [Spelling] {
    guard let data = try? Data(contentsOf: URL(fileURLWithPath: root + "/spellings.json")),
      let cases = try? JSONSerialization.jsonObject(with: data) as? [[String: Any]]
    else { return [] }
    return cases.compactMap { one in
      guard let name = one["name"] as? String, let family = one["family"] as? String,
        let configuration = one["configuration"],
        let text = try? JSONSerialization.data(withJSONObject: configuration)
      else { return nil }
      return Spelling(
        name: name, family: family, configuration: String(decoding: text, as: UTF8.self), drop: one["drop"] as? String,
        hasOwnHead: one["own_head"] as? Bool ?? false)
    }
  }

  /// Writes the folder as the reference had it.
  private func write(_ spelling: Spelling) throws -> String {
    let path = folder.path + "/model"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    try spelling.configuration.write(toFile: path + "/config.json", atomically: true, encoding: .utf8)
    let file = try SafetensorsFile(path: "\(Self.root)/\(spelling.family).safetensors")
    var writer = SafetensorsWriter()
    for tensor in file.tensors where tensor.name != spelling.drop {
      var values = try tensor.floats()
      if spelling.hasOwnHead, tensor.name == "lm_head.weight" {
        let width = tensor.shape[1]
        values = (0..<tensor.shape[0]).reversed().flatMap { values[$0 * width..<($0 + 1) * width] }
      }
      writer.add(tensor.name, shape: tensor.shape, floats: values)
    }
    try writer.write(to: path + "/model.safetensors")
    return path
  }

  @Test(arguments: spellings) func logitsAreTransformers(spelling: Spelling) throws {
    let expected = try SafetensorsFile(path: Self.root + "/expected.safetensors")
    let ids = try expected.ints(named: "input_ids").map(Int32.init)
    let model = try Transformer.load(path: write(spelling))
    let logits = try model.forward([Segment(stream: 0, cache: model.makeCache(), tokens: ids)])[0].values
    #expect(Families.difference(logits, try expected.floats(named: spelling.name)) <= 1e-4)
  }

  @Test func allSpellingsAreThere() { #expect(Self.spellings.count == 33) }

  @Test func aFolderWithAnAdapterInItIsRefused() throws {
    let path = try write(#require(Self.spellings.first))
    try "{}".write(toFile: path + "/adapter_config.json", atomically: true, encoding: .utf8)
    #expect { try Transformer.load(path: path) } throws: { "\($0)".contains("adapter_config.json") }
  }
}
