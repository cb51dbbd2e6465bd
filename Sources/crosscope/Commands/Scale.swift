// `crosscope scale` computes the Latent Scaling of every latent over given activations; tests compare it with the reference. It
// reads x [N, 2, d] and prints one line for each latent, or one JSON document with the store's column names and null for a
// latent that never fired.

import ArgumentParser
import Diffing
import Experiments
import Foundation
import Inference
import Reports
import Storage
import TUI

struct Scale: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Latent Scaling: how strongly each latent is present in base and in chat.")

  @Option(help: ArgumentHelp("The crosscoder's folder, or its file of tensors.", valueName: "dir|file"))
  var crosscoder: String

  @Option(help: "The safetensors file with the tensor x [N, 2, d]: base, then chat.")
  var activations: String

  @Flag(
    help: "Look for base's directions, too: its betas have names that end in _probe_base, its ratios are chat ÷ base.")
  var baseProbe = false

  @Flag(help: "Print one JSON document.")
  var json = false
  @OptionGroup var dictionary: DictionaryOptions
  @OptionGroup var memory: MemoryOptions

  /// The row of one latent, with the store's names.
  struct Row: Encodable {
    let id: Int
    let delta_norm, cos_base_chat: Double?
    let dec_norm_base, dec_norm_chat: Double?
    let `class`: String
    let count_active: Int
    let beta_error_base, beta_error_chat: Double?
    let beta_reconstruction_base, beta_reconstruction_chat: Double?
    let beta_activation_base, beta_activation_chat: Double?
    let beta_activation_no_bias_base, beta_activation_no_bias_chat: Double?
    let nu_error, nu_reconstruction, nu_activation: Double?
    /// Latent Scaling by base's direction; nil if it was not asked for.
    let baseProbe: LatentScaling.Betas?

    func encode(to encoder: any Encoder) throws {
      var fields = encoder.container(keyedBy: Key.self)
      try fields.encode(id, forKey: Key("id"))
      try fields.encode(`class`, forKey: Key("class"))
      try fields.encode(count_active, forKey: Key("count_active"))
      // Missing values are written as null, not left out.
      for (name, value) in numbers { try fields.encode(value, forKey: Key(name)) }
    }

    var numbers: [(String, Double?)] {
      [
        ("delta_norm", delta_norm), ("cos_base_chat", cos_base_chat), ("dec_norm_base", dec_norm_base),
        ("dec_norm_chat", dec_norm_chat), ("beta_error_base", beta_error_base), ("beta_error_chat", beta_error_chat),
        ("beta_reconstruction_base", beta_reconstruction_base), ("beta_reconstruction_chat", beta_reconstruction_chat),
        ("beta_activation_base", beta_activation_base), ("beta_activation_chat", beta_activation_chat),
        ("beta_activation_no_bias_base", beta_activation_no_bias_base),
        ("beta_activation_no_bias_chat", beta_activation_no_bias_chat),
        ("nu_error", nu_error), ("nu_reconstruction", nu_reconstruction), ("nu_activation", nu_activation),
      ] + (baseProbe.map(Self.numbers(ofBaseProbe:)) ?? [])
    }

    private static func numbers(ofBaseProbe betas: LatentScaling.Betas) -> [(String, Double?)] {
      [
        ("beta_error_base", betas.errorBase), ("beta_error_chat", betas.errorChat),
        ("beta_reconstruction_base", betas.reconstructionBase), ("beta_reconstruction_chat", betas.reconstructionChat),
        ("beta_activation_base", betas.activationBase), ("beta_activation_chat", betas.activationChat),
        ("nu_error", betas.nuError), ("nu_reconstruction", betas.nuReconstruction),
      ].map { ($0 + "_probe_base", $1) }
    }

    struct Key: CodingKey {
      let stringValue: String
      var intValue: Int? { nil }
      init(_ name: String) { stringValue = name }
      init?(stringValue: String) { self.stringValue = stringValue }
      init?(intValue: Int) { return nil }
    }
  }

  func run() throws {
    let file = try CrosscoderFile(path: crosscoder, choice: dictionary.choice())
    try file.requirePlace()
    let x = file.inPlace(try PairedActivations(path: activations))
    let crosscoder = try file.crosscoder().scalingInputs(as: x)
    try crosscoder.requireCodesOfTexts()
    var scalings = (baseProbe ? [PairModel.chat, .base] : [.chat]).map {
      LatentScaling(crosscoder: crosscoder, probe: $0)
    }
    // Tokens are taken in runs, which keeps memory small and does not change the sums.
    for start in stride(from: 0, to: x.tokens, by: 4096) {
      let part = x.tokens(start..<min(start + 4096, x.tokens))
      let codes = try crosscoder.encode(part)
      for index in scalings.indices { try scalings[index].add(codes: codes, activations: part) }
    }
    let rows = rows(crosscoder, scalings[0].betas(), baseProbe: baseProbe ? scalings[1].betas() : nil)
    if json { return try printJSON(["latents": rows]) }
    var lines = [(["id", "class", "active"] + (rows.first?.numbers.map(\.0) ?? [])).joined(separator: "\t")]
    for row in rows {
      let numbers = row.numbers.map { $0.1.map { String(format: "%.6g", $0) } ?? "-" }
      lines.append((["\(row.id)", row.class, "\(row.count_active)"] + numbers).joined(separator: "\t"))
    }
    writeOut(lines.joined(separator: "\n") + "\n")
  }

  private func rows(
    _ crosscoder: Crosscoder, _ betas: [LatentScaling.Betas], baseProbe: [LatentScaling.Betas]?
  ) -> [Row] {
    // A one-model dictionary says nothing about base; one of chat − base has no direction there.
    let (hasBase, hasDirection) = (crosscoder.readsBase, crosscoder.target == .pair)
    let (deltas, cosines, classes) = (crosscoder.deltaNorms, crosscoder.cosines, crosscoder.classes)
    return betas.enumerated().map { latent, betas in
      Row(
        id: latent, delta_norm: deltas[latent], cos_base_chat: cosines[latent],
        dec_norm_base: hasDirection ? crosscoder.baseNorms[latent] : nil, dec_norm_chat: crosscoder.chatNorms[latent],
        class: classes[latent].rawValue, count_active: betas.activeTokens,
        beta_error_base: hasBase ? betas.errorBase : nil,
        beta_error_chat: betas.errorChat, beta_reconstruction_base: hasBase ? betas.reconstructionBase : nil,
        beta_reconstruction_chat: betas.reconstructionChat, beta_activation_base: hasBase ? betas.activationBase : nil,
        beta_activation_chat: betas.activationChat,
        beta_activation_no_bias_base: hasBase ? betas.activationNoBiasBase : nil,
        beta_activation_no_bias_chat: betas.activationNoBiasChat, nu_error: hasBase ? betas.nuError : nil,
        nu_reconstruction: hasBase ? betas.nuReconstruction : nil, nu_activation: hasBase ? betas.nuActivation : nil,
        baseProbe: baseProbe?[latent])
    }
  }
}
