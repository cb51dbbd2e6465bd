// Loss recovered: a dictionary that reconstructs everything loses nothing, one that writes nothing equals zeroing, and
// the clean loss is that of a plain forward pass of each model.

import Foundation
import Inference
import Kernels
import TestSupport
import Testing

@testable import Diffing

@Suite struct LossRecoveryTests {
  static let (d, layer) = (TinyModel.dModel, 1)
  let folder = TemporaryFolder()
  let engine: Engine
  let ids: [Int32]

  init() throws {
    engine = try Engine(model: TinyModel.writeGGUF(in: folder), adapter: TinyModel.writeAdapter(in: folder))
    ids = try engine.encodeChat(
      [ChatMessage(role: .user, content: "hello"), ChatMessage(role: .assistant, content: "good day to you")],
      addGenerationPrompt: false
    ).ids
  }

  /// Two latents for each dimension of each model, its positive and its negative part, which write what they read.
  private func identity(writes: Float) -> Crosscoder {
    let width = 2 * Self.d
    var (encoder, decoder) = (Matrix(rows: 2 * width, columns: width), Matrix(rows: 2 * width, columns: width))
    for dimension in 0..<width {
      for (latent, sign) in [(2 * dimension, Float(1)), (2 * dimension + 1, -1)] {
        encoder[latent, dimension] = sign
        decoder[latent, dimension] = sign * writes
      }
    }
    return Crosscoder(
      encoder: encoder, encoderBias: [Float](repeating: 0, count: 2 * width), decoder: decoder,
      decoderBias: [Float](repeating: 0, count: width))
  }

  private func measure(_ crosscoder: Crosscoder) throws -> TextLosses {
    try LossRecovery(engine: engine, crosscoder: crosscoder, layer: Self.layer).measure(ids)
  }

  @Test func whatReconstructsEverythingLosesNothing() throws {
    let losses = try measure(identity(writes: 1))
    for sums in [try #require(losses.base), losses.chat] {
      #expect(abs(sums.reconstructed - sums.clean) < 1e-4 * sums.clean)
      #expect(abs(sums.zeroed - sums.clean) > 1e-2, "zeroing is meant to change something")
    }
    #expect(losses.base?.clean != losses.chat.clean)
    #expect(losses.predictions == ids.count - 1)
    #expect(losses.encoded == ids.count - 1, "the first token is not encoded")
    #expect(losses.active == losses.encoded * 2 * Self.d, "one of each pair of latents is active")
  }

  @Test func whatWritesNothingIsZero() throws {
    let losses = try measure(identity(writes: 0))
    // Rows of one batch may differ in their last bits.
    for sums in [try #require(losses.base), losses.chat] {
      #expect(abs(sums.reconstructed - sums.zeroed) < 1e-6 * sums.zeroed)
    }
  }

  /// Latents of chat − base that write what they read, their positive and their negative parts.
  private func differenceIdentity(writes: Float) -> Crosscoder {
    let d = Self.d
    var (encoder, decoder) = (Matrix(rows: 2 * d, columns: d), Matrix(rows: 2 * d, columns: d))
    for dimension in 0..<d {
      for (latent, sign) in [(2 * dimension, Float(1)), (2 * dimension + 1, -1)] {
        encoder[latent, dimension] = sign
        decoder[latent, dimension] = sign * writes
      }
    }
    return SparseAutoencoder(
      target: .difference, encoder: encoder, encoderBias: [Float](repeating: 0, count: 2 * d), decoder: decoder,
      decoderBias: [Float](repeating: 0, count: d), k: d, threshold: 0, card: CrosscoderCard()
    ).crosscoder()
  }

  @Test func theDifferenceIsPutOnBasesStream() throws {
    let (whole, nothing) = (try measure(differenceIdentity(writes: 1)), try measure(differenceIdentity(writes: 0)))
    #expect(whole.base == nil)
    #expect(abs(whole.chat.reconstructed - whole.chat.clean) < 1e-4 * whole.chat.clean)
    #expect(abs(nothing.chat.reconstructed - nothing.chat.zeroed) < 1e-6 * nothing.chat.zeroed)
    // Without x̂ chat runs on base's stream, not on 0.
    let zeroed = try measure(identity(writes: 1)).chat.zeroed
    #expect(abs(whole.chat.zeroed - whole.chat.clean) > 1e-3 && abs(whole.chat.zeroed - zeroed) > 1e-2)
  }

  @Test func theCleanLossIsThatOfAPlainPass() throws {
    let losses = try measure(randomCrosscoder(d: Self.d, F: 24, seed: 11, threshold: 0.5))
    for (model, sums) in [(PairModel.base, try #require(losses.base)), (.chat, losses.chat)] {
      let transformer = engine.transformer(of: model)
      let logits = try transformer.forward([
        Segment(
          stream: 0, cache: transformer.makeCache(), tokens: ids, adapter: engine.adapter(of: model), logits: .all)
      ])[0]
      var expected = 0.0
      for position in 0..<ids.count - 1 {
        let row = logits.row(position).map(Double.init)
        let largest = row.max() ?? 0
        expected += largest + log(row.reduce(0) { $0 + exp($1 - largest) }) - row[Int(ids[position + 1])]
      }
      #expect(abs(sums.clean - expected) < 1e-3 * expected)
      #expect(sums.reconstructed != sums.clean && sums.reconstructed != sums.zeroed)
    }
  }

  @Test func aCrosscoderOfAnotherWidthIsRefused() throws {
    #expect {
      _ = try LossRecovery(engine: engine, crosscoder: randomCrosscoder(d: 3, F: 4, seed: 1), layer: 1)
    } throws: {
      "\($0)".contains("width")
    }
  }
}
