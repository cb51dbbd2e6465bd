// Stage 3 measures how chat-specific each latent is and how it fires: norms, Latent Scaling, frequencies, maxima. The result is
// a JSON file with one object for each latent, whose keys are the store's column names.

import Diffing
import Experiments
import Foundation
import Inference
import Reports
import Storage
import TUI

/// The metrics of one latent; a value that was not computed is missing, never 0.
package struct LatentScores: Codable, Equatable {
  package var id: Int
  package var dec_norm_base: Double?
  package var dec_norm_chat: Double
  package var delta_norm, cos_base_chat: Double?
  package var beta_error_base, beta_error_chat, beta_reconstruction_base, beta_reconstruction_chat: Double?
  package var beta_activation_base, beta_activation_chat: Double?
  package var nu_error, nu_reconstruction: Double?
  package var max_activation, mean_activation: Double?
  package var frequency, frequency_plain, frequency_chat: Double
  package var template_share: Double?
  package var dead: Bool
  package var latent_class: Diffing.LatentClass
  package var chat_specificity: Int
  /// Metrics beyond the columns of a store, by the names of `LatentMetric`.
  package var metrics: [String: Double]?

  package enum CodingKeys: String, CodingKey {
    case id, dec_norm_base, dec_norm_chat, delta_norm, cos_base_chat
    case beta_error_base, beta_error_chat, beta_reconstruction_base, beta_reconstruction_chat
    case beta_activation_base, beta_activation_chat, nu_error, nu_reconstruction
    case max_activation, mean_activation, frequency, frequency_plain, frequency_chat, template_share, dead
    case latent_class = "class"
    case chat_specificity, metrics
  }
}

/// The shares of a variance, see `ExplainedVariance.Shares`.
package struct VarianceShares: Codable, Equatable {
  package var explained, error, offset: Double

  package init(_ shares: ExplainedVariance.Shares) {
    (explained, error, offset) = (shares.explained, shares.error, shares.offset)
  }
}

/// The contents of scores.json.
package struct ScoreFile: Codable {
  /// SHA-256 of the crosscoder's weights.
  package var crosscoder_sha256: String
  /// The identity of the activations, see `HarvestStage`.
  package var identity: String
  /// The explained variance of each model over the whole corpus; missing for a dictionary of chat − base.
  package var fve_base, fve_chat: Double?
  /// The mean number of latents on a token.
  package var l0: Double
  /// The shares of the variance of base, chat and chat − base, as far as the dictionary reconstructs them; missing in
  /// files of earlier versions.
  package var variance: [String: VarianceShares]?
  package var tokens: Int
  /// What the reconstruction costs both models; missing in files of earlier versions.
  package var loss: ReconstructionLoss?
  package var latents: [LatentScores]

  /// The metrics of the latents beyond the columns, by name, ordered by latent.
  package var metrics: [(name: String, values: [(latent: Int, value: Double)])] {
    let names = Set(latents.flatMap { ($0.metrics ?? [:]).keys }).sorted()
    return names.map { name in
      (name, latents.compactMap { latent in latent.metrics?[name].map { (latent.id, $0) } })
    }
  }

  package static func read(_ path: String) throws -> ScoreFile {
    do {
      return try JSONDecoder().decode(ScoreFile.self, from: MappedFile(path: path).contents())
    } catch let error as DecodingError {
      throw InputError.invalid(source: path, expected: "scores", found: error.clause)
    }
  }
}

