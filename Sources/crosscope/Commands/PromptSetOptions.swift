// The options of `crosscope steer` for a set of prompts. Options that have no effect without a set are errors.

import ArgumentParser
import Experiments
import Inference

/// A set of prompts, its control, and the places for the figures.
struct PromptSetOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Steer a set of prompts and report figures: one JSON object a line with \"prompt\" and perhaps \"kind\".",
      valueName: "file"))
  var prompts: String?
  @Option(parsing: .upToNextOption, help: "Take only prompts of these kinds.") var kind: [String] = []
  @Option(help: "Take at most this many prompts, evenly from the file.") var limit: Int?
  @Option(help: "As a control, replace the latents by random living ones so many times.") var random = 0
  @Option(
    help: ArgumentHelp(
      "As a control, replace the latents by this direction of the store, with the same norm of the change.",
      valueName: "name"))
  var against: String?
  @Option(
    help: ArgumentHelp(
      "The file for the report as JSON, with all answers; a killed run that is given the same file goes on.",
      valueName: "file"))
  var out: String?
  @OptionGroup var output: OutputFileOptions
  @Flag(help: "Print the figures as CSV.") var csv = false
  @Flag(help: "Draw charts in ASCII.") var ascii = false

  func validate() throws {
    guard
      prompts != nil || (kind.isEmpty && limit == nil && random == 0 && against == nil && out == nil && !csv && !ascii)
    else {
      throw ValidationError(
        "--kind, --limit, --random, --against, --out, --csv and --ascii change nothing without --prompts")
    }
    guard out != nil || !output.force else { throw ValidationError("--force changes nothing without --out") }
    guard limit ?? 1 > 0, random >= 0 else {
      throw ValidationError("--limit must be 1 or more, and --random 0 or more")
    }
  }

  /// The chosen prompts of a file.
  /// - Throws: `InputError.invalid` if there are none.
  func chosen(from path: String) throws -> [SetPrompt] {
    let all = try SetPrompt.read(path).filter { kind.isEmpty || kind.contains($0.kind ?? "") }
    guard !all.isEmpty else {
      throw InputError.invalid(
        source: path, expected: "prompts of the kind \(kind.joined(separator: ", "))", found: "none")
    }
    return all.spread(limit ?? all.count)
  }
}
