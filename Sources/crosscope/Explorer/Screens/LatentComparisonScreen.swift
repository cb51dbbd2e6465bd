// Two latents side by side: metrics with their difference, cosines, tags, logit lens, contexts of each and of both.
// Owns: which two, and how far the page is scrolled. Refuses: the store; it shows the pages of both.

import Experiments
import Storage
import TUI

/// View state of the page.
struct LatentComparisonState: Sendable, Equatable {
  /// Two, once it is open.
  var ids: [Int32] = []
  /// First visible line.
  var top = 0

  static func open(_ first: Int32, _ second: Int32, _ state: inout ExplorerState) -> [Effect] {
    guard first != second else {
      state.tell("a latent is not compared with itself", .error)
      return []
    }
    state.latentComparison = LatentComparisonState(ids: [first, second])
    return state.show(.latentComparison)
  }

  /// Both pages, once they are read.
  static func pages(_ state: ExplorerState) -> (LatentPage, LatentPage)? {
    let ids = state.latentComparison.ids
    guard ids.count == 2, let first = state.pages[ids[0]], let second = state.pages[ids[1]] else { return nil }
    return (first, second)
  }
}

extension ScreenDefinition {
  static let latentComparison = ScreenDefinition(
    title: { $0.latentComparison.ids.map(String.init).joined(separator: " beside ") },
    bindings: [
      Binding(["enter"], .open, "open", "open the latent at the left"),
      Binding(["x"], .swapSides, "swap", "left becomes right"),
      Binding(["s"], .steer, "steer", "steer with both alone"),
      Binding(["&"], .steerToo, "steer too", "steer with both beside those on the steer screen"),
      Binding(["t"], .tag, "tag", "tag both", unavailable: Unavailable.readOnly),
      Binding(["T"], .templateTokens, "template", "rank contexts with or without template tokens"),
    ] + GeneralBindings.moving,
    perform: performOnComparison,
    type: { _, _ in nil },
    mouse: { mouse, state in
      switch mouse.kind {
      case .wheelUp: scrollComparison(-3, &state)
      case .wheelDown: scrollComparison(3, &state)
      default: break
      }
      return []
    },
    appear: { state in
      scrollComparison(0, &state)
      return state.latentComparison.ids.filter { state.pages[$0] == nil }.map { .loadPage($0) }
    },
    draw: drawComparison)

  @Sendable private static func performOnComparison(_ action: Action, _ state: inout ExplorerState) -> [Effect] {
    let page = max(1, state.body.rows - 1)
    switch action {
    case .down: scrollComparison(1, &state)
    case .up: scrollComparison(-1, &state)
    case .pageDown: scrollComparison(page, &state)
    case .pageUp: scrollComparison(-page, &state)
    case .first: scrollComparison(-Int.max / 2, &state)
    case .last: scrollComparison(Int.max / 2, &state)
    case .swapSides: state.latentComparison.ids.reverse()
    case .templateTokens:
      state.latent.choices.ranking.countsTemplate.toggle()
      scrollComparison(0, &state)
    case .open:
      if let id = state.latentComparison.ids.first { return LatentState.open(id, &state) }
    default: break
    }
    return []
  }

  private static func scrollComparison(_ step: Int, _ state: inout ExplorerState) {
    guard let (first, second) = LatentComparisonState.pages(state) else { return }
    let lines = ComparisonLines(first, second, state).lines.count
    state.latentComparison.top = min(max(0, state.latentComparison.top + step), max(0, lines - state.body.rows))
  }

  @Sendable private static func drawComparison(
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