/// Scores every latent over the whole corpus.
package struct ScoreStage {
  package let build: BuildConfiguration
  package let paths: BuildPaths

  package init(build: BuildConfiguration, paths: BuildPaths) {
    self.build = build
    self.paths = paths
  }

  package func run(engine: Engine) throws {
    try build.requireBothModels(source: paths.configuration)
    let weights = paths.crosscoder + "/model.safetensors"
    let hash = try MappedFile(path: weights).sha256()
    let crosscoder = try Crosscoder.load(path: paths.crosscoder).foldingNormaliser()
    let corpus = try EncodedCorpus(HarvestStage(build: build, paths: paths).finished(), crosscoder: crosscoder)
    let texts = try LossTexts(build: build, paths: paths, shards: corpus.shards, engine: engine)
    func measured() throws -> ReconstructionLoss {
      let loss = try texts.loss(of: crosscoder)
      writeError("score: loss recovered: \(loss.text), on \(loss.text_count) texts of \(termSafe(loss.texts))")
      return loss
    }
    if var old = try? ScoreFile.read(paths.scores), old.crosscoder_sha256 == hash,
      old.identity == corpus.shards.index.identity, old.tokens == corpus.shards.tokens
    {
      guard old.loss?.source != texts.source else {
        writeError("score: \(paths.scores) is there already")
        return
      }
      old.loss = try measured()
      return try write(json: old, to: paths.scores)
    }
    var scaling = LatentScaling(crosscoder: crosscoder)
    // The base probe asks of base's latents alone whether chat has them.
    var baseProbe = LatentScaling(
      crosscoder: crosscoder, probe: .base, chosen: crosscoder.deltaNorms.map { ($0 ?? 1) < 0.5 })
    var statistics = LatentStatistics(crosscoder: crosscoder)
    var variance = ExplainedVariance(dModel: crosscoder.dModel)
    var (tokens, entries) = (0, 0)
    var progress = ProgressLine("score", total: corpus.shards.tokens, unit: "tokens")
    for shard in corpus.shards.index.shards.indices {
      let encoded = try corpus.encoded(shard: shard) { codes, activations in
        try scaling.add(codes: codes, activations: activations)
        try baseProbe.add(codes: codes, activations: activations)
        variance.add(activations, reconstruction: crosscoder.decode(codes, of: activations))
        tokens += codes.tokens
        entries += codes.latents.count
        progress.update(tokens)
      }
      statistics.add(codes: encoded.codes, texts: encoded.texts)
    }
    let shares = Self.shares(variance, target: crosscoder.target)
    for (name, share) in shares.sorted(by: { $0.key < $1.key }) {
      writeError(String(format: "score: variance of \(name) explained %.1f%%", 100 * share.explained))
    }
    let file = ScoreFile(
      crosscoder_sha256: hash, identity: corpus.shards.index.identity,
      fve_base: shares["base"]?.explained, fve_chat: shares["chat"]?.explained,
      l0: tokens > 0 ? Double(entries) / Double(tokens) : 0,
      variance: shares, tokens: tokens, loss: try measured(),
      latents: Self.latents(crosscoder, scaling: scaling, baseProbe: baseProbe, statistics: statistics))
    try write(json: file, to: paths.scores)
  }

  /// The shares of what the dictionary reconstructs; one of chat − base reconstructs neither model.
  private static func shares(_ variance: ExplainedVariance, target: TrainingTarget) -> [String: VarianceShares] {
    var shares = ["difference": variance.sharesOfDifference()]
    if target == .pair { for model in PairModel.allCases { shares[model.rawValue] = variance.shares(model) } }
    return shares.compactMapValues { $0.map(VarianceShares.init) }
  }

  package static func latents(
    _ crosscoder: Crosscoder, scaling: LatentScaling, baseProbe: LatentScaling, statistics: LatentStatistics
  ) -> [LatentScores] {
    let probed = baseProbe.betas()
    let (betas, deltas, cosines, classes) = (
      scaling.betas(), crosscoder.deltaNorms, crosscoder.cosines, crosscoder.classes
    )
    let ranks = chatSpecificityRank(
      betas.indices.map {
        ChatSpecificity(deltaNorm: deltas[$0], betas: betas[$0], dead: statistics.isDead($0))
      })
    return betas.indices.map { latent in
      let figures = Corpus.allCases.map { statistics.figures(latent, $0) }
      let active = figures.reduce(0) { $0 + $1.active }
      let dead = statistics.isDead(latent)
      return LatentScores(
        id: latent, dec_norm_base: crosscoder.target == .pair ? crosscoder.baseNorms[latent] : nil,
        dec_norm_chat: crosscoder.chatNorms[latent],
        delta_norm: deltas[latent], cos_base_chat: cosines[latent], beta_error_base: betas[latent].errorBase,
        beta_error_chat: betas[latent].errorChat, beta_reconstruction_base: betas[latent].reconstructionBase,
        beta_reconstruction_chat: betas[latent].reconstructionChat, beta_activation_base: betas[latent].activationBase,
        beta_activation_chat: betas[latent].activationChat, nu_error: betas[latent].nuError,
        nu_reconstruction: betas[latent].nuReconstruction,
        max_activation: dead ? nil : Double(statistics.maximum(latent)),
        mean_activation: active == 0 ? nil : figures.reduce(0) { $0 + $1.sum } / Double(active),
        frequency: statistics.frequency(latent), frequency_plain: statistics.frequency(latent, .plain),
        frequency_chat: statistics.frequency(latent, .chat), template_share: statistics.templateShare(latent),
        dead: dead,
        latent_class: classes[latent], chat_specificity: ranks[latent] + 1,
        metrics: metrics(betas[latent], baseProbe: probed[latent]))
    }
  }

  /// The metrics beyond the columns; nil if there are none.
  private static func metrics(_ betas: LatentScaling.Betas, baseProbe: LatentScaling.Betas) -> [String: Double]? {
    let metrics = [
      // A dictionary of chat − base has no other ratio.
      LatentMetric.nuActivation: betas.errorChat == nil ? betas.nuActivation : nil,
      LatentMetric.nuErrorProbeBase: baseProbe.nuError,
      LatentMetric.nuReconstructionProbeBase: baseProbe.nuReconstruction,
    ].compactMapValues(\.self)
    return metrics.isEmpty ? nil : metrics
  }
}
