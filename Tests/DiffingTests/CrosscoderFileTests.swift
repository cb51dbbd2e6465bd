// Dictionaries in every published form: the same weights in another container are the same crosscoder, and codes are as
// the form's own arithmetic has them.

import Diffing
import Foundation
import Inference
import Kernels
import TestSupport
import Testing

@Suite struct CrosscoderFileTests {
  @Test func aTrainingCheckpointIsTheHubsCrosscoder() throws {
    let hub = try Crosscoder.load(path: fixture("l1"))
    let compiled = try Crosscoder.load(path: fixture("l1") + "/model_compiled.pt")
    #expect(hub.encoder == compiled.encoder)
    #expect(hub.decoder == compiled.decoder)
    #expect(hub.encoderBias == compiled.encoderBias)
    #expect(compiled.card.layer == 13)
    #expect(try CrosscoderFile(path: fixture("l1") + "/model_compiled.pt").form == "crosscoder")
  }

  @Test func theReplicationReadsTheOutputOfTheBlockBefore() throws {
    let file = try CrosscoderFile(path: fixture("connor"))
    #expect(file.form == "replication")
    #expect(file.card.layer == 13, "blocks.14.hook_resid_pre")
    #expect((file.dModel, file.nLatents) == (24, 96))
  }

  /// f = ReLU(W_enc^base x^base s^base + W_enc^chat x^chat s^chat + b_enc), s = √d ÷ mean norm, in Double from the file.
  @Test func theReplicationsInputsAreScaledToAMeanNormOfRootD() throws {
    let x = try PairedActivations(path: fixture("l1") + "/reference.safetensors")
    let crosscoder = try Crosscoder.load(path: fixture("connor"))
    #expect(throws: DiffingError.inputScaleUnknown) { try crosscoder.encode(x) }
    let codes = try crosscoder.scalingInputs(meanNorms: x.meanNorms).encode(x).dense()
    let file = try PyTorchFile(path: fixture("connor") + "/cc_weights.pt")
    let (weights, bias) = (try file.floats(named: "W_enc"), try file.floats(named: "b_enc"))
    let (d, F) = (24, 96)
    let scales = [0, 1].map { model in
      let norms = (0..<x.tokens).map { token in
        (0..<d).reduce(0.0) { $0 + pow(Double(x.values[(2 * token + model) * d + $1]), 2) }.squareRoot()
      }
      return Double(d).squareRoot() / (norms.reduce(0, +) / Double(norms.count))
    }
    var expected: [Double?] = []
    for token in 0..<x.tokens {
      for latent in 0..<F {
        var sum = Double(bias[latent])
        for model in 0..<2 {
          for column in 0..<d {
            sum +=
              Double(weights[(model * d + column) * F + latent])
              * Double(x.values[(2 * token + model) * d + column]) * scales[model]
          }
        }
        expected.append(max(0, sum))
      }
    }
    #expect(relativeDifference(codes.doubles, expected) <= 1e-5)
  }

