// Stage 1: texts → both models → residual streams on disk. A killed harvest goes on with the next shard.

import Diffing
import Foundation
import Inference
import Kernels

/// Reads the residual streams of both models over the corpus and writes them as shards.
struct HarvestStage {
  let build: BuildConfiguration
  let paths: BuildPaths
  private static let tokensPerShard = 32_768
  private static let tokensPerBatch = 512

  /// Says what the activations depend on; another identity makes them anew.
  static func identity(_ build: BuildConfiguration, _ paths: BuildPaths, engine: Engine) throws -> String {
    var parts = [
      "format 1", try engine.modelSHA256(), engine.adapter?.sha256 ?? "none", "\(build.layer)",
      "\(build.tokens_per_text)",
    ]
    for (source, path) in zip(build.corpus, paths.corpus) {
      parts.append(source.corpus + " " + (try MappedFile(path: path).sha256()))
    }
    return Array(parts.joined(separator: "\n").utf8).withUnsafeBytes { SHA256.hex(of: $0) }
  }

  func run(engine: Engine) throws {
    guard build.layer < engine.model.configuration.nLayers else {
      throw CommandError.inputInvalid(
        source: paths.configuration, expected: "a layer below \(engine.model.configuration.nLayers)",
        found: "\(build.layer)")
    }
    let d = engine.model.configuration.dModel
    let identity = try Self.identity(build, paths, engine: engine)
    var writer = try ActivationShardWriter(
      folder: paths.activations, dModel: d, layer: build.layer, identity: identity)
    var texts: [CorpusText] = []
    for (source, path) in zip(build.corpus, paths.corpus) {
      texts += try CorpusReader.read(
        path, corpus: source.corpus == "chat" ? .chat : .plain, limit: build.tokens_per_text, engine: engine)
    }
    let parts = Self.parts(texts, tokens: Self.tokensPerShard)
    if writer.finished == parts.count {
      writeError("harvest: \(parts.count) shards are there already")
      return
    }
    try writer.write(texts: texts)
    let total = texts.reduce(0) { $0 + $1.ids.count }
    var done = parts[..<writer.finished].reduce(0) { $0 + texts[$1].reduce(0) { $0 + $1.ids.count } }
    var progress = Progress("harvest", total: total, unit: "tokens", done: done)
    let harvester = Harvester(engine: engine, layer: build.layer)
    for part in parts[writer.finished...] {
      var activations: [PairedActivations] = []
      for batch in Self.parts(Array(texts[part]), tokens: Self.tokensPerBatch) {
        let ids = texts[part.lowerBound + batch.lowerBound..<part.lowerBound + batch.upperBound].map(\.ids)
        activations += try harvester.activations(of: ids)
        done += ids.reduce(0) { $0 + $1.count }
        progress.update(done)
      }
      try append(activations, firstText: part.lowerBound, to: &writer)
    }
  }

  private func append(
    _ activations: [PairedActivations], firstText: Int, to writer: inout ActivationShardWriter
  ) throws {
    let kept = Harvester.keptPositions(of: activations)
    var (x, text, position): ([Float], [Int32], [Int32]) = ([], [], [])
    for (index, positions) in kept.enumerated() {
      let width = 2 * activations[index].dModel
      for p in positions {
        x += activations[index].values[p * width..<(p + 1) * width]
        text.append(Int32(firstText + index))
        position.append(Int32(p))
      }
    }
    let candidates = activations.reduce(0) { $0 + $1.tokens - 1 }
    try writer.append(x: x, text: text, position: position, leftOut: candidates - text.count)
  }

  /// Runs of texts with at least `tokens` tokens each, but the last.
  static func parts(_ texts: [CorpusText], tokens: Int) -> [Range<Int>] {
    var (parts, start, held): ([Range<Int>], Int, Int) = ([], 0, 0)
    for (index, text) in texts.enumerated() {
      held += text.ids.count
      if held >= tokens {
        parts.append(start..<index + 1)
        (start, held) = (index + 1, 0)
      }
    }
    if start < texts.count { parts.append(start..<texts.count) }
    return parts
  }
}
