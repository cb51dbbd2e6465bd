// The view state of the prompt screen: the selected token and latent, and what is shown of them.

import Diffing
import Experiments
import Inference
import Storage
import TUI

/// View state of the prompt screen.
struct PromptState: Sendable, Equatable {
  /// The values that the colours of the text show.
  enum Colours: Sendable { case latent, total }

  var editor = PromptEditor()
  /// Whether keys are text.
  var isTyping = true
  var run: PromptRun?
  /// Numbers the readings, so that a cancelled one's late tokens are dropped.
  var runNumber = 0
  /// The selected token.
  var cursor = 0
  /// The selected latent; it stays while the cursor moves.
  var selected: Int?
  var list = ListState()
  /// Whether the list is that of the whole text instead of the token.
  var isWholeText = false
  var aggregate = ActivationAggregate.max
  var filter = ActivationFilter()
  /// Whether tokens of the chat template count for the whole text.
  var countsTemplate = false
  var colours = Colours.latent
  /// Latents of the whole text that pass the filters.
  var overall: [LatentOverText] = []
  /// Whether nothing was selected in this text yet; the former text's latent will be, or this text's strongest.
  var isFresh = true
  var former: Int?

  var tokens: [TokenActivations] { run?.tokens ?? [] }
  var token: TokenActivations? { tokens.indices.contains(cursor) ? tokens[cursor] : nil }
  var isBusy: Bool { run?.isUnderWay ?? false }

  /// One row of the list.
  struct Row: Sendable, Equatable {
    var latent: Int
    /// The activation at the token, or over the text; 0 where the latent is silent.
    var value: Double
    /// The number of tokens at which it fires; nil in the list of a token.
    var tokens: Int?
    /// The position at which it is strongest; nil in the list of a token.
    var peak: Int?
  }

  /// The shown list: the token's or the text's latents that pass the filters. The selected latent stays in it even
  /// where it is silent.
  static func rows(_ state: ExplorerState) -> [Row] {
    let prompt = state.prompt
    func row(_ latent: LatentOverText) -> Row {
      Row(latent: latent.latent, value: latent.value(prompt.aggregate), tokens: latent.tokens, peak: latent.peak)
    }
    var rows: [Row] = []
    if prompt.isWholeText {
      rows = prompt.overall.map(row)
    } else if let token = prompt.token {
      rows = token.activations.filter { isShown($0.latent, state) }.map {
        Row(latent: $0.latent, value: Double($0.value))
      }
    }
    guard let selected = prompt.selected, let token = prompt.token, !rows.contains(where: { $0.latent == selected })
    else { return rows }
    if prompt.isWholeText {
      let alone = latentsOverText(
        prompt.tokens, by: prompt.aggregate, template: prompt.countsTemplate, where: { $0 == selected })
      rows.append(alone.first.map(row) ?? Row(latent: selected, value: 0))
    } else {
      rows.append(Row(latent: selected, value: token.value(of: selected)))
    }
    return rows
  }

  /// Whether a latent passes the filters; false until its row is read.
  static func isShown(_ id: Int, _ state: ExplorerState) -> Bool {
    state.latents.rows[id].map { state.prompt.filter.passes($0.latent) } ?? false
  }

  /// Keeps list and cursor within the existing rows and tokens.
  static func keepInView(_ state: inout ExplorerState) {
    let rows = rows(state)
    state.prompt.cursor = min(max(0, state.prompt.cursor), max(0, state.prompt.tokens.count - 1))
    let index = rows.firstIndex { $0.latent == state.prompt.selected } ?? 0
    state.prompt.list.select(index, count: rows.count, height: PromptLayout(state).rowsVisible)
  }
}

extension TokenActivations {
  /// A latent's activation at this token, 0 where it is silent.
  func value(of latent: Int) -> Double {
    activations.first { $0.latent == latent }.map { Double($0.value) } ?? 0
  }
}
