// Options for precision and threads, for subcommands that run a model, and for memory, for those that load much.

import ArgumentParser
import Experiments
import Inference
import Kernels
import Reports

/// Precision, number of threads and memory.
struct ComputeOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "exact: fp32 activations; fast: 16-bit activations, up to twice as fast.", valueName: "exact|fast"))
  var precision: Precision?
  @Option(help: ArgumentHelp("The number of threads to compute with (default: one a core).", valueName: "n"))
  var threads: Int?
  @OptionGroup var memory: MemoryOptions

  func validate() throws {
    if let threads {
      guard (1...Compute.mostThreads).contains(threads) else {
        throw ValidationError("--threads: expected 1 to \(Compute.mostThreads), found \(threads)")
      }
      Compute.limit(threads: threads)
    }
  }
}

/// A limit on memory.
struct MemoryOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The most memory to use, such as 4G or 800M (default: what is available); what needs more is refused.",
      valueName: "bytes"), transform: MemorySize.init)
  var memory: MemorySize?

  func validate() throws {
    if let memory { MemoryBudget.limit(bytes: memory.bytes) }
  }
}

extension Precision: ExpressibleByArgument {}
