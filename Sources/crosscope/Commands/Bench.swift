// `crosscope bench`: tokens a second of prefill and decoding on this machine, with what the processor offered.

import ArgumentParser
import Inference
import Kernels

struct Bench: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure prefill and decoding of a model on this machine (CSV on stdout).")

  @Option(help: "GGUF file or Hugging Face folder of the model.") var model: String
  @Option(help: "LoRA adapter in PEFT's format (a directory).") var adapter: String?
  @Option(help: "Tokens of the prefill.") var prefill: Int = 512
  @Option(help: "Tokens decoded by each stream.") var decode: Int = 64
  @Option(parsing: .upToNextOption, help: "Numbers of streams to decode together.") var streams: [Int] = [1, 2, 8]
  @Option(help: "Repetitions; the median counts.") var repeats: Int = 5
  @OptionGroup var computing: PrecisionOption

  func validate() throws {
    guard prefill > 0, decode > 0, repeats > 0, streams.allSatisfy({ $0 > 0 }) else {
      throw ValidationError("counts are positive")
    }
  }

  func run() throws {
    let transformer = try Transformer.load(path: model, precision: computing.precision)
    let configuration = transformer.configuration
    let adapter = try adapter.map { try Adapter(path: $0, for: transformer) }
    writeOut("measure,streams,tokens,seconds,tokens_per_second,precision,kernels,openblas_core,threads\n")
    func report(_ measure: String, streams: Int, tokens: Int, _ body: () throws -> Void) throws {
      var seconds: [Double] = []
      for _ in 0..<repeats {
        seconds.append(try elapsedSeconds(body))
      }
      let median = seconds.sorted()[repeats / 2]
      writeOut(
        "\(measure),\(streams),\(tokens),\(median),\(Double(tokens) / median),\(computing.precision.rawValue),"
          + "\(Compute.kernelLevel),\(Compute.openBLASCoreType),\(Compute.threads)\n")
    }
    // A steering vector is added to every token, as in the use that is measured.
    let vector = [Float](repeating: 0.01, count: configuration.dModel)
    var hooks = Hooks()
    hooks.add(layer: configuration.nLayers / 2, site: .residPost) { view in
      for segment in view.segments {
        for row in segment.rows { addScaled(1, vector, to: view.row(row), count: view.d) }
      }
    }
    let text = (0..<prefill).map { Int32(($0 * 7919 + 13) % configuration.vocabSize) }
    try report("prefill", streams: 1, tokens: prefill) {
      _ = try transformer.forward(
        [Segment(stream: 0, cache: transformer.makeCache(), tokens: text, adapter: adapter)], hooks: hooks)
    }
    for streams in streams {
      let caches = (0..<streams).map { _ in transformer.makeCache() }
      try report("decode", streams: streams, tokens: streams * decode) {
        for cache in caches { cache.truncate(to: 0) }
        for i in 0..<decode {
          _ = try transformer.forward(
            caches.enumerated().map { Segment(stream: $0, cache: $1, tokens: [text[i % prefill]], adapter: adapter) },
            hooks: hooks)
        }
      }
    }
  }
}

/// How products with weights are computed, for every subcommand that runs a model.
struct PrecisionOption: ParsableArguments {
  @Option(help: "exact: fp32 activations; fast: 16-bit activations, twice to three times as fast.")
  var precision: Precision = .fast
}

extension Precision: ExpressibleByArgument {}

/// Wall-clock seconds that `body` takes.
func elapsedSeconds(_ body: () throws -> Void) rethrows -> Double {
  let clock = ContinuousClock()
  let start = clock.now
  try body()
  let duration = clock.now - start
  return Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
}
