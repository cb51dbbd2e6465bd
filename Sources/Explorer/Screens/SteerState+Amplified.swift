// The amplifications of the steer screen's list, which stand below its latents and directions: how they are added, and how their knob and their
// part turn.

import Diffing
import Inference
import Reports

extension SteerState {
  /// One amplification of the list.
  struct AmplifiedRow: KnobRow, Sendable, Equatable {
    var term: AmplificationTerm
    var isOn = true

    /// The largest α and λ that the knob reaches.
    static let strongest = 20.0

    /// Changes α or λ as a latent's strength is changed (`Row.turn`).
    mutating func turn(by step: Double) {
      let bound = max(Self.strongest, abs(term.value))
      term.value = min(max(-bound, ((term.value + step) * 1e6).rounded() / 1e6), bound)
    }
  }

  /// The number of rows of the list: latents, then directions, then amplifications.
  var listCount: Int { rows.count + directions.count + amplified.count }

  /// The index of the selected amplification; nil if another row is selected or there is none.
  var selectedAmplified: Int? {
    let index = list.selected - rows.count - directions.count
    return amplified.indices.contains(index) ? index : nil
  }

  /// The amplification of a run; nil if none is on.
  var amplification: Amplification? { Amplification(amplified.filter(\.isOn).map(\.term)) }

  /// Puts amplifications on the list, or sets them if they are there, and goes to the last one.
  mutating func put(_ terms: [AmplificationTerm]) {
    for term in terms {
      let index = amplified.firstIndex { $0.term.part == term.part } ?? amplified.count
      if index == amplified.count {
        amplified.append(AmplifiedRow(term: term))
      } else {
        amplified[index].term = term
      }
      select(rows.count + directions.count + index)
    }
  }

  /// Goes from the logits to the weights, to attention, to the MLPs, and back. The blocks stay, and so does the distance
  /// from chat. A part that the list has already is left out.
  /// - Returns: the message for the user; nil if there is no other part.
  mutating func changePart(_ index: Int) -> String? {
    let own = amplified[index].term
    var blocks: ClosedRange<Int>?
    if case .weights(_, let range) = own.part { blocks = range }
    let all: [AmplificationTerm.Part] =
      [.logits, .weights(nil, blocks)] + BlockModule.allCases.map { .weights($0, blocks) }
    let place = all.firstIndex(of: own.part) ?? 0
    let taken = Set(amplified.map(\.term.part))
    guard let next = (1..<all.count).map({ all[(place + $0) % all.count] }).first(where: { !taken.contains($0) }) else {
      return nil
    }
    amplified[index].term = AmplificationTerm(next, own.distance + (next == .logits ? 0 : 1))
    return "amplified is now \(amplified[index].term.text): "
      + (next == .logits ? "α, where 0 is chat and −1 base" : "λ, where 1 is chat and 0 base")
  }
}
