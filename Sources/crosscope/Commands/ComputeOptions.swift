// How a model computes, for every subcommand that runs one.

import ArgumentParser
import Kernels

/// Precision and number of threads.
struct ComputeOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "exact: fp32 activations; fast: 16-bit activations, up to twice as fast.", valueName: "exact|fast"))
  var precision: Precision?
  @Option(help: ArgumentHelp("Threads to compute with (default: one a core).", valueName: "n")) var threads: Int?

  func validate() throws {
    if let threads {
      guard (1...Compute.mostThreads).contains(threads) else {
        throw ValidationError("--threads: expected 1 to \(Compute.mostThreads), found \(threads)")
      }
      Compute.limit(threads: threads)
    }
  }
}

extension Precision: ExpressibleByArgument {}
