// The two latents that are side by side, and how far their page is scrolled. The pages themselves are in ExplorerState.

import Storage
import TUI

/// View state of the page.
struct LatentComparisonState: Sendable, Equatable {
  /// The ids of both latents once the page is open.
  var ids: [Int] = []
  /// First visible line.
  var top = 0

  static func open(_ first: Int, _ second: Int, _ state: inout ExplorerState) -> [Effect] {
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
