// The report of `crosscope evaluate`, as a table or as JSON.

import Diffing
import Experiments
import Inference
import Kernels
import Reports
import Storage

/// The figures of a dictionary on texts.
struct EvaluationReport: Encodable {
  let store, texts: String
  let text_count, tokens: Int
  let layer: Int
  let precision: Precision
  /// The mean number of active latents at a token on which a crosscoder is trained.
  let l0: Double
  let latents, dead: Int
  /// The number of living latents by class.
  let classes: [String: Int]
  /// The figures of the models that the dictionary reconstructs.
  let base, chat: ReconstructionLoss.Model?

  init(store: Store, texts path: String, _ found: Evaluation, _ loss: ReconstructionLoss) throws {
    self.store = store.path
    texts = path
    (text_count, tokens) = (loss.text_count, loss.tokens)
    let pair = try store.modelPair()
    (layer, precision) = (pair.layer, found.precision)
    let encoded = found.texts.reduce(0) { $0 + $1.encoded }
    l0 = Double(found.texts.reduce(0) { $0 + $1.active }) / Double(max(1, encoded))
    latents = pair.nLatents
    let living = try store.latents(ids: store.latentIDs(matching: Filter("not dead")))
    dead = latents - living.count
    classes = Dictionary(grouping: living, by: \.latentClass.rawValue).mapValues(\.count)
    (base, chat) = (loss.base, loss.chat)
  }

  var text: String {
    func number(_ ratio: ClusteredRatio?, _ factor: Double = 1, _ unit: String = "") -> String {
      ratio.map { ratio in
        let digits = factor == 1 ? 3 : 1
        return fixed(ratio.value * factor, digits) + unit
          + (ratio.halfWidth.map { " ± " + fixed($0 * factor, digits) } ?? "")
      } ?? "-"
    }
    var table = TextTable(
      [TextTable.Column(title: "model")]
        + ["clean", "reconstructed", "zeroed", "loss recovered"].map { TextTable.Column(title: $0, isNumber: true) })
    for (name, model) in [("base", base), ("chat", chat)] {
      guard let model else { continue }
      table.add([
        name, number(model.clean), number(model.reconstructed), number(model.zeroed),
        number(model.loss_recovered, 100, " %"),
      ])
    }
    let counts = Storage.LatentClass.allCases.map { "\(classes[$0.rawValue] ?? 0) \($0.rawValue)" }.joined(
      separator: ", ")
    return table.text
      + "\nCross-entropy in nats a token over \(text_count) texts, \(tokens) tokens, after layer \(layer)."
      + " \(fixed(l0, 1)) latents are active at a token. Of \(latents) latents \(dead) are dead."
      + " The classes of the living ones are: \(counts).\n"
  }
}
