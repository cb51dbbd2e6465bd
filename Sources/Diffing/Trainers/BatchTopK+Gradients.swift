// Sends the kept entries through the decoder, and back to the gradients of all parameters.
//   e = x − b_dec − Σ_j f_j d_j,  ∂L/∂f_j = ⟨g, d_j⟩ for kept j
//   ∂L/∂d_j = Σ_i f_ij g_i,  ∂L/∂w_j = Σ_i (∂L/∂f_ij) x_i,  ∂L/∂b_enc,j = Σ_i ∂L/∂f_ij,  ∂L/∂b_dec = Σ_i g_i
// A DECOUPLED code counts only in the models that keep it. Cost: 4·M·d multiplications for each kept entry.
// Shape letters: B tokens, F latents, d width of one model, M models.

import Inference
import Kernels

extension BatchTopKTrainer {
  /// Computes x̂, e, g and ∂L/∂f for every token.
  func reconstruct(_ losses: inout TrainingLosses) {
    let width = run.settings.width
    var codeGradients = [Float](repeating: 0, count: kept.codes.count)
    let (kept, parts) = (kept, parts)
    let decoder = run.decoder.values.start
    codeGradients.withUnsafeMutableBufferPointer { codeGradients in
      guard let codeGradients = codeGradients.baseAddress else { return }
      run.measure(&losses) { token, level in
        if level == 0 { run.beginResidual(token: token) }
        let e = run.residual.start + token * width
        let latents = levels.latents(of: level)
        var rows = ScaledRows()
        for (models, part) in parts {
          for entry in kept.entries(of: token)
          where latents.contains(Int(kept.latents[entry])) && kept.isKept(entry, for: models) {
            rows.append(-kept.codes[entry], decoder + Int(kept.latents[entry]) * width + part.lowerBound)
          }
          rows.add(to: e + part.lowerBound, count: part.count)
        }
      } then: { token in
        for entry in kept.entries(of: token) {
          let g = gradient(of: Int(kept.latents[entry])) + token * width
          let row = decoder + Int(kept.latents[entry]) * width
          codeGradients[entry] = 0
          for (models, part) in parts where kept.isKept(entry, for: models) {
            codeGradients[entry] += dot(g + part.lowerBound, row + part.lowerBound, count: part.count)
          }
        }
      }
    }
    self.kept.codeGradients = codeGradients
  }

  /// Computes the gradients of all parameters from the kept entries.
  func backward() {
    let (F, width) = (run.settings.nLatents, run.settings.width)
    let (kept, byLatent, parts) = (kept, entriesByLatent(), parts)
    for latent in 0..<F { run.hasGradient[latent] = byLatent.offsets[latent + 1] > byLatent.offsets[latent] }
    inPieces(of: TrainingRun.latentPiece, count: F) { latents in
      var rows = ScaledRows()
      for latent in latents {
        let entries = byLatent.offsets[latent]..<byLatent.offsets[latent + 1]
        var biasGradient = 0.0
        if !entries.isEmpty {
          let encoderRow = run.encoder.gradient.start + latent * width
          let decoderRow = run.decoder.gradient.start + latent * width
          let ownGradient = gradient(of: latent)
          encoderRow.update(repeating: 0, count: width)
          decoderRow.update(repeating: 0, count: width)
          for (models, part) in parts {
            for index in entries where kept.isKept(byLatent.entries[index], for: models) {
              let gradient = ownGradient + byLatent.tokens[index] * width
              rows.append(kept.codes[byLatent.entries[index]], gradient + part.lowerBound)
            }
            rows.add(to: decoderRow + part.lowerBound, count: part.count)
          }
          for index in entries {
            let gradient = kept.codeGradients[byLatent.entries[index]]
            rows.append(gradient, run.input.start + byLatent.tokens[index] * width)
            biasGradient += Double(gradient)
          }
          rows.add(to: encoderRow, count: width)
        }
        run.encoderBias.gradient.start[latent] = Float(biasGradient)
      }
    }
    run.sumDecoderBiasGradient()
  }

  /// The parts of a row on which entries act, with the models for which an entry must be kept to act there: the whole
  /// row, or for DECOUPLED codes each model's half.
  private var parts: [(models: PairModels, columns: Range<Int>)] {
    let d = run.settings.dModel
    guard configuration.nSelections == 2 else { return [(.both, 0..<run.settings.width)] }
    return PairModel.allCases.map { ($0.set, $0.set.columns(dModel: d)) }
  }

  /// The kept entries by latent, with tokens ascending within each.
  private func entriesByLatent() -> (offsets: [Int], entries: [Int], tokens: [Int]) {
    let F = run.settings.nLatents
    var offsets = [Int](repeating: 0, count: F + 1)
    for latent in kept.latents { offsets[Int(latent) + 1] += 1 }
    for latent in 0..<F { offsets[latent + 1] += offsets[latent] }
    var next = offsets
    var entries = [Int](repeating: 0, count: kept.latents.count)
    var tokens = entries
    for token in 0..<run.tokens {
      for entry in kept.entries(of: token) {
        let latent = Int(kept.latents[entry])
        entries[next[latent]] = entry
        tokens[next[latent]] = token
        next[latent] += 1
      }
    }
    return (offsets, entries, tokens)
  }
}
