// The page of a latent: metrics with their meaning, logit lens, contexts by band, contrast, neighbours, tags and note.
// LatentLines makes its lines; LatentScreen+Actions.swift says what keys do.

import Diffing
import Experiments
import Inference
import Reports
import Storage
import TUI

enum LatentScreen {
  static let definition = ScreenDefinition(
    title: { "Latent \($0.latent.id.map(String.init) ?? "")" },
    bindings: latentBindings + GeneralBindings.moving,
    perform: perform,
    mouse: mouse,
    appear: { state in
      LatentState.keepInView(&state)
      return LatentState.missing(state)
    },
    draw: draw,
    progress: { $0.check?.progress.flatMap { $0.isEmpty ? nil : $0 } },
    copy: copy,
    cursor: RowCursor(
      selected: { $0.latent.selected },
      select: { item, state in
        state.latent.selected = item
        LatentState.keepInView(&state)
        return []
      }),
    latent: { $0.latent.id },
    open: { latent, state in latent.map { LatentState.open($0, &state) } ?? state.showLatents() },
    hasPlaceForEachLatent: true,
    back: { state in
      if let check = state.check, check.progress != nil, check.latent == state.latent.id {
        return CausalCheckRun.cancel(&state)
      }
      guard state.latent.token != nil else { return nil }
      state.latent.token = nil
      return []
    },
    cancel: { $0.check?.progress == nil ? nil : CausalCheckRun.cancel(&$0) })

  private static let latentBindings = [
    Binding(
      ["enter"], .open, "open", "unfold the context and step into it, or open the latent",
      unavailable: Unavailable.noLatent),
    Binding(["s"], .steer, "steer", "steer with the latent alone", unavailable: Unavailable.noLatent),
    Binding(
      ["&"], .steerToo, "steer too", "steer with the latent beside those on the steer screen",
      unavailable: Unavailable.noLatent),
    Binding(["t"], .tag, "tag", "tag this latent", unavailable: Unavailable.noLatentOrReadOnly),
    Binding(["n"], .note, "note", "write a note", unavailable: Unavailable.noLatentOrReadOnly),
    Binding(
      ["l", "right", "]"], .nextLatent, "next", "go to the next latent of the list; inside a text, to the next token"),
    Binding(
      ["h", "left", "["], .previousLatent, "prev", "go to the latent before it; inside a text, to the token before"),
    Binding(["T"], .templateTokens, "template", "rank contexts with or without template tokens"),
    Binding(["x"], .contrast, "contrast", "show contexts in which it is silent"),
    Binding(["="], .compareLatents, "compare", "show it beside the selected latent, or one by its id"),
    Binding(["w"], .contextLength, "whole", "show whole contexts or one line each"),
    Binding(["d"], .duplicates, nil, "hide or show copies: contexts with the same text around the peak"),
    Binding(["}"], .nextSection, nil, "go to the next band or section; inside a text, to the next active token"),
    Binding(
      ["{"], .previousSection, nil, "go to the band or section before; inside a text, to the active token before"),
    Binding(["c"], .colourScale, nil, "colour relative to the latent's maximum or the context's"),
    Binding(["L"], .wholeLens, nil, "show all tokens of the logit lens, or one line each"),
    Binding(
      ["K"], .causalCheck, nil, "check what it does, added and taken away, against random latents",
      unavailable: { $0.check?.report?.latent == $0.latent.id ? nil : CausalCheckRun.unavailable($0) }),
    Binding(["R"], .randomLatent, nil, "go to a latent of the list by chance"),
    Binding(["m"], .mapScreen, nil, "show where it lies on the map"),
    Binding(
      ["P"], .promptActivations, nil, "show all latents that fire on the context, on the prompt screen",
      unavailable: { $0.selectedContext == nil ? "no context is selected" : nil }),
    Binding(["S"], .steerScreen, nil, "go to the steer screen"),
  ]

  @Sendable static func draw(_ state: ExplorerState, _ canvas: inout Canvas, _ body: Rect) -> Point? {
    guard let id = state.latent.id, let page = state.pages[id] else {
      canvas.notice(["reading…"], in: body)
      return nil
    }
    let layout = LatentPageLayout(page, state)
    let selected = state.latent.selected
    canvas.put(layout.aside, from: layout.asideTop, selected: selected, in: layout.asideRect)
    canvas.put(layout.scrolled, from: state.latent.top, selected: selected, in: layout.scrolledRect)
    return layout.cursor(top: state.latent.top)
  }

  /// The selected context's text or neighbour's id, or the whole page as text.
  @Sendable static func copy(_ state: ExplorerState, _ whole: Bool) -> CopiedText? {
    guard let id = state.latent.id, let page = state.pages[id] else { return nil }
    if whole {
      let layout = LatentPageLayout(page, state)
      let lines = (layout.aside + layout.scrolled).map { line in
        line.heading.map { [$0.title, $0.note].filter { !$0.isEmpty }.joined(separator: ": ") }
          ?? line.spans.map(\.text).joined()
      }
      return CopiedText(what: "the page of latent \(id)", text: lines.joined(separator: "\n") + "\n")
    }
    let index = state.latent.selected
    if page.contexts.indices.contains(index) {
      return CopiedText(
        what: "the text of context \(index + 1)",
        text: tokenTexts(page.contexts[index].sequence.tokenIDs, page.tokens).joined())
    }
    var copied = id
    if case .latent(let other, _)? = state.latent.selectedItem(state) { copied = other }
    return CopiedText(what: "the id of latent \(copied)", text: "\(copied)")
  }
}
