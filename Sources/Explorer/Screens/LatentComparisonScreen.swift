// Shows two latents side by side: metrics with their difference, cosines, tags, logit lens, contexts of each and of both.

import Experiments
import Storage
import TUI

enum LatentComparisonScreen {
  static let definition = ScreenDefinition(
    title: { $0.latentComparison.ids.map(String.init).joined(separator: " beside ") },
    bindings: [
      Binding(["enter"], .open, "open", "open the latent at the left"),
      Binding(["x"], .swapSides, "swap", "swap left and right"),
      Binding(["s"], .steer, "steer", "steer with both alone"),
      Binding(["&"], .steerToo, "steer too", "steer with both beside those on the steer screen"),
      Binding(["t"], .tag, "tag", "tag both", unavailable: Unavailable.readOnly),
      Binding(["T"], .templateTokens, "template", "rank contexts with or without template tokens"),
    ] + GeneralBindings.moving,
    perform: perform,
    mouse: { mouse, state in
      if let lines = PageScroll.lines(mouse) { scroll(lines, &state) }
      return []
    },
    appear: { state in
      scroll(0, &state)
      return state.latentComparison.ids.filter { state.pages[$0] == nil }.map { .loadPage($0) }
    },
    draw: draw,
    latent: { $0.latentComparison.ids.first }, shown: { $0.latentComparison.ids })

  @Sendable private static func perform(_ action: Action, _ state: inout ExplorerState) -> [Effect] {
    if let lines = PageScroll.lines(action, page: max(1, state.body.rows - 1)) { scroll(lines, &state) }
    switch action {
    case .swapSides: state.latentComparison.ids.reverse()
    case .templateTokens:
      state.latent.choices.ranking.countsTemplate.toggle()
      scroll(0, &state)
    case .open:
      if let id = state.latentComparison.ids.first { return LatentState.open(id, &state) }
    default: break
    }
    return []
  }

  private static func scroll(_ step: Int, _ state: inout ExplorerState) {
    guard let (first, second) = LatentComparisonState.pages(state) else { return }
    let lines = ComparisonLines(first, second, state).lines.count
    state.latentComparison.top = min(max(0, state.latentComparison.top + step), max(0, lines - state.body.rows))
  }

  @Sendable private static func draw(
    _ state: ExplorerState, _ canvas: inout Canvas, _ body: Rect
  ) -> Point? {
    guard let (first, second) = LatentComparisonState.pages(state) else {
      canvas.notice(["reading…"], in: body)
      return nil
    }
    canvas.put(
      ComparisonLines(first, second, state).lines, from: state.latentComparison.top, in: body.inset(columns: 1))
    return nil
  }
}
