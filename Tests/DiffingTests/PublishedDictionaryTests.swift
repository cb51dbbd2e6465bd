// Dictionaries as their libraries wrote them (Fixtures/formats): codes and reconstructions are those that the library
// computed from the same files, to 1e-5, and a latent is on where it is on there.

import Foundation
import Inference
import Kernels
import TestSupport
import Testing

@testable import Diffing

/// The cases of Fixtures/formats.
enum PublishedCases {
  private static let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/formats")

  /// The folder of a case, or of a file inside it.
  static func path(_ name: String) -> String { root.appending(path: name).path }

  /// Every folder that holds a dictionary, relative to the root; checkpoints are folders of their own.
  static let all: [String] = {
    var names: Set<String> = []
    for case let file as URL in FileManager.default.enumerator(at: root, includingPropertiesForKeys: nil) ?? .init() {
      let parts = file.pathComponents.suffix(from: root.pathComponents.count).map { $0 }
      guard file.lastPathComponent == "reference.safetensors" else { continue }
      names.insert(parts.dropLast().joined(separator: "/"))
      let checkpoint = file.deletingLastPathComponent().appending(path: "checkpoint").path
      if FileManager.default.fileExists(atPath: checkpoint) {
        names.insert((parts.dropLast() + ["checkpoint"]).joined(separator: "/"))
      }
    }
    return names.sorted()
  }()

  static func reference(_ name: String) throws -> SafetensorsFile {
    try SafetensorsFile(path: path(name.replacing("/checkpoint", with: "")) + "/reference.safetensors")
  }
}

@Suite struct PublishedDictionaryTests {
  @Test func thereAreCasesOfEveryForm() throws {
    #expect(PublishedCases.all.count > 80)
    let forms = try Set(PublishedCases.all.map { try CrosscoderFile(path: PublishedCases.path($0)).form })
    let missing = Set(DictionaryForm.all.map(\.name)).subtracting(forms)
    #expect(missing == ["autoencoder", "replication"], "these two have tests of their own")
  }

  @Test(arguments: PublishedCases.all) func codesAndReconstructionsAreTheLibrarys(name: String) throws {
    let reference = try PublishedCases.reference(name)
    let file = try CrosscoderFile(path: PublishedCases.path(name))
    try file.checkRest()
    let encoded = try file.encode(try reference.floats(named: "x"), shape: try reference.shape(of: "x"))
    let f = try reference.floats(named: "f")
    #expect(try encoded.codesShape == reference.shape(of: "f"))
    #expect(relativeDifference(encoded.f, f) <= 1e-5)
    #expect(zip(encoded.f, f).allSatisfy { ($0 > 0) == ($1 > 0) })
    let output = reference.hasTensor(named: "x_hat") ? "x_hat" : "y_hat"
    #expect(encoded.predictsOther == (output == "y_hat"))
    #expect(relativeDifference(encoded.reconstruction, try reference.floats(named: output)) <= 1e-5)
    if reference.hasTensor(named: "f_scaled") {
      #expect(relativeDifference(encoded.scaled, try reference.floats(named: "f_scaled")) <= 1e-5)
    }
  }

