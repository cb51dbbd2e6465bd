// `crosscope bench --training` measures the seconds of a BatchTopK step on seeded synthetic activations, and its memory. The
// first steps are not counted: they warm up, and the first one also finds the geometric median.

import Diffing
import Explorer
import Foundation
import Glibc
import Inference
import Kernels
import Reports

/// The benchmark of `--training`: a crosscoder of two models' residual streams.
struct TrainingBenchmark {
  var dModel = 576
  var latents = 4096
  var k = 32
  var batch = 2048
  private static let warmup = 3

  /// Prints one CSV row: the median of `repeats` steps.
  func run(repeats: Int) throws {
    var settings = TrainingSettings(dModel: dModel, nLatents: latents, steps: 100_000, batch: batch)
    settings.warmupSteps = 0
    let trainer = try BatchTopKTrainer(configuration: BatchTopKTrainer.Configuration(settings: settings, k: k))
    let batches = (0..<2).map { activations(seed: $0) }
    var seconds: [Double] = []
    for step in 0..<Self.warmup + repeats {
      let time = try elapsedSeconds { _ = try trainer.step(batches[step % batches.count]) }
      if step >= Self.warmup { seconds.append(time) }
    }
    let median = seconds.sorted()[repeats / 2]
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    writeOut(
      "measure,d_model,latents,k,tokens,seconds,tokens_per_second,peak_megabytes,kernels,openblas_core,threads\n")
    writeOut(
      "training,\(dModel),\(latents),\(k),\(batch),\(median),\(Double(batch) / median),\(usage.ru_maxrss / 1024),"
        + "\(Compute.kernelLevel),\(Compute.openBLASCoreType),\(Compute.threads)\n")
  }

  /// The activations of two models that differ a little.
  private func activations(seed: UInt64) -> PairedActivations {
    var generator = SplitMix64(seed: seed)
    var values = [Float](repeating: 0, count: batch * 2 * dModel)
    for token in 0..<batch {
      for index in 0..<dModel {
        let shared = generator.uniform() - 0.5
        values[2 * token * dModel + index] = Float(shared)
        values[(2 * token + 1) * dModel + index] = Float(shared + 0.3 * (generator.uniform() - 0.5))
      }
    }
    return PairedActivations(dModel: dModel, values: values)
  }
}
