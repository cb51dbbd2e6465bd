// How a model computes, for every subcommand that runs one, and how much memory it may take, for all that load much.

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
  @Option(help: ArgumentHelp("Threads to compute with (default: one a core).", valueName: "n")) var threads: Int?
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
      "Memory to use at most, such as 4G or 800M (default: what is available); what needs more is refused.",
      valueName: "bytes"), transform: MemorySize.init)
  var memory: MemorySize?

  func validate() throws {
    if let memory { MemoryBudget.limit(bytes: memory.bytes) }
  }
}

/// `BYTES` on the command line and in the configuration: a number, with K, M, G or T for powers of 1000.
struct MemorySize: Equatable {
  let bytes: Int

  /// - Throws: `ValidationError`.
  init(_ text: String) throws {
    let units: [Character: Double] = ["K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12]
    let unit = text.last.flatMap { units[Character($0.uppercased())] }
    let digits = unit == nil ? Substring(text) : text.dropLast()
    guard digits.allSatisfy({ $0.isASCII && ($0.isNumber || $0 == ".") }), let number = Double(digits),
      case let bytes = number * (unit ?? 1), bytes >= 1, bytes < 1e18
    else { throw ValidationError("\(quoted(text)): memory is a number of bytes, as in 4G or 800M") }
    self.bytes = Int(bytes)
  }
}

extension Precision: ExpressibleByArgument {}
