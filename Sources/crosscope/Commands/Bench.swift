// `crosscope bench` measures tokens a second of prefill and decoding on this machine, and names the processor's features.

import ArgumentParser
import Diffing
import Experiments
import Inference
import Kernels
import Reports
import Storage

struct Bench: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure prefill and decoding of a model, or training, on this machine (CSV on stdout).")

  @Option(help: "The model's GGUF file or Hugging Face folder.") var model: String?
  @Flag(help: "Measure steps of BatchTopK training on synthetic activations, without a model.") var training = false
  @Option(help: "Measure a turn of the steering knob on the models of this store.", completion: .stores)
  var store: String?
  @Option(help: "A LoRA adapter in PEFT's format (a folder).") var adapter: String?
  @Option(help: ArgumentHelp("The base model, where the model is all of chat.", valueName: "gguf|dir")) var baseModel:
    String?
  @Option(help: "The number of tokens of the prefill.") var prefill: Int = 512
  @Option(help: "The number of tokens that each stream decodes.") var decode: Int = 64
  @Option(parsing: .upToNextOption, help: "Numbers of streams to decode together.") var streams: [Int] = [1, 2, 8]
  @Option(help: "The number of repetitions; the median counts.") var repeats: Int = 5
  @OptionGroup var computing: ComputeOptions

  func validate() throws {
    guard adapter == nil || baseModel == nil else {
      throw ValidationError("--adapter and --base-model exclude each other; give one of them")
    }
    guard prefill > 0, decode > 0, repeats > 0, streams.allSatisfy({ $0 > 0 }) else {
      throw ValidationError("counts must be positive")
    }
    guard [training, model != nil, store != nil].count(where: { $0 }) == 1 else {
      throw ValidationError("give one of --model, --store and --training")
    }
  }

  func run() throws {
    let precision = computing.precision ?? .fast
    if let store {
      let opened = try Store(path: store, access: .readOnly)
      return try KnobBenchmark(store: opened, precision: precision).run(repeats: repeats)
    }
    guard let model else { return try TrainingBenchmark().run(repeats: repeats) }
    let transformer = try Transformer.load(path: model, precision: precision)
    let subject = Subject(
      model: transformer, adapter: try adapter.map { try Adapter(path: $0, for: transformer) },
      base: try baseModel.map { try Transformer.load(path: $0, precision: precision) } ?? transformer,
      layer: (transformer.configuration.nLayers - 1) / 2)
    writeOut("measure,streams,tokens,seconds,tokens_per_second,precision,kernels,openblas_core,threads\n")
    func report(_ measure: String, streams: Int, tokens: Int, _ body: () throws -> Void) throws {
      var seconds: [Double] = []
      for _ in 0..<repeats {
        seconds.append(try elapsedSeconds(body))
      }
      let median = seconds.sorted()[repeats / 2]
      writeOut(
        "\(measure),\(streams),\(tokens),\(median),\(Double(tokens) / median),\(precision.rawValue),"
          + "\(Compute.kernelLevel),\(Compute.openBLASCoreType),\(Compute.threads)\n")
    }
    try report("prefill", streams: 1, tokens: prefill) { try subject.prefill(prefill) }
    try report("harvest", streams: 1, tokens: prefill) { try subject.harvest(prefill, [.base]) }
    if adapter != nil || baseModel != nil {
      try report("harvest", streams: 2, tokens: 2 * prefill) { try subject.harvest(prefill, PairModel.allCases) }
    }
    try report("prompt", streams: 1, tokens: Self.promptLength) { try subject.prefill(Self.promptLength) }
    let prefix = try subject.prefix(Self.promptLength)
    try report("strength", streams: 1, tokens: Self.promptLength) { try subject.changeStrength(prefix) }
    // One such token reads all weights that a token needs, so the figure is the limit that memory sets.
    try report("read", streams: 1, tokens: 1) { _ = transformer.readWeights() }
    for streams in streams {
      let caches = (0..<streams).map { _ in transformer.makeCache() }
      try report("decode", streams: streams, tokens: streams * decode) { try subject.decode(decode, caches) }
    }
  }

  /// The number of tokens of the prompt whose next-token distribution is computed again at another strength.
  private static let promptLength = 50
}

/// The model that is measured, with a steering vector that is added to every token after a block in its middle.
private struct Subject {
  let model: Transformer
  let adapter: Adapter?
  /// The base model's weights, which are chat's own or those of another file.
  let base: Transformer
  let layer: Int

  private var hooks: Hooks {
    let vector = [Float](repeating: 0.01, count: model.configuration.dModel)
    var hooks = Hooks()
    hooks.add(layer: layer, site: .residPost) { view in
      for segment in view.segments {
        for row in segment.rows { addScaled(1, vector, to: view.row(row), count: view.d) }
      }
    }
    return hooks
  }

  private func text(_ count: Int) -> [Int32] {
    (0..<count).map { Int32(($0 * 7919 + 13) % model.configuration.vocabSize) }
  }

  /// Computes a prompt up to the logits of its last token.
  func prefill(_ count: Int) throws {
    let segment = Segment(stream: 0, cache: model.makeCache(), tokens: text(count), adapter: adapter)
    _ = try model.forward([segment], hooks: hooks)
  }

  /// Runs the same text through some models of the pair, up to the block.
  func harvest(_ count: Int, _ models: [PairModel]) throws {
    let segments = models.map {
      Segment(
        stream: $0.index, cache: model.makeCache(), tokens: text(count), adapter: $0 == .base ? nil : adapter,
        lastLayer: layer, logits: .none)
    }
    if base === model {
      _ = try model.forward(segments)
    } else {
      for (segment, side) in zip(segments, models) { _ = try (side == .base ? base : model).forward([segment]) }
    }
  }

  func prefix(_ count: Int) throws -> PromptPrefix {
    try PromptPrefix(model: model, adapter: adapter, tokens: text(count), layer: layer)
  }

  /// Computes the blocks above the steered one, up to the logits of the last token.
  func changeStrength(_ prefix: PromptPrefix) throws {
    let segment = Segment(
      stream: 0, cache: prefix.makeCache(), tokens: prefix.tokens, start: prefix.start(0..<prefix.tokens.count),
      adapter: adapter)
    _ = try model.forward([segment], hooks: hooks)
  }

  /// Decodes tokens one after another on several timelines at once.
  func decode(_ count: Int, _ caches: [KVCache]) throws {
    let tokens = text(count)
    for cache in caches { cache.truncate(to: 0) }
    for token in tokens {
      let segments = caches.enumerated().map { Segment(stream: $0, cache: $1, tokens: [token], adapter: adapter) }
      _ = try model.forward(segments, hooks: hooks)
    }
  }
}

/// Wall-clock seconds that `body` takes.
func elapsedSeconds(_ body: () throws -> Void) rethrows -> Double {
  let clock = ContinuousClock()
  let start = clock.now
  try body()
  let duration = clock.now - start
  return duration.seconds
}
