// A steering run as the explorer sees it: its tokens, what was measured of them, and how they are shown.

import Diffing
import Experiments
import Inference
import Reports
import Storage
import TUI

/// The last run and what has come of it.
struct SteerRun: Sendable, Equatable {
  enum Phase: Sendable, Equatable {
    case running
    /// All answers are there; how likely the arms find them is being computed.
    case measuring
    case finished(SteeringDocument)
    case cancelled
    case failed(String)
  }

  /// One sample's answers: tokens as text, in the order they came.
  struct Sample: Sendable, Equatable {
    var baseline: [String] = []
    var steered: [String] = []
    var frozen: [String] = []
    /// Of the traced latents at each token, as far as they were told.
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

  /// What it does; which latents are traced meanwhile is no part of it.
  var request: SteeringRequest
  var traced: [Int32]
  var samples: [Sample]
  /// The sample on view.
  var shown = 0
  /// The token under the cursor of the answers.
  var cursor = 0
  var phase = Phase.running

  init(request: SteeringRequest, traced: [Int32] = []) {
    (self.request, self.traced) = (request, traced)
    samples = [Sample](repeating: Sample(), count: max(1, request.sampling.samples))
  }

  var baseline: [String] { samples[shown].baseline }
  var steered: [String] { samples[shown].steered }
  var frozen: [String] { samples[shown].frozen }
  var arms: [AnswerArm] { request.freezesAttention ? AnswerArm.allCases : [.baseline, .steered] }

  /// It computes: tokens, or what is measured of them.
  var isGoingOn: Bool { phase == .running || phase == .measuring }

  var document: SteeringDocument? {
    if case .finished(let document) = phase { document } else { nil }
  }

  /// What was measured of the sample on view.
  var measured: (baseline: SteeringDocument.Sample, steered: SteeringDocument.Sample)? {
    guard let outputs = document?.outputs, let steered = outputs.steered.first,
      outputs.baseline.samples.indices.contains(shown), steered.samples.indices.contains(shown)
    else { return nil }
    return (outputs.baseline.samples[shown], steered.samples[shown])
  }

  /// The same of the answer with the baseline's attention, if there is one.
  var measuredFrozen: SteeringDocument.Sample? {
    guard let frozen = document?.outputs.frozenAttention?.first, frozen.samples.indices.contains(shown) else {
      return nil
    }
    return frozen.samples[shown]
  }

  /// Tokens of each side that the other does not have at that place, by the shortest edit script; while it runs, only
  /// as far as both sides have come.
  var differing: (baseline: Set<Int>, steered: Set<Int>) { differing(from: steered) }

  /// Of the answer with frozen attention, tokens that the baseline does not have.
  var frozenDiffering: Set<Int> { differing(from: frozen).steered }

  private func differing(from other: [String]) -> (baseline: Set<Int>, steered: Set<Int>) {
    let common = phase == .running ? min(baseline.count, other.count) : Int.max
    return differingTokens(Array(baseline.prefix(common)), Array(other.prefix(common)))
  }

  /// Takes what was measured; the cursor goes where the answers part.
  mutating func finish(_ document: SteeringDocument) {
    phase = .finished(document)
    cursor = measured?.steered.firstDifference ?? 0
  }

  /// Goes to the next sample, its cursor where the answers part.
  mutating func showNextSample() {
    shown = (shown + 1) % samples.count
    cursor = measured?.steered.firstDifference ?? 0
  }

  /// Moves the cursor along the answers.
  mutating func moveCursor(by step: Int) {
    cursor = min(max(0, cursor + step), max(0, (arms.map { samples[shown].tokens($0).count }.max() ?? 0) - 1))
  }
}

/// Tokens of each side that the other does not have at that place, by the shortest edit script.
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

/// One side's answer as it is shown: its tokens and, after the last, what is to be said of its end.
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
  /// It ends at the latest where the baseline does, whose attention it has.
  var shownFrozen: ShownAnswer {
    var answer = shown(frozen, measuredFrozen, parting: measuredFrozen)
    if answer.note != nil, frozen.count < request.sampling.maxTokens { answer.note = "(as long as the baseline)" }
    return answer
  }

  /// An answer with a note where the limit cut it.
  private func shown(
    _ tokens: [String], _ sample: SteeringDocument.Sample?, parting: SteeringDocument.Sample?
  ) -> ShownAnswer {
    ShownAnswer(
      tokens: tokens, note: sample?.ending(limit: request.sampling.maxTokens), parting: parting?.firstDifference)
  }
}
