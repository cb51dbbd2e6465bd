// The settings of a saved run by name. The short line of lists, the page, the comparison and Markdown are all made from this
// list, which has every setting of the record.

import Diffing
import Experiments
import Storage

/// A setting of a run.
package struct RunSetting: Sendable, Equatable {
  package var name: String
  package var value: String
  /// The setting as part of a line, such as `positions all`, if the value alone would not be clear.
  package var phrase: String

  package init(_ name: String, _ value: String, phrase: String? = nil) {
    (self.name, self.value) = (name, value)
    self.phrase = phrase ?? "\(name) \(value)"
  }
}

extension GenerationSettings {
  /// The settings that differ from their defaults and that most runs leave alone.
  package var unusual: [RunSetting] {
    var settings: [RunSetting] = []
    if samples > 1 { settings.append(RunSetting("samples", "\(samples)", phrase: "\(samples) samples")) }
    if topP < 1 { settings.append(RunSetting("top-p", compact(topP))) }
    if minP > 0 { settings.append(RunSetting("min-p", compact(minP))) }
    if frequencyPenalty != 0 { settings.append(RunSetting("frequency penalty", compact(frequencyPenalty))) }
    if repetitionPenalty != 1 {
      let window = counted(penaltyWindow, "token", "tokens")
      settings.append(RunSetting("repetition penalty", "\(compact(repetitionPenalty)) over \(window)"))
    }
    return settings
  }
}

extension SavedRun {
  /// Everything that the record's parameters say.
  package var settings: [RunSetting] {
    if let check { return [RunSetting("size", check.sizeText, phrase: check.sizeText)] }
    guard let recorded else {
      return [RunSetting("parameters", "of another form", phrase: "parameters of another form")]
    }
    let (sampling, plan) = (recorded.request.sampling, recorded.request.plan)
    func plain(_ value: String, _ name: String) -> RunSetting { RunSetting(name, value, phrase: value) }
    var settings = [
      plain(
        sampling.temperature == 0
          ? "greedy" : "temperature \(compact(sampling.temperature)), seed \(sampling.seed)", "sampling"),
      plain("up to \(sampling.maxTokens) tokens", "length"), RunSetting("positions", plan.positions.rawValue),
    ]
    if let layer = recorded.basis.layer { settings.append(RunSetting("layer", "\(layer)")) }
    settings.append(
      RunSetting("decoder", plan.decoder.rawValue, phrase: "\(plan.decoder.rawValue) decoder"))
    settings += sampling.unusual
    if plan.blocks == .ownAndAbove {
      settings.append(RunSetting("blocks", "the crosscoder's and all above", phrase: "all layers"))
    }
    if plan.unit == .norm {
      settings.append(RunSetting("unit of strength", "‖Δh‖ itself", phrase: "raw strength"))
    }
    if plan.swapsBase { settings.append(plain("base swapped in", "residual stream")) }
    if !frozen.isEmpty { settings.append(plain("frozen attention beside", "attention")) }
    return settings
  }

  /// The units of strengths and the source of the mean in mode project, which are too long for a line.
  package var scales: [RunSetting] {
    guard let basis = recorded?.basis else { return [] }
    var scales: [RunSetting] = []
    if !basis.maxActivations.isEmpty {
      let values = basis.maxActivations.sorted { $0.key < $1.key }
      scales.append(
        RunSetting("largest activations", values.map { "\($0.key) \(shortNumber($0.value))" }.joined(separator: ", ")))
    }
    if let mean = basis.projectMean {
      scales.append(RunSetting("mean of project", mean.rawValue.replacing("_", with: " ")))
    }
    return scales
  }

  /// The settings in one line, as `greedy, up to 96 tokens, positions all, layer 14, chat decoder`.
  package var parametersText: String { settings.map(\.phrase).joined(separator: ", ") }

  /// The turns before the prompt.
  package var turns: [(role: String, text: String)] {
    recorded?.request.turns.map { ($0.role.rawValue, $0.content) } ?? []
  }

  /// The prompt for one line of a list, with the number of turns before it.
  package var promptOpening: String {
    (turns.isEmpty ? "" : "[after \(counted(turns.count, "turn", "turns"))] ") + record.prompt.opening
  }

  /// Everything except the answers in which two runs may differ.
  package var compared: [RunSetting] {
    turns.enumerated().map { RunSetting("turn \($0 + 1), \($1.role)", $1.text) }
      + [
        RunSetting("prompt", record.prompt), RunSetting("kind", record.kind),
        RunSetting("latents", interventionsText),
      ] + settings + scales + versions.map { RunSetting($0.name, $0.version) }
  }
}

/// The settings that two runs share, and those in which they differ.
package struct RunDifference {
  /// If one of the runs lacks a setting, its value here is –.
  package let differing: [(name: String, first: String, second: String)]
  package let common: [RunSetting]

  package init(_ first: SavedRun, _ second: SavedRun) {
    let (left, right) = (first.compared, second.compared)
    let names = left.map(\.name) + right.map(\.name).filter { name in !left.contains { $0.name == name } }
    var differing: [(name: String, first: String, second: String)] = []
    var common: [RunSetting] = []
    for name in names {
      let (one, other) = (left.first { $0.name == name }, right.first { $0.name == name })
      if let one, one == other {
        common.append(one)
      } else {
        differing.append((name, one?.value ?? "–", other?.value ?? "–"))
      }
    }
    (self.differing, self.common) = (differing, common)
  }
}
