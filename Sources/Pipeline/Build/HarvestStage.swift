// Stage 1: texts → both models → residual streams on disk. If it is killed, the next run resumes at the next shard. Several
// processes may do a part of the shards each (HarvestPart); joined, these are the bytes of a harvest in one.

import Diffing
import Experiments
import Foundation
import Inference
import Kernels
import Reports

/// Reads the residual streams of both models over the corpus and writes them as shards.
package struct HarvestStage {
  package let build: BuildConfiguration
  package let paths: BuildPaths
  /// A kill loses at most this many tokens.
  package var tokensPerShard = 32_768

  package init(build: BuildConfiguration, paths: BuildPaths, tokensPerShard: Int = 32_768) {
    self.build = build
    self.paths = paths
    self.tokensPerShard = tokensPerShard
  }
  private static let tokensPerBatch = 512

  /// A hash of everything that decides the activations; if it differs, they are computed again.
  func identity() throws -> String {
    var parts = [
      "format 3", try RememberedHash.sha256(path: paths.model), try paths.otherHash(),
      "\(build.layer)", "\(build.tokens_per_text)", "\(tokensPerShard)", build.computedPrecision.rawValue,
    ]
    for (source, path) in zip(build.corpus, paths.corpus) {
      let lines = source.texts.map { " first \($0)" } ?? ""
      parts.append(source.corpus.rawValue + lines + " " + (try MappedFile(path: path).sha256()))
    }
    return Array(parts.joined(separator: "\n").utf8).withUnsafeBytes { SHA256.hex(of: $0) }
  }

  /// The complete activations of this configuration, which the later stages read.
  /// - Throws: `InputError.invalid` if the harvest is not finished or belongs to another configuration.
  package func finished() throws -> ActivationShards {
    if let given = paths.given {
      let shards = try given.shards()
      guard shards.index.layer == build.layer else {
        throw InputError.invalid(
          source: paths.configuration, expected: "layer \(shards.index.layer), as \(given.text) has",
          found: "\(build.layer)")
      }
      return shards
    }
    let shards = try ActivationShards(folder: paths.activations)
    let wanted = Self.parts(try shards.readTexts(), tokens: tokensPerShard).count
    guard shards.index.identity == (try identity()), shards.index.layer == build.layer else {
      throw InputError.invalid(
        source: paths.activations, expected: "activations of this configuration (crosscope harvest makes them)",
        found: "those of another pair, corpus or layer")
    }
    guard shards.index.shards.count == wanted else {
      throw InputError.invalid(
        source: paths.activations, expected: "all \(wanted) shards (crosscope harvest goes on)",
        found: "\(shards.index.shards.count)")
    }
    return shards
  }

  /// - Parameter part: the part of the shards to do, in a folder of its own; nil does all of them.
  package func run(engine: Engine, part: HarvestPart? = nil) throws {
    guard build.layer < engine.model.configuration.nLayers else {
      throw InputError.invalid(
        source: paths.configuration, expected: "a layer below \(engine.model.configuration.nLayers)",
        found: "\(build.layer)")
    }
    let d = engine.model.configuration.dModel
    // Harvesting takes long, so that an error of a later stage is reported before it.
    try build.training.checkMemory(dModel: d, source: paths.configuration)
    try paths.checkResults()
    if let given = paths.given {
      let shards = try finished()
      guard shards.dModel == d else {
        throw InputError.invalid(
          source: given.text, expected: "activations of width \(d), as the model has", found: "\(shards.dModel)")
      }
      writeError("harvest: \(shards.tokens) tokens are read where they are")
      return
    }
    var writer = try ActivationShardWriter(
      folder: part?.folder(of: paths) ?? paths.activations, dModel: d, layer: build.layer, identity: try identity())
    try engine.checkNames()
    var texts: [CorpusText] = []
    for (source, path) in zip(build.corpus, paths.corpus) {
      texts += try CorpusReader.read(
        path, corpus: source.corpus, first: source.texts, limit: build.tokens_per_text, engine: engine)
    }
    let whole = Self.parts(texts, tokens: tokensPerShard)
    let parts = part.map { part in whole.indices.filter(part.has).map { whole[$0] } } ?? whole
    if writer.finished == parts.count {
      writeError("harvest: \(parts.count) shards are there already")
      // A part without shards still says that it was done.
      if part == nil || !parts.isEmpty { return }
    }
    try writer.write(texts: texts)
    let total = parts.reduce(0) { $0 + texts[$1].reduce(0) { $0 + $1.ids.count } }
    var done = parts[..<writer.finished].reduce(0) { $0 + texts[$1].reduce(0) { $0 + $1.ids.count } }
    var progress = ProgressLine("harvest", total: total, unit: "tokens", done: done)
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

  /// Ranges of texts with at least `tokens` tokens each, except for the last one.
  package static func parts(_ texts: [CorpusText], tokens: Int) -> [Range<Int>] {
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
