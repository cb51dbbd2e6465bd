// The authors' library on its own checkpoints: codes, reconstruction, geometry, Latent Scaling.

import Diffing
import Inference
import Testing

@Suite struct CrosscoderParityTests {
  static let kinds = ["batchtopk", "l1"]

  /// A tensor of the reference, NaN as missing.
  private func reference(_ kind: String, _ name: String) throws -> [Double?] {
    try SafetensorsFile(path: fixture(kind) + "/reference.safetensors").tensor(named: name).doubles()
      .map { $0.isNaN ? nil : $0 }
  }

  private func load(_ kind: String) throws -> (Crosscoder, PairedActivations) {
    (
      try Crosscoder.load(folder: fixture(kind)),
      try PairedActivations(path: fixture(kind) + "/reference.safetensors")
    )
  }

  @Test(arguments: kinds) func codesAndReconstructionAgree(kind: String) throws {
    let (crosscoder, x) = try load(kind)
    let codes = try crosscoder.encode(x)
    #expect(try relativeDifference(codes.dense().doubles, reference(kind, "f")) <= 1e-5)
    let scaled = codes.dense(crosscoder.scaled(codes))
    #expect(try relativeDifference(scaled.doubles, reference(kind, "f_scaled")) <= 1e-5)
    #expect(try relativeDifference(crosscoder.decode(codes, of: x).values.doubles, reference(kind, "x_hat")) <= 1e-5)
  }

  @Test(arguments: kinds) func geometryAgrees(kind: String) throws {
    let (crosscoder, _) = try load(kind)
    #expect(try largestRelativeDifference(crosscoder.baseNorms, reference(kind, "dec_norm_base")) <= 1e-5)
    #expect(try largestRelativeDifference(crosscoder.chatNorms, reference(kind, "dec_norm_chat")) <= 1e-5)
    #expect(try relativeDifference(crosscoder.deltaNorms, reference(kind, "delta_norm_chat")) <= 1e-5)
    #expect(try relativeDifference(crosscoder.cosines, reference(kind, "cos_base_chat")) <= 1e-5)
  }

  @Test(arguments: kinds) func latentScalingAgreesAndIsMissingWhereALatentNeverFired(kind: String) throws {
    let (crosscoder, x) = try load(kind)
    var scaling = LatentScaling(crosscoder: crosscoder)
    try scaling.add(codes: crosscoder.encode(x), activations: x)
    let betas = scaling.betas()
    #expect(betas.map { Double($0.activeTokens) } == (try reference(kind, "count_active")))
    #expect(betas.contains { $0.errorChat == nil } == (kind == "batchtopk"))
    #expect(try largestRelativeDifference(betas.map(\.errorBase), reference(kind, "beta_error_base")) <= 1e-5)
    #expect(try largestRelativeDifference(betas.map(\.errorChat), reference(kind, "beta_error_chat")) <= 1e-5)
    #expect(
      try largestRelativeDifference(betas.map(\.reconstructionBase), reference(kind, "beta_reconstruction_base"))
        <= 1e-5)
    #expect(
      try largestRelativeDifference(betas.map(\.reconstructionChat), reference(kind, "beta_reconstruction_chat"))
        <= 1e-5)
    #expect(
      try largestRelativeDifference(betas.map(\.activationBase), reference(kind, "beta_activation_base")) <= 1e-5)
    #expect(
      try largestRelativeDifference(betas.map(\.activationChat), reference(kind, "beta_activation_chat")) <= 1e-5)
  }

  /// The authors' base probe: d^base in place of d^chat.
  @Test func theBaseProbeAgrees() throws {
    let (crosscoder, x) = try load("l1")
    let file = try SafetensorsFile(path: fixture("l1") + "/reference_base_probe.safetensors")
    var scaling = LatentScaling(crosscoder: crosscoder, probe: .base)
    try scaling.add(codes: crosscoder.encode(x), activations: x)
    let betas = scaling.betas()
    for (name, found) in [
      ("error_base", betas.map(\.errorBase)), ("error_chat", betas.map(\.errorChat)),
      ("reconstruction_base", betas.map(\.reconstructionBase)),
      ("reconstruction_chat", betas.map(\.reconstructionChat)),
      ("activation_base", betas.map(\.activationBase)), ("activation_chat", betas.map(\.activationChat)),
    ] {
      let expected = try file.tensor(named: "beta_\(name)_probe_base").doubles().map { $0.isNaN ? nil : $0 }
      #expect(relativeDifference(found, expected) <= 1e-5, "\(name)")
    }
    for latent in betas { #expect(latent.nuError == latent.errorChat! / latent.errorBase!) }
  }

  @Test func theCheckpointSaysWhatItIs() throws {
    let (batchTopK, _) = try load("batchtopk")
    #expect(batchTopK.k == 6)
    #expect(batchTopK.threshold != nil)
    #expect(batchTopK.normaliser != nil)
    #expect(batchTopK.card.layer == 13)
    #expect(batchTopK.card.modelName == "google/gemma-2-2b-it-google/gemma-2-2b")
    let (l1, _) = try load("l1")
    #expect(l1.threshold == nil)
    #expect(l1.normaliser == nil)
  }

  @Test func foldingTheNormaliserChangesUnitsOnly() throws {
    let (crosscoder, x) = try load("batchtopk")
    let folded = crosscoder.foldingNormaliser()
    #expect(folded.normaliser == nil)
    let (codes, foldedCodes) = (try crosscoder.encode(x), try folded.encode(x))
    #expect(relativeDifference(foldedCodes.dense().doubles, codes.dense().doubles) <= 1e-5)
    #expect(
      relativeDifference(
        folded.decode(foldedCodes, of: x).values.doubles, crosscoder.decode(codes, of: x).values.doubles) <= 1e-5)
    #expect(relativeDifference(folded.deltaNorms, crosscoder.deltaNorms) <= 1e-6)
  }

  @Test(arguments: kinds) func tokensEncodeTheSameAloneAndTogether(kind: String) throws {
    let (crosscoder, x) = try load(kind)
    let whole = try crosscoder.encode(x)
    for token in [0, 1, 77, 511] {
      #expect(try crosscoder.encode(x.tokens(token..<token + 1)) == whole.tokens(token..<token + 1))
    }
  }
}
