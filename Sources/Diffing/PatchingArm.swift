// What takes the place of chat's residual stream in activation patching: one case for each arm, with its formula.
//   h^m the residual streams at layer L, f_j the raw codes of both, Δ_j = d_j^chat − d_j^base
// No arm adds the difference of the decoder biases, not even `all`. Whatever no latent carries, that difference
// included, belongs to `error`, so that all + error − h^base = h^chat. Source: arXiv 2504.02922, section 3.3, and its
// authors' code.

import Kernels

/// One way to approximate chat's residual stream.
public enum PatchingArm: Sendable, Equatable {
  /// h^base. Its divergence from chat is what the other arms have to explain.
  case none
  /// h^base + Σ_j f_j Δ_j over every latent.
  case all
  /// h^chat − Σ_j f_j Δ_j over every latent: base's reconstruction plus chat's reconstruction error.
  case error
  /// h^chat at tokens of the chat template, h^base elsewhere.
  case template
  /// h^base + Σ_{j∈S} f_j Δ_j.
  case latents(Set<Int>)

  /// Whether latent j's difference is added (`all`, `latents`) or taken away (`error`).
  func uses(_ latent: Int) -> Bool {
    switch self {
    case .none, .template: false
    case .all, .error: true
    case .latents(let chosen): chosen.contains(latent)
    }
  }
}

extension Crosscoder {
  /// The residual stream `[T, d]` that an arm makes of both models' streams at the same tokens.
  /// - Parameters:
  ///   - codes: raw f. Where codes mean nothing there are none, so all arms but `error` and `template` give base's row.
  ///   - templateMask: `[T]`.
  func patched(
    _ arm: PatchingArm, _ activations: PairedActivations, codes: SparseCodes, templateMask: [Bool]
  ) -> [Float] {
    let (d, T) = (dModel, activations.tokens)
    precondition(
      codes.tokens == T && templateMask.count == T && activations.dModel == d,
      "codes, mask and activations must belong to one text")
    return [Float](unsafeUninitializedCapacity: T * d) { result, count in
      count = T * d
      withUnsafeTemporaryAllocation(of: Double.self, capacity: d) { row in
        activations.values.withUnsafeBufferPointer { h in
          decoder.values.withUnsafeBufferPointer { decoder in
            guard let h = h.baseAddress, let decoder = decoder.baseAddress, let row = row.baseAddress else { return }
            for token in 0..<T {
              let takesChat = arm == .error || (arm == .template && templateMask[token])
              let source = h + (2 * token + (takesChat ? 1 : 0)) * d
              for i in 0..<d { row[i] = Double(source[i]) }
              for entry in codes.entries(of: token) where arm.uses(Int(codes.latents[entry])) {
                let direction = decoder + 2 * Int(codes.latents[entry]) * d
                let f = Double(codes.values[entry]) * (takesChat ? -1 : 1)
                addScaled(f, direction + d, to: row, count: d)
                addScaled(-f, direction, to: row, count: d)
              }
              for i in 0..<d { result[token * d + i] = Float(row[i]) }
            }
          }
        }
      }
    }
  }
}