  /// What is browsed has the directions that decode.
  @Test(arguments: PublishedCases.all) func decoderRowsAreTheDictionarysDirections(name: String) throws {
    var file = try CrosscoderFile(path: PublishedCases.path(name))
    if (try? file.requirePlace()) == nil {
      file = try CrosscoderFile(
        path: PublishedCases.path(name), choice: DictionaryChoice(reads: .chatMinusBase, layer: 5, baseHead: "0"))
    }
    let (rows, crosscoder) = (try file.decoderRows(), try file.crosscoder())
    for latent in [0, file.nLatents - 1] {
      for model in PairModel.allCases where rows.has(model) {
        let (a, b) = (try #require(rows.direction(latent, model)), Array(crosscoder.decoderDirection(latent, model)))
        // A normaliser, and codes that count in other units, leave the length of rows to the units.
        let (na, nb) = (a.norm, b.norm)
        #expect(na > 0 && relativeDifference(a.map { $0 / Float(na) }, b.map { $0 / Float(nb) }) <= 1e-6)
      }
    }
  }

  /// Codes of a token do not depend on the tokens beside it, whatever the rule.
  @Test(arguments: [
    "saelens6/topk_inference_rescale", "sparsify/groupmax", "saelens5/gated", "saelens5/standard_tanh_relu",
    "openmoss/sae_topk_dataset_wise", "saelens6/topk_layer_norm", "dictionary_learning/AutoEncoderTopK",
  ]) func tokensEncodeTheSameAloneAndTogether(name: String) throws {
    let reference = try PublishedCases.reference(name)
    let file = try CrosscoderFile(path: PublishedCases.path(name))
    let (x, shape) = (try reference.floats(named: "x"), try reference.shape(of: "x"))
    let whole = try file.encode(x, shape: shape)
    for token in [0, 7, shape[0] - 1] {
      let one = try file.encode(Array(x[token * shape[1]..<(token + 1) * shape[1]]), shape: [1, shape[1]])
      let F = file.nLatents
      #expect(one.f == Array(whole.f[token * F..<(token + 1) * F]))
      #expect(one.reconstruction == Array(whole.reconstruction[token * shape[1]..<(token + 1) * shape[1]]))
    }
  }

  /// The two heads as a crosscoder of a pair give what the dictionary of heads gives, in either order.
  @Test(arguments: ["jumprelu_dataset_wise", "topk_dataset_wise", "relu_token_wise"], ["0", "1"])
  func aPairOfHeadsIsACrosscoder(name: String, base: String) throws {
    let path = "openmoss/crosscoder_" + name
    let reference = try PublishedCases.reference(path)
    let file = try CrosscoderFile(path: PublishedCases.path(path), choice: DictionaryChoice(baseHead: base))
    try file.requirePlace()
    #expect(file.target == .pair && file.card.layer == 5)
    let (x, d) = (try reference.floats(named: "x"), file.dModel)
    func exchanged(_ values: [Float], _ width: Int) -> [Float] {
      base == "1" ? exchangingHalves(values, width) : values
    }
    let pairs = PairedActivations(dModel: d, values: exchanged(x, d))
    for crosscoder in [try file.crosscoder(), try file.crosscoder().foldingNormaliser()] {
      let codes = try crosscoder.encode(pairs)
      let f = exchanged(codes.denseByModel(), file.nLatents)
      #expect(try relativeDifference(f, reference.floats(named: "f")) <= 1e-5)
      let xHat = exchanged(crosscoder.decode(codes, of: pairs).values, d)
      #expect(try relativeDifference(xHat, reference.floats(named: "x_hat")) <= 1e-5)
    }
  }

  /// Heads of several blocks are encoded whole, and browsed at the block that is chosen.
  @Test func headsOfSeveralBlocksAreBrowsedAtOne() throws {
    let folder = TemporaryFolder()
    let (name, path) = ("openmoss/crosscoder_jumprelu_dataset_wise", folder.path + "/case")
    try FileManager.default.copyItem(atPath: PublishedCases.path(name), toPath: path)
    let text = try String(contentsOfFile: path + "/config.json", encoding: .utf8)
    try text.replacing("base.blocks.5.", with: "blocks.5.").replacing("chat.blocks.5.", with: "blocks.9.")
      .write(toFile: path + "/config.json", atomically: true, encoding: .utf8)
    try rewriteHeader(path + "/sae_weights.safetensors") {
      for (old, new) in [("base.blocks.5", "blocks.5"), ("chat.blocks.5", "blocks.9")] {
        let (from, to) = (
          "dataset_average_activation_norm.\(old).hook_resid_post",
          "dataset_average_activation_norm.\(new).hook_resid_post"
        )
        $0[to] = $0[from]
        $0[from] = nil
      }
    }
    let reference = try PublishedCases.reference(name)
    let (x, shape) = (try reference.floats(named: "x"), try reference.shape(of: "x"))
    let unsaid = try CrosscoderFile(path: path)
    #expect { try unsaid.requirePlace() } throws: {
      "\($0)".contains("--layer") && "\($0)".contains("blocks.9.hook_resid_post")
    }
    let encoded = try unsaid.encode(x, shape: shape)
    #expect(try relativeDifference(encoded.f, reference.floats(named: "f")) <= 1e-5)
    #expect(try relativeDifference(encoded.reconstruction, reference.floats(named: "x_hat")) <= 1e-5)
    let file = try CrosscoderFile(path: path, choice: DictionaryChoice(layer: 9))
    try file.requirePlace()
    #expect(file.card.layer == 9 && file.target == .chat)
    let crosscoder = try file.crosscoder()
    #expect(crosscoder.decoderRows.direction(2, .chat) == (try file.decoderRows().direction(2, .chat)))
    let row = try unsaid.reader.floats("W_D", [2, 64, 24])[(64 + 2) * 24..<(64 + 3) * 24]
    let direction = try crosscoder.direction(2, .chat).vector
    #expect(relativeDifference(direction, row.map { $0 / Float(Array(row).norm) }) <= 1e-6)
    #expect { try crosscoder.encode(PairedActivations(dModel: 24, values: x)) } throws: {
      "\($0)".contains("2 places of the model at once")
    }
  }

  /// Scales of each model and a joint threshold: folded, each latent has a bound of its own.
  @Test(arguments: ["BatchTopKCrossCoder", "BatchTopKCrossCoder_code_DECOUPLED_normalizer", "sae_difference_ftb"])
  func aFoldedNormaliserGivesTheSameCodes(name: String) throws {
    let reference = try PublishedCases.reference("crosscoder_learning/" + name)
    let file = try CrosscoderFile(path: PublishedCases.path("crosscoder_learning/" + name))
    let shape = try reference.shape(of: "x")
    var values = try reference.floats(named: "x")
    if shape.count == 2 { values = values.withUnsafeBufferPointer { rowsInChatsPlace($0, width: shape[1]) } }
    let x = PairedActivations(dModel: file.dModel, values: values)
    let crosscoder = try file.crosscoder()
    let folded = crosscoder.foldingNormaliser()
    #expect(crosscoder.normaliser != nil && folded.normaliser == nil)
    let (a, b) = (try crosscoder.encode(x), try folded.encode(x))
    #expect(a.latents == b.latents && a.selections == b.selections)
    #expect(relativeDifference(b.values, a.values) <= 1e-5)
    #expect(relativeDifference(folded.decode(b, of: x).values, crosscoder.decode(a, of: x).values) <= 1e-5)
  }

  /// base − chat is turned to chat − base: the same codes of a pair, and directions of the other sign.
  @Test func aDifferenceIsReadInTheDirectionThatIsSaid() throws {
    let path = PublishedCases.path("crosscoder_learning/sae_difference_ftb")
    #expect {
      try CrosscoderFile(path: path).requirePlace()
    } throws: { "\($0)".contains("--reads") }
    let reference = try PublishedCases.reference("crosscoder_learning/sae_difference_ftb")
    let (x, d) = (try reference.floats(named: "x"), 24)
    let plain = try CrosscoderFile(path: path, choice: DictionaryChoice(reads: .chatMinusBase))
    let turned = try CrosscoderFile(path: path, choice: DictionaryChoice(reads: .baseMinusChat))
    #expect(plain.target == .difference && turned.target == .difference)
    // chat − base = x, with some base.
    var pairs: [Float] = []
    for token in 0..<x.count / d {
      let base: [Float] = (0..<d).map { Float($0 - token) / 8 }
      pairs += base
      for index in 0..<d { pairs.append(base[index] + x[token * d + index]) }
    }
    let exchanged = exchangingHalves(pairs, d)
    let f = try reference.floats(named: "f")
    let straight = try plain.encode(pairs, shape: [x.count / d, 2, d])
    let other = try turned.encode(exchanged, shape: [x.count / d, 2, d])
    #expect(relativeDifference(straight.f, f) <= 2e-5)
    #expect(relativeDifference(other.f, f) <= 2e-5)
    #expect(try plain.decoderRows().direction(3, .chat) == turned.decoderRows().direction(3, .chat)?.map { -$0 })
    // Its own input [N, d] gives the library's numbers either way.
    let own = try turned.encode(x, shape: [x.count / d, d])
    #expect(relativeDifference(own.f, f) <= 1e-5)
    #expect(relativeDifference(own.reconstruction, try reference.floats(named: "x_hat")) <= 1e-5)
  }

  /// Gemma Scope 1 has no configuration: its folders say what is read.
  @Test func foldersOfGemmaScopeSayWhatIsRead() throws {
    let folder = TemporaryFolder()
    func open(_ path: String) throws -> CrosscoderFile {
      let place = folder.path + "/" + path
      try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
      try FileManager.default.copyItem(
        atPath: PublishedCases.path("gemma_scope/params_npz/params.npz"), toPath: place + "/params.npz")
      return try CrosscoderFile(path: place)
    }
    let residual = try open("gemma-scope-2b-pt-res/layer_12/width_16k/average_l0_82")
    #expect(residual.card.layer == 12 && residual.modelName == "google/gemma-2-2b")
    #expect(residual.notes.contains { $0.contains("12") })
    #expect(throws: Never.self) { try residual.requirePlace() }
    #expect(try open("gemma-scope-9b-it-res/layer_3/width_16k/canonical").modelName == "google/gemma-2-9b-it")
    let transcoder = try open("gemma-scope-2b-pt-transcoders/layer_5/width_16k/average_l0_8")
    #expect(try transcoder.card.layer == 5 && transcoder.crosscoder().readsElsewhere != nil)
    for (path, word) in [
      ("gemma-scope-2b-pt-mlp/layer_5/width_16k/x", "hook_mlp_out"), ("gemma-scope-2b-pt-att/layer_5/x", "hook_z"),
      ("gemma-scope-2b-pt-res/embedding/width_4k/average_l0_6", "hook_embed"),
    ] {
      let file = try open(path)
      #expect { try file.requirePlace() } throws: { "\($0)".contains(word) }
    }
    // Other folders say nothing.
    let mine = try open("my-mlp-work/layer_5_experiments/embeddings")
    #expect(mine.card.layer == nil && mine.notes.isEmpty)
    // W_enc is divided and W_dec multiplied by √d for the embeddings.
    let reference = try PublishedCases.reference("gemma_scope/params_npz")
    let x = try reference.floats(named: "x")
    let scaled = try open("a/embedding/width_4k").encode(x.map { $0 * Float(24).squareRoot() }, shape: [48, 24])
    #expect(try relativeDifference(scaled.f, reference.floats(named: "f")) <= 1e-5)
  }

  @Test(arguments: [
    ("openmoss/crosscoder_jumprelu_dataset_wise", "--base-head"), ("saelens6/topk_bdec_true", "largest of a token"),
    ("sparsify/transcoder_skip", "the input of layers.6.mlp"), ("openmoss/sae_batchtopk_inference", "whole batch"),
    ("saelens6/standard_layer_norm", "token by token"),
  ]) func whatCannotBeReadOfATextIsRefusedByName(name: String, word: String) throws {
    let file = try CrosscoderFile(path: PublishedCases.path(name))
    #expect {
      try file.requirePlace()
      try file.crosscoder().requireCodesOfLatents()
    } throws: {
      "\($0)".contains(word) && !"\($0)".contains("\n")
    }
  }
}

/// Rows of two halves of a width, with the halves exchanged.
private func exchangingHalves(_ values: [Float], _ width: Int) -> [Float] {
  var result: [Float] = []
  for start in stride(from: 0, to: values.count, by: 2 * width) {
    result += values[start + width..<start + 2 * width]
    result += values[start..<start + width]
  }
  return result
}

extension [Float] {
  fileprivate var norm: Double { reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot() }
}
