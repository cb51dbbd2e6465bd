// The order of the table of latents by one or two columns, and the class of latents that it shows.

import Diffing
import Inference
import Storage
import TUI

extension LatentsState {
  static let mostSteered = 50

  /// Reads the list in a new order and goes to its top, which the user wants to see.
  static func restart(_ state: inout ExplorerState) -> [Effect] {
    state.latents.list = ListState()
    return [search(&state)]
  }

  /// Sorts by another column; if it is the same column, reverses the order.
  static func sort(by sort: LatentSort, _ state: inout ExplorerState) -> [Effect] {
    if state.latents.query.sort == sort {
      state.latents.query.reversed.toggle()
    } else {
      state.latents.query.sort = sort
      state.latents.query.reversed = false
      if state.latents.query.then?.sort == sort { state.latents.query.then = nil }
    }
    return restart(&state)
  }

  /// Orders latents of equal first key by another column; the same column reverses the order, nil orders by id.
  static func sort(thenBy sort: LatentSort?, _ state: inout ExplorerState) -> [Effect] {
    if let sort, sort != state.latents.query.sort {
      let isSame = state.latents.query.then?.sort == sort
      state.latents.query.then = LatentOrder(
        sort, ascending: isSame ? state.latents.query.then?.ascending == false : nil)
    } else {
      state.latents.query.then = nil
    }
    return restart(&state)
  }

  static func sort(step: Int, _ state: inout ExplorerState) -> [Effect] {
    let sorts = sorts(state)
    let index = sorts.firstIndex(of: state.latents.query.sort) ?? 0
    let next = sorts[(index + step + sorts.count) % sorts.count]
    return next == state.latents.query.sort ? [] : sort(by: next, &state)
  }

  /// Goes from all latents to each class that the filter lets through, then back to all.
  static func nextClass(_ state: inout ExplorerState) -> [Effect] {
    let counts = state.latents.classCounts
    let offered = LatentClass.allCases.filter { counts == nil || counts?[$0] ?? 0 > 0 }
    let index = state.latents.query.latentClass.flatMap { offered.firstIndex(of: $0) }.map { $0 + 1 } ?? 0
    state.latents.query.latentClass = offered.indices.contains(index) ? offered[index] : nil
    state.latents.seeksClass = counts == nil
    return restart(&state)
  }
}

extension LatentSort {
  /// The order in words.
  var title: String {
    switch self {
    case .chatSpecificity: "chat-specificity"
    case .frequency: "frequency"
    case .maxActivation: "max activation"
    case .cosBaseChat: "cosine"
    case .templateShare: "template share"
    case .id: "id"
    case .tags: "number of tags"
    default: TableField(self).title
    }
  }
}
