// Stage 4 writes everything that the explorer shows into one store. Contexts are chosen in one more pass over the codes. Tags,
// notes and experiments of a replaced store are carried over if it had the same crosscoder.

import Diffing
import Experiments
import Foundation
import Inference
import Reports
import Storage
import TUI

/// Writes the store.
package struct IndexStage {
  package let build: BuildConfiguration
  package let paths: BuildPaths

  package init(build: BuildConfiguration, paths: BuildPaths) {
    self.build = build
    self.paths = paths
  }

  package func run(engine: Engine) throws {
    try build.requireBothModels(source: paths.configuration)
    let scores = try ScoreFile.read(paths.scores)
    let crosscoder = try Crosscoder.load(path: paths.crosscoder).foldingNormaliser()
    let corpus = try EncodedCorpus(HarvestStage(build: build, paths: paths).finished(), crosscoder: crosscoder)
    guard scores.latents.count == crosscoder.nLatents, scores.identity == corpus.shards.index.identity,
      scores.crosscoder_sha256 == (try MappedFile(path: paths.crosscoder + "/model.safetensors").sha256())
    else {
      throw InputError.invalid(
        source: paths.scores, expected: "scores of this crosscoder and corpus (crosscope score)",
        found: "those of others")
    }
    let pair = try modelPair(engine: engine, scores: scores)
    let twins = crosscoder.twins(dead: scores.latents.map(\.dead))
    let levels = crosscoder.card.levels.map { LatentLevels(sizes: $0) }
    var parents = levels.map { ParentSearch(crosscoder: crosscoder, levels: $0) }
    let (examples, statistics, divergence) = try contexts(corpus, twins: twins, parents: &parents)
    writeError("index: logit lens and neighbours")
    let lens = LogitLens { engine.model.unembed($0) }
      .read(crosscoder.decoderRows, latents: 0..<crosscoder.nLatents)
    let neighbours = PairModel.allCases.map { crosscoder.similarLatents($0) }

    let writer = try StoreWriter(replacing: paths.store, pair: pair, meta: try meta(scores))
    try writer.add(tokens: engine.tokenizer.records)
    try writer.add(latents: scores.latents.map(LatentRecord.init))
    if !twins.isEmpty { try writer.add(metric: LatentMetric.twinDivergence, values: Self.values(divergence)) }
    for (name, values) in scores.metrics { try writer.add(metric: name, values: values) }
    for (name, values) in Self.levelMetrics(levels, parents, latents: crosscoder.nLatents) {
      try writer.add(metric: name, values: values)
    }
    try writer.add(
      sequences: examples.sequences.enumerated().map { index, sequence in
        SequenceRecord(
          id: Int32(index), tokenIDs: sequence.text.ids, corpus: sequence.text.corpus.rawValue,
          templateMask: sequence.text.templateMask)
      })
    try writer.add(
      examples: examples.examples.map {
        ExampleRecord(
          latent: $0.latent, quantile: $0.quantile, rank: $0.rank, sequence: Int32($0.sequence),
          positions: $0.positions, values: $0.values)
      })
    try writer.add(histograms: histograms(statistics))
    try writer.add(logits: lens.enumerated().flatMap { Self.logits(latent: $0, $1) })
    try writer.add(neighbours: Self.neighbours(neighbours, twins: twins))
    try writer.add(explanations: Self.summaries(examples, lens, engine.tokenizer))
    try engine.checkFiles()
    try warnOfDamage(at: paths.store, label: "index")
    try writer.finish {
      try carried($0, from: paths.store, crosscoderHash: scores.crosscoder_sha256, label: "index")
    }
    writeError("index: \(paths.store) is ready")
  }

  /// The divergence of each pair of twins, as a value for both latents, ordered by latent.
  private static func values(_ divergence: TwinDivergence) -> [(latent: Int, value: Double)] {
    zip(divergence.twins, divergence.divergences).flatMap { twins, value in
      value.map { value in [twins.chatOnly, twins.baseOnly].map { (latent: $0, value: value) } } ?? []
    }.sorted { $0.latent < $1.latent }
  }

  /// The metrics that latents of a Matryoshka dictionary have: their level, counted from 1, and their parent.
  private static func levelMetrics(
    _ levels: LatentLevels?, _ search: ParentSearch?, latents: Int
  ) -> [(name: String, values: [(latent: Int, value: Double)])] {
    guard let levels, let parents = search?.parents else { return [] }
    func values(_ value: (Int) -> Double?) -> [(latent: Int, value: Double)] {
      (0..<latents).compactMap { latent in value(latent).map { (latent, $0) } }
    }
    return [
      (LatentMetric.level, values { Double(levels.level(of: $0) + 1) }),
      (LatentMetric.parent, values { parents[$0].map { Double($0.parent) } }),
      (LatentMetric.parentCoFiring, values { parents[$0]?.coFiring }),
    ]
  }

  private func contexts(
    _ corpus: EncodedCorpus, twins: [Twins], parents: inout ParentSearch?
  ) throws -> (ExampleSet, LatentStatistics, TwinDivergence) {
    var statistics = LatentStatistics(crosscoder: corpus.crosscoder)
    let shards = corpus.shards.index.shards.indices
    var progress = ProgressLine("index", total: 2 * shards.count, unit: "shards")
    for shard in shards {
      let encoded = try corpus.encoded(shard: shard)
      statistics.add(codes: encoded.codes, texts: encoded.texts)
      progress.update(shard + 1)
    }
    var configuration = ExampleCollector.Configuration()
    configuration.perLatent = build.contexts
    var collector = ExampleCollector(
      crosscoder: corpus.crosscoder, statistics: statistics, configuration: configuration)
    var divergence = TwinDivergence(
      twins: twins, crosscoder: corpus.crosscoder,
      maxima: (0..<corpus.crosscoder.nLatents).map { statistics.maximum($0) })
    for shard in shards {
      let encoded = try corpus.encoded(shard: shard)
      collector.add(codes: encoded.codes, texts: encoded.texts)
      divergence.add(codes: encoded.codes)
      parents?.add(codes: encoded.codes)
      progress.update(shards.count + shard + 1)
    }
    return (collector.examples(), statistics, divergence)
  }

  private func modelPair(engine: Engine, scores: ScoreFile) throws -> ModelPair {
    let folder = StorePlace.folder(of: paths.store)
    struct Card: Encodable {
      let seed: UInt64
      let training: BuildConfiguration.Training
      let tokens: Int
      let fve_base, fve_chat, fve_difference: Double?
      let l0: Double
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    let card = try encoder.encode(
      Card(
        seed: build.seed, training: build.training, tokens: scores.tokens, fve_base: scores.fve_base,
        fve_chat: scores.fve_chat, fve_difference: scores.variance?["difference"]?.explained, l0: scores.l0))
    let modelHash = try RememberedHash.sha256(path: engine.modelPath)
    let baseHash = try paths.baseModel.map { try RememberedHash.sha256(path: $0) }
    try engine.checkNames()
    let modelName = URL(fileURLWithPath: paths.model).lastPathComponent
    return ModelPair(
      base: build.base_name, chat: build.chat_name, layer: build.layer, dModel: engine.model.configuration.dModel,
      nLatents: scores.latents.count, vocabSize: engine.model.configuration.vocabSize,
      model: .init(path: modelName, sha256: modelHash),
      adapter: engine.adapter.map { .init(path: StorePlace.recorded($0.path, folder: folder), sha256: $0.sha256) },
      baseModel: paths.baseModel.map {
        .init(path: URL(fileURLWithPath: $0).lastPathComponent, sha256: baseHash)
      },
      crosscoder: .init(
        path: StorePlace.recorded(paths.crosscoder + "/model.safetensors", folder: folder),
        sha256: scores.crosscoder_sha256),
      tokenizer: .init(path: modelName, sha256: modelHash), card: String(decoding: card, as: UTF8.self))
  }

  private func meta(_ scores: ScoreFile) throws -> [String: String] {
    var meta = [
      "corpus": build.corpus.map { "\($0.corpus.rawValue): \(URL(fileURLWithPath: $0.file).lastPathComponent)" }.joined(
        separator: ", "),
      "corpus_tokens": "\(scores.tokens)", "program": "crosscope \(ProgramVersion.current)",
    ]
    if let loss = scores.loss { meta[ReconstructionLoss.metaKey] = try loss.metaText() }
    return meta
  }

  /// The histograms without empty bins at their ends.
  private func histograms(_ statistics: LatentStatistics) -> [HistogramRecord] {
    let edges = LatentStatistics.binEdges
    return (0..<statistics.nLatents).flatMap { latent in
      Corpus.allCases.compactMap { corpus -> HistogramRecord? in
        let counts = statistics.figures(latent, corpus).histogram
        guard let first = counts.firstIndex(where: { $0 > 0 }), let last = counts.lastIndex(where: { $0 > 0 }) else {
          return nil
        }
        let ratio = edges[1] / edges[0]
        return HistogramRecord(
          latent: latent, corpus: corpus.rawValue, low: edges[first], high: edges[last] * ratio,
          counts: counts[first...last].map { Int32(clamping: $0) })
      }
    }
  }

  package static func logits(latent: Int, _ lens: LatentLens) -> [LogitLensRecord] {
    func scores(_ tokens: [LensToken]) -> [TokenScore] { tokens.map { TokenScore(token: $0.token, value: $0.logit) } }
    let readings: [(LogitDirection, LensReading?)] = [
      (.base, lens.base), (.chat, lens.chat), (.difference, lens.difference),
    ]
    return readings.compactMap { direction, reading in
      reading.map {
        LogitLensRecord(
          latent: latent, direction: direction, promoted: scores($0.promoted), suppressed: scores($0.suppressed))
      }
    }
  }

  private static func summaries(
    _ examples: ExampleSet, _ lens: [LatentLens], _ tokenizer: Tokenizer
  ) -> [ExplanationRecord] {
    var summaries = lens.map { TokenSummary(promoted: $0.chat.promoted.map(\.token)) }
    for example in examples.examples {
      let ids = examples.sequences[example.sequence].text.ids
      summaries[example.latent].add(tokens: example.positions.map { ids[Int($0)] }, values: example.values)
    }
    return summaries.enumerated().compactMap { latent, summary in
      summary.text { String(decoding: tokenizer.bytes(of: $0), as: UTF8.self) }
        .map { ExplanationRecord(latent: latent, source: Store.tokenSource, text: $0) }
    }
  }

  /// - Parameter similar: the similar latents by base's directions, then by chat's.
  package static func neighbours(_ similar: [[[SimilarLatent]]], twins: [Twins]) -> [NeighbourRecord] {
    var result: [NeighbourRecord] = []
    for (kind, latents) in zip([NeighbourKind.base, .chat], similar) {
      for (latent, others) in latents.enumerated() {
        result += others.map {
          NeighbourRecord(latent: latent, kind: kind, other: $0.latent, cosine: Double($0.cosine))
        }
      }
    }
    for pair in twins {
      for (latent, other) in [(pair.chatOnly, pair.baseOnly), (pair.baseOnly, pair.chatOnly)] {
        result.append(NeighbourRecord(latent: latent, kind: .twin, other: other, cosine: pair.cosine))
      }
    }
    return result
  }
}

extension LatentRecord {
  /// A scored latent as a row of the store.
  package init(_ scores: LatentScores) {
    self.init(
      id: scores.id, dead: scores.dead,
      latentClass: Storage.LatentClass(rawValue: scores.latent_class.rawValue) ?? .other)
    (decNormBase, decNormChat) = (scores.dec_norm_base, scores.dec_norm_chat)
    (deltaNorm, cosBaseChat) = (scores.delta_norm, scores.cos_base_chat)
    (betaErrorBase, betaErrorChat) = (scores.beta_error_base, scores.beta_error_chat)
    (betaReconstructionBase, betaReconstructionChat) = (
      scores.beta_reconstruction_base, scores.beta_reconstruction_chat
    )
    (betaActivationBase, betaActivationChat) = (scores.beta_activation_base, scores.beta_activation_chat)
    (nuError, nuReconstruction) = (scores.nu_error, scores.nu_reconstruction)
    (maxActivation, meanActivation) = (scores.max_activation, scores.mean_activation)
    (frequency, frequencyPlain, frequencyChat) = (scores.frequency, scores.frequency_plain, scores.frequency_chat)
    templateShare = scores.template_share
    chatSpecificity = scores.chat_specificity
  }
}
