// A steering run in the explorer: its tokens, its measures, and how they are shown.

import Diffing
import Experiments
import Inference
import Reports
import Storage
import TUI

/// The last run and its result.
struct SteerRun: Sendable, Equatable {
  enum Phase: Sendable, Equatable {
    case running
    /// All answers have ended; their likelihood is being computed.
    case measuring
    case finished(SteeringDocument)
    case cancelled
    case failed(String)
  }

  /// The answers of one sample: tokens as text, in the order of their arrival.
  struct Sample: Sendable, Equatable {
    var baseline: [String] = []
    var steered: [String] = []
    var frozen: [String] = []
    /// The activations of `latentsRead` at each token, as far as they were reported.
    var activations: [AnswerArm: [[Double]]] = [:]

    mutating func append(_ text: String, _ arm: AnswerArm) {
      switch arm {
      case .baseline: baseline.append(text)
      case .steered: steered.append(text)
      case .frozen: frozen.append(text)
      }
    }

    func tokens(_ arm: AnswerArm) -> [String] {
      switch arm {
      case .baseline: baseline
      case .steered: steered
      case .frozen: frozen
      }
    }
  }

  /// The request of the run without the latents that are read along the way, which do not change the answers.
  var request: SteeringRequest
  /// The latents whose activations the run reports with its tokens.
  var latentsRead: [Int]
  var samples: [Sample]
  /// The index of the shown sample.
  var shown = 0
  /// The token under the cursor of the answers.
  var cursor = 0
  var phase = Phase.running

  init(request: SteeringRequest, latentsRead: [Int] = []) {
    (self.request, self.latentsRead) = (request, latentsRead)
    samples = [Sample](repeating: Sample(), count: max(1, request.sampling.samples))
  }

  var baseline: [String] { samples[shown].baseline }
  var steered: [String] { samples[shown].steered }
  var frozen: [String] { samples[shown].frozen }
  var arms: [AnswerArm] { request.freezesAttention ? AnswerArm.allCases : [.baseline, .steered] }

  /// Whether the run computes tokens or measures.
  var isGoingOn: Bool { phase == .running || phase == .measuring }

  var document: SteeringDocument? {
    if case .finished(let document) = phase { document } else { nil }
  }

  /// The measures of the shown sample.
  var measured: (baseline: SteeringDocument.Sample, steered: SteeringDocument.Sample)? {
    guard let outputs = document?.outputs, let steered = outputs.steered.first,
      outputs.baseline.samples.indices.contains(shown), steered.samples.indices.contains(shown)
    else { return nil }
    return (outputs.baseline.samples[shown], steered.samples[shown])
  }

  /// The measures of the answer with the baseline's attention, if there is one.
  var measuredFrozen: SteeringDocument.Sample? {
    guard let frozen = document?.outputs.frozenAttention?.first, frozen.samples.indices.contains(shown) else {
      return nil
    }
    return frozen.samples[shown]
  }

  /// The tokens of each side that the other does not have at that place, by the shortest edit script; during the run
  /// only as far as both sides have come.
  var differing: (baseline: Set<Int>, steered: Set<Int>) { differing(from: steered) }

  /// The tokens of the answer with frozen attention that the baseline does not have.
  var frozenDiffering: Set<Int> { differing(from: frozen).steered }

  private func differing(from other: [String]) -> (baseline: Set<Int>, steered: Set<Int>) {
    let common = phase == .running ? min(baseline.count, other.count) : Int.max
    return differingTokens(Array(baseline.prefix(common)), Array(other.prefix(common)))
  }

  /// Takes the measures and moves the cursor to where the answers part.
  mutating func finish(_ document: SteeringDocument) {
    phase = .finished(document)
    cursor = measured?.steered.firstDifference ?? 0
  }

  /// Shows the next sample, with the cursor where the answers part.
  mutating func showNextSample() {
    shown = (shown + 1) % samples.count
    cursor = measured?.steered.firstDifference ?? 0
  }

  /// Moves the cursor along the answers.
  mutating func moveCursor(by step: Int) {
    cursor = min(max(0, cursor + step), max(0, (arms.map { samples[shown].tokens($0).count }.max() ?? 0) - 1))
  }
}

/// The tokens of each side that the other does not have at that place, by the shortest edit script.
func differingTokens(_ baseline: [String], _ steered: [String]) -> (baseline: Set<Int>, steered: Set<Int>) {
  var result: (baseline: Set<Int>, steered: Set<Int>) = ([], [])
  for change in steered.difference(from: baseline) {
    switch change {
    case .remove(let offset, _, _): result.baseline.insert(offset)
    case .insert(let offset, _, _): result.steered.insert(offset)
    }
  }
  return result
}

/// The shown answer of one side: its tokens and a note on its end.
struct ShownAnswer {
  var tokens: [String]
  var note: String?
  /// The token under the cursor.
  var cursor: Int?
  /// The first token that the other side does not have.
  var parting: Int?
}

extension SteerRun {
  var shownBaseline: ShownAnswer { shown(baseline, measured?.baseline, parting: measured?.steered) }
  var shownSteered: ShownAnswer { shown(steered, measured?.steered, parting: measured?.steered) }
  /// The answer with frozen attention, which ends at the latest where the baseline does, since it uses its attention.
  var shownFrozen: ShownAnswer {
    var answer = shown(frozen, measuredFrozen, parting: measuredFrozen)
    if answer.note != nil, frozen.count < request.sampling.maxTokens { answer.note = "(as long as the baseline)" }
    return answer
  }

  /// An answer with a note if the limit cut it.
  private func shown(
    _ tokens: [String], _ sample: SteeringDocument.Sample?, parting: SteeringDocument.Sample?
  ) -> ShownAnswer {
    ShownAnswer(
      tokens: tokens, note: sample?.ending(limit: request.sampling.maxTokens), parting: parting?.firstDifference)
  }
}
