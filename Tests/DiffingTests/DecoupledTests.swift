// DECOUPLED codes: a latent may be on in one model alone. Reference: Fixtures/training/decoupled, by the script there.

import Foundation
import Inference
import TestSupport
import Testing

@testable import Diffing

@Suite struct DecoupledTests {
  private func load() throws -> (crosscoder: Crosscoder, x: PairedActivations, reference: SafetensorsFile) {
    let folder = try fixture("training/decoupled")
    let path = folder + "/reference.safetensors"
    return (try Crosscoder.load(folder: folder), try PairedActivations(path: path), try SafetensorsFile(path: path))
  }

  @Test func codesScaledActivationsAndReconstructionAgree() throws {
    let (crosscoder, x, reference) = try load()
    #expect(crosscoder.codeNormalization == .decoupled)
    #expect(crosscoder.thresholds == [1.1, 1.0] && crosscoder.threshold == nil)
    let codes = try crosscoder.encode(x)
    let selections = try #require(codes.selections)
    #expect(Set(selections) == [.base, .chat, .both], "the reference is meant to have all three")
    func expected(_ name: String) throws -> [Double?] { try reference.tensor(named: name).doubles() }
    #expect(try relativeDifference(codes.denseByModel().doubles, expected("f")) <= 1e-6)
    #expect(try relativeDifference(codes.dense(crosscoder.scaled(codes)).doubles, expected("f_scaled")) <= 1e-6)
    #expect(try relativeDifference(crosscoder.decode(codes, of: x).values.doubles, expected("x_hat")) <= 1e-6)
  }

  @Test func whatIsSavedIsRead() throws {
    let (crosscoder, x, _) = try load()
    let folder = TemporaryFolder()
    try crosscoder.save(folder: folder.path)
    let read = try Crosscoder.load(folder: folder.path)
    #expect(read.thresholds == crosscoder.thresholds && read.codeNormalization == .decoupled)
    #expect(try read.encode(x) == crosscoder.encode(x))
  }

  @Test func tokensEncodeTheSameAloneAndTogether() throws {
    let (crosscoder, x, _) = try load()
    let whole = try crosscoder.encode(x)
    #expect(try (0..<x.tokens).allSatisfy { try crosscoder.encode(x.tokens($0..<$0 + 1)) == whole.tokens($0..<$0 + 1) })
    #expect(SparseCodes(joining: (0..<x.tokens).map { whole.tokens($0..<$0 + 1) }) == whole)
  }

  @Test func latentScalingPutsBackWhatIsOnInThatModel() throws {
    let (crosscoder, x, _) = try load()
    let codes = try crosscoder.encode(x)
    var scaling = LatentScaling(crosscoder: crosscoder)
    try scaling.add(codes: codes, activations: x)
    let betas = scaling.betas()
    let xHat = crosscoder.decode(codes, of: x)
    let d = crosscoder.dModel
    for latent in 0..<crosscoder.nLatents {
      let chat = crosscoder.decoderDirection(latent, .chat).map { Double($0) }
      for model in PairModel.allCases {
        var (numerator, denominator) = (0.0, 0.0)
        for token in 0..<x.tokens {
          guard let entry = codes.entries(of: token).first(where: { codes.latents[$0] == Int32(latent) }) else {
            continue
          }
          let f = Double(codes.values[entry])
          let own = codes.models(of: entry).contains(model.set) ? f : 0
          let direction = crosscoder.decoderDirection(latent, model).map { Double($0) }
          for index in 0..<d {
            let place = (2 * token + model.index) * d + index
            let y = Double(x.values[place]) - Double(xHat.values[place]) + own * direction[index]
            numerator += f * chat[index] * y
            denominator += f * f * chat[index] * chat[index]
          }
        }
        let found = model == .base ? betas[latent].errorBase : betas[latent].errorChat
        guard denominator > 0 else {
          #expect(found == nil)
          continue
        }
        #expect(abs((found ?? .infinity) - numerator / denominator) < 1e-5)
      }
    }
  }

  @Test func differenceSteeringFollowsEachModelsThreshold() throws {
    let (crosscoder, x, _) = try load()
    let codes = try crosscoder.encode(x)
    let d = crosscoder.dModel
    for model in [PairModels.base, .chat, .both] {
      let entry = try #require(codes.latents.indices.first { codes.models(of: $0) == model })
      let token = try #require((0..<x.tokens).first { codes.entries(of: $0).contains(entry) })
      let latent = Int(codes.latents[entry])
      let plan = SteeringPlan(interventions: [Intervention(latent: latent, mode: .difference, strength: 1)])
      let steering = try PreparedSteering(plan: plan, crosscoder: crosscoder, layer: 0, nLayers: 1) { _ in nil }
      var h = Array(x.vector(token: token, model: .chat))
      let base = Array(x.vector(token: token, model: .base))
      let expected = (0..<d).map { index in
        let chat = model.contains(.chat) ? crosscoder.decoderDirection(latent, .chat).map { $0 }[index] : 0
        let base = model.contains(.base) ? crosscoder.decoderDirection(latent, .base).map { $0 }[index] : 0
        return Double(h[index] + codes.values[entry] * (chat - base))
      }
      h.withUnsafeMutableBufferPointer { h in
        base.withUnsafeBufferPointer { base in
          if let h = h.baseAddress { steering.apply(to: h, base: base.baseAddress, isFirst: false) }
        }
      }
      #expect(relativeDifference(h.doubles, expected) < 1e-5)
    }
  }
}