  @Test func twoInputScalesFoldIntoTheWeights() throws {
    let x = try PairedActivations(path: fixture("l1") + "/reference.safetensors")
    let scaled = try Crosscoder.load(path: fixture("connor")).scalingInputs(meanNorms: x.meanNorms)
    let folded = scaled.foldingNormaliser()
    let (codes, foldedCodes) = (try scaled.encode(x), try folded.encode(x))
    #expect(relativeDifference(foldedCodes.dense().doubles, codes.dense().doubles) <= 1e-5)
    #expect(
      relativeDifference(folded.decode(foldedCodes, of: x).values.doubles, scaled.decode(codes, of: x).values.doubles)
        <= 1e-5)
  }

  private static let gemmaScope =
    #"{"architecture": "jumprelu", "apply_b_dec_to_input": false, "hook_name": "blocks.7.hook_resid_post"}"#

  /// Gemma Scope's settings with some of their own.
  private func settings(_ more: String) -> String { Self.gemmaScope.dropLast() + ", " + more + "}" }

  /// Gemma Scope: pre = x W_enc + b_enc, f = pre where pre > θ and pre > 0, x̂ = f W_dec + b_dec.
  private func writeSAE(_ folder: String, settings: String = Self.gemmaScope) throws {
    var writer = SafetensorsWriter()
    writer.add("W_enc", shape: [2, 3], floats: [1, 0, -1, 0, 1, 1])
    writer.add("b_enc", shape: [3], floats: [0, 0.5, 0])
    writer.add("W_dec", shape: [3, 2], floats: [3, 4, 0, 1, 1, 0])
    writer.add("b_dec", shape: [2], floats: [0.25, 0])
    writer.add("threshold", shape: [3], floats: [0.5, 2, 0])
    try writer.write(to: folder + "/sae_weights.safetensors")
    try settings.write(toFile: folder + "/cfg.json", atomically: true, encoding: .utf8)
  }

  @Test func anSAEIsADictionaryOfOneModel() throws {
    let folder = TemporaryFolder()
    try writeSAE(folder.path)
    let file = try CrosscoderFile(path: folder.path)
    #expect(file.card.layer == 7)
    let sae = try file.crosscoder()
    // Base's half is not looked at.
    let x = PairedActivations(dModel: 2, values: [9, 9, 0.5, 1, 7, -7, 2, 3])
    #expect(try sae.encode(x).dense() == [0, 0, 0.5, 2, 3.5, 1])
    #expect(try sae.decode(sae.encode(x), of: x).vector(token: 1, model: .chat) == [7.25, 11.5])
    #expect(try sae.scaled(sae.encode(x)) == [0.5, 10, 3.5, 1])
    #expect(sae.deltaNorms == [nil, nil, nil])
    #expect(sae.cosines == [nil, nil, nil])
    let geometry = try file.decoderRows().geometry()
    #expect(geometry.chatNorms == [5, 1, 1])
    #expect(geometry.baseNorms == nil && geometry.cosines == nil && geometry.deltaNorm(0) == nil)
  }

  @Test func anSAEWithOtherInputsIsRefused() throws {
    let folder = TemporaryFolder()
    for (more, word) in [
      (#""d_in": 3"#, "d_in"), (#""architecture2": 1"#, "architecture2"), (#""k": 32"#, "k 32"),
      (#""activation_fn": "topk""#, "activation_fn"),
      (#""activation_fn_kwargs": {"k": 4}"#, "kwargs"),
      (#""normalize_activations": "batch_norm""#, "normalize_activations"),
      (#""normalize_activations": true"#, "normalize_activations"),
      (#""finetuning_scaling_factor": true"#, "finetuning_scaling_factor"),
      (#""rescale_acts_by_decoder_norm": true"#, "rescale_acts_by_decoder_norm"),
      (#""reshape_activations": "hook_z""#, "reshape_activations"), (#""hook_head_index": 0"#, "hook_head_index"),
      (#""hook_layer": 6"#, "hook_layer"), (#""metadata": {"hook_name": "blocks.6.hook_resid_post"}"#, "hook_name"),
    ] {
      try writeSAE(folder.path, settings: settings(more))
      #expect { try CrosscoderFile(path: folder.path) } throws: { "\($0)".contains(word) }
    }
    for (whole, word) in [
      (#"{"architecture": "topk"}"#, "k should be"), (#"{"architecture": "gated"}"#, "b_gate"),
      (#"{"architecture": "standard"}"#, "threshold"), ("{}", "threshold"),
    ] {
      try writeSAE(folder.path, settings: whole)
      #expect { try CrosscoderFile(path: folder.path) } throws: { "\($0)".contains(word) }
    }
    // Activations of another place can be encoded, but nothing is browsed or steered there.
    for (whole, word) in [
      (Self.gemmaScope.replacing("resid_post", with: "mlp_out"), "hook_mlp_out"),
      (Self.gemmaScope.replacing("7.hook_resid_post", with: "0.hook_resid_pre"), "hook_resid_pre"),
    ] {
      try writeSAE(folder.path, settings: whole)
      let file = try CrosscoderFile(path: folder.path)
      #expect(throws: Never.self) { try file.crosscoder() }
      #expect { try file.requirePlace() } throws: { "\($0)".contains(word) }
    }
    for neutral in [
      #""normalize_activations": false"#, #""normalize_activations": "none", "activation_fn": "relu""#, #""k": null"#,
      #""hook_layer": 7, "metadata": {"hook_name": "blocks.7.hook_resid_post", "hook_layer": 7}"#,
    ] {
      try writeSAE(folder.path, settings: settings(neutral))
      #expect(throws: Never.self) { try CrosscoderFile(path: folder.path) }
    }
  }

  /// (x − b_dec) W_enc + b_enc = x W_enc + (b_enc − b_dec W_enc); SAELens' own default.
  @Test(arguments: ["true", nil]) func anSAEMayTakeItsBiasFromTheInput(flag: String?) throws {
    let folder = TemporaryFolder()
    let key = #""apply_b_dec_to_input": false, "#
    try writeSAE(
      folder.path,
      settings: Self.gemmaScope.replacing(key, with: flag.map { #""apply_b_dec_to_input": \#($0), "# } ?? ""))
    let sae = try CrosscoderFile(path: folder.path).crosscoder()
    // x = (0.75, 1) is (0.5, 1) less b_dec: what it is without that, in the test above.
    #expect(try sae.encode(PairedActivations(dModel: 2, values: [9, 9, 0.75, 1])).dense() == [0, 0, 0.5])
    #expect(sae.decoderBias == [0, 0, 0.25, 0])
  }

  @Test func aHookOfHuggingFacesModelsNamesItsBlock() throws {
    let folder = TemporaryFolder()
    for (name, layer) in [
      ("model.layers.12", 12), ("model.layers.3.output", 3), ("layers.0", 0), ("blocks.5.hook_resid_pre", 4),
    ] {
      try writeSAE(folder.path, settings: Self.gemmaScope.replacing("blocks.7.hook_resid_post", with: name))
      #expect(try CrosscoderFile(path: folder.path).card.layer == layer)
    }
  }

  @Test func tensorsThatNobodyReadsAreRefused() throws {
    let folder = TemporaryFolder()
    var writer = SafetensorsWriter()
    for (name, shape) in [
      ("W_enc", [2, 3]), ("b_enc", [3]), ("W_dec", [3, 2]), ("b_dec", [2]), ("scaling_factor", [3]),
    ] {
      writer.add(name, shape: shape, floats: [Float](repeating: 1, count: shape.reduce(1, *)))
    }
    try writer.write(to: folder.path + "/params.safetensors")
    #expect { try CrosscoderFile(path: folder.path) } throws: { "\($0)".contains("scaling_factor") }
  }

  @Test func settingsOfACrosscoderThatNobodyComputesAreRefused() throws {
    let folder = TemporaryFolder()
    for name in ["model.safetensors", "config.json"] {
      try FileManager.default.copyItem(atPath: fixture("l1") + "/" + name, toPath: folder.path + "/" + name)
    }
    let file = URL(fileURLWithPath: folder.path + "/config.json")
    let old = try #require(JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
    for (key, value) in [
      ("encoder_layers", [1]), ("latent_processor", "x"), ("num_decoder_layers", 3), ("dict_class", "TopKCrossCoder"),
    ] as [(String, Any)] {
      try JSONSerialization.data(withJSONObject: old.merging([key: value]) { $1 }).write(to: file)
      #expect { try CrosscoderFile(path: folder.path) } throws: { "\($0)".contains(key) }
    }
    try JSONSerialization.data(withJSONObject: old).write(to: file)
    for (kind, isTaken) in [("CrossCoder", true), ("OtherCoder", false)] {
      try #"{"trainer": {"dict_class": "\#(kind)", "layer": 3}}"#.write(
        toFile: folder.path + "/trainer_config.json", atomically: true, encoding: .utf8)
      if isTaken {
        #expect(try CrosscoderFile(path: folder.path).card.layer == 3)
      } else {
        #expect { try CrosscoderFile(path: folder.path) } throws: { "\($0)".contains(kind) }
      }
    }
  }

  @Test func otherTensorsAndFoldersAreRefusedByName() throws {
    let folder = TemporaryFolder()
    #expect { try CrosscoderFile(path: folder.path) } throws: { "\($0)".contains("model.safetensors") }
    var writer = SafetensorsWriter()
    writer.add("lm_head.weight", shape: [1], floats: [1])
    try writer.write(to: folder.path + "/model.safetensors")
    #expect { try CrosscoderFile(path: folder.path) } throws: { "\($0)".contains("lm_head.weight") }
  }

  @Test func aValueThatIsNotFiniteIsNamed() throws {
    let folder = TemporaryFolder()
    var writer = SafetensorsWriter()
    writer.add("W_enc", shape: [2, 1], floats: [1, .nan])
    for (name, count) in [("b_enc", 1), ("b_dec", 2)] {
      writer.add(name, shape: [count], floats: [Float](repeating: 0, count: count))
    }
    writer.add("W_dec", shape: [1, 2], floats: [.infinity, 0])
    try writer.write(to: folder.path + "/model.safetensors")
    let file = try CrosscoderFile(path: folder.path)
    #expect { try file.decoderRows() } throws: { "\($0)".contains("W_dec") && "\($0)".contains("element 0") }
    #expect { try file.checkRest() } throws: { "\($0)".contains("W_enc") && "\($0)".contains("element 1") }
  }

  @Test(arguments: ["l1", "batchtopk"]) func geometryInPlaceIsTheCrosscoders(name: String) throws {
    let rows = try CrosscoderFile(path: fixture(name)).decoderRows()
    let crosscoder = try Crosscoder.load(path: fixture(name))
    let geometry = rows.geometry()
    #expect(geometry.baseNorms == crosscoder.baseNorms)
    #expect(geometry.chatNorms == crosscoder.chatNorms)
    #expect((0..<rows.nLatents).map { geometry.deltaNorm($0) } == crosscoder.deltaNorms)
    for model in PairModel.allCases {
      #expect(rows.similarLatents(model) == crosscoder.similarLatents(model))
    }
  }

  /// More latents than a block has rows or columns: every pair is met once, best first.
  @Test func aKilledSearchForSimilarLatentsGoesOn() throws {
    let crosscoder = randomCrosscoder(d: 3, F: 4200, seed: 8)
    let wanted = crosscoder.similarLatents(.chat, top: 3)
    let folder = TemporaryFolder()
    func checkpoint(_ identity: String) -> SimilarityCheckpoint {
      SimilarityCheckpoint(path: folder.path + "/state", identity: identity, interval: .zero)
    }
    func search(_ identity: String) -> (found: [[SimilarLatent]], steps: Int) {
      var steps = 0
      let found = crosscoder.decoderRows.similarLatents(.chat, top: 3, checkpoint: checkpoint(identity)) { _ in
        steps += 1
        // As a kill in the midst of the second step leaves it.
        if steps == 2 {
          try? FileManager.default.copyItem(atPath: folder.path + "/state", toPath: folder.path + "/half")
        }
      }
      return (found, steps)
    }
    let whole = search("a")
    #expect(whole.found == wanted && whole.steps == 3)
    try FileManager.default.removeItem(atPath: folder.path + "/state")
    try FileManager.default.moveItem(atPath: folder.path + "/half", toPath: folder.path + "/state")
    let resumed = search("a")
    #expect(resumed.found == wanted && resumed.steps == 2)
    #expect(search("b").steps == 3, "another dictionary's state")
    try Data("nonsense".utf8).write(to: URL(filePath: folder.path + "/state"))
    #expect(search("b") == (wanted, 3))
    checkpoint("b").remove()
    #expect(!folder.names.contains("state"))
  }

  @Test func similarLatentsOverSeveralBlocksAreThoseOfAFullSort() {
    let crosscoder = randomCrosscoder(d: 4, F: 2300, seed: 5)
    let similar = crosscoder.similarLatents(.chat, top: 3)
    var worst = 0.0
    for latent in stride(from: 0, to: 2300, by: 97) {
      func cosine(_ other: Int) -> Double {
        let (a, b) = (crosscoder.decoderDirection(latent, .chat), crosscoder.decoderDirection(other, .chat))
        return zip(a, b).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
          / (crosscoder.chatNorms[latent] * crosscoder.chatNorms[other])
      }
      let best = (0..<2300).filter { $0 != latent }.map { cosine($0) }.sorted(by: >).prefix(3)
      #expect(similar[latent].count == 3)
      for (found, expected) in zip(similar[latent], best) {
        worst = max(worst, abs(Double(found.cosine) - expected), abs(cosine(found.latent) - expected))
      }
    }
    #expect(worst < 1e-6)
  }
}
