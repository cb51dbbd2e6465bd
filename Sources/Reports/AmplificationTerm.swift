// Reads and writes amplifications as people write them on the command line and on the steer screen: `logits:2` is α, and
// `weights:1.5`, `attention:0`, `mlp@8-15:0.5` are λ, of all blocks or of some. One form serves both ways.

import Diffing
import Experiments
import Inference

/// One amplification: α of the logits, or λ of some weights.
package struct AmplificationTerm: Sendable, Equatable {
  /// What is amplified.
  package enum Part: Sendable, Hashable {
    case logits
    /// The weights of both halves of the blocks, or of one; nil blocks are all.
    case weights(BlockModule?, ClosedRange<Int>?)
  }

  package var part: Part
  /// α, where 0 is chat, or λ, where 1 is chat.
  package var value: Double

  package init(_ part: Part, _ value: Double) { (self.part, self.value) = (part, value) }

  /// Whether a word among others begins as an amplification does.
  package static func isMeant(by word: String) -> Bool {
    (["logits", "weights"] + BlockModule.allCases.map(\.rawValue)).contains { word.hasPrefix($0) }
  }

  /// - Throws: `WrittenFormError` that names the wrong part.
  package init(_ argument: String) throws {
    let parts = argument.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    guard let part = Part(parts[0]) else {
      throw WrittenFormError(
        "\(quoted(argument)): logits, weights, attention or mlp is expected, perhaps with blocks, as in mlp@8-15:0.5")
    }
    let value = parts.count > 1 ? Double(parts[1]) : part.usualValue
    guard parts.count <= 2, let value, abs(value) <= Amplification.largest else {
      throw WrittenFormError(
        "\(quoted(argument)): a number from -1000 to 1000 is expected after the colon, as in \(part.text):2")
    }
    self.init(part, value)
  }

  /// The distance from chat: α, or λ − 1.
  package var distance: Double { part == .logits ? value : value - 1 }

  /// The term as it is read.
  package var text: String { "\(part.text):\(exact(value))" }
}

extension AmplificationTerm.Part {
  /// A part without its value, as in `mlp@8-15`; nil if it is none.
  fileprivate init?(_ text: String) {
    let halves = text.split(separator: "@", omittingEmptySubsequences: false).map(String.init)
    var blocks: ClosedRange<Int>?
    if halves.count == 2 {
      let ends = halves[1].split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
      guard (1...2).contains(ends.count), let first = ends[0], let last = ends[ends.count - 1], first >= 0,
        first <= last
      else { return nil }
      blocks = first...last
    }
    switch (halves[0], halves.count) {
    case ("logits", 1): self = .logits
    case ("weights", 1...2): self = .weights(nil, blocks)
    case (let name, 1...2):
      guard let module = BlockModule(rawValue: name) else { return nil }
      self = .weights(module, blocks)
    default: return nil
    }
  }

  /// Twice what fine-tuning changed.
  package var usualValue: Double { self == .logits ? 1 : 2 }

  package var text: String {
    switch self {
    case .logits: return "logits"
    case .weights(let module, let blocks):
      let name = module?.rawValue ?? "weights"
      guard let blocks else { return name }
      let (first, last) = (blocks.lowerBound, blocks.upperBound)
      return first == last ? "\(name)@\(first)" : "\(name)@\(first)-\(last)"
    }
  }
}

extension Amplification {
  /// The amplification of some terms; of two for the same weights the later one is in force. Nil if there are none.
  package init?(_ terms: [AmplificationTerm]) {
    guard !terms.isEmpty else { return nil }
    self.init()
    for term in terms {
      switch term.part {
      case .logits: logits = term.value
      case .weights(let module, let blocks):
        weights.append(WeightFactor(term.value, blocks: blocks, module: module))
      }
    }
  }

  /// The terms that make this amplification.
  package var terms: [AmplificationTerm] {
    (logits == 0 && !weights.isEmpty ? [] : [AmplificationTerm(.logits, logits)])
      + weights.map { AmplificationTerm(.weights($0.module, $0.blocks), $0.factor) }
  }

  /// The amplification as `amplified logits:2, mlp@8-15:0`.
  package var text: String { "amplified " + terms.map(\.text).joined(separator: ", ") }
}

extension SteeringPlan {
  /// The latents of the plan, their conditions, the directions and the amplification.
  package var text: String {
    let others = directions.map(\.text) + (amplification.map { [$0.text] } ?? [])
    guard !others.isEmpty else { return interventions.text(conditions: conditions) }
    let latents = interventions.isEmpty && conditions.isEmpty ? [] : [interventions.text(conditions: conditions)]
    return (latents + others).joined(separator: "; ")
  }
}
