// The steer screen's list of latents: which are on it, and how it was before each change. It holds no more latents than
// one run can have.

import Diffing
import Experiments
import Inference
import Reports
import Storage
import TUI

/// Former lists, as undo and redo want them.
struct SteerListHistory: Sendable, Equatable {
  /// The latents of the screen, and the conditions of all of them.
  struct Entry: Sendable, Equatable {
    var rows: [SteerState.Row]
    var conditions: [SteeringCondition]
  }

  fileprivate var past: [Entry] = []
  fileprivate var future: [Entry] = []
  /// The change under way is one of the history's own.
  fileprivate var isGoing = false
  fileprivate static let longest = 100
}

extension SteerState {
  /// Puts latents on the list, or goes to where they are.
  /// - Parameters:
  ///   - alone: whether all others leave it.
  ///   - limit: the pair's limit of coherence, if it is known.
  /// - Returns: why it is not done; nil when it is.
  mutating func put(_ latents: [Int32], alone: Bool, limit: Double?) -> String? {
    let kept = alone ? rows.filter { latents.contains($0.latent) } : rows
    let known = Set(kept.map(\.latent))
    let new = latents.filter { !known.contains($0) }
    if let reason = refusal(of: kept.count + new.count) { return reason }
    // What was a condition of other latents too was not meant for these.
    if kept.count < rows.count { plan.conditions = [] }
    rows = kept + new.map { Row(latent: $0, strength: strengthToBegin(.add, limit: limit)) }
    if let last = latents.last { select(rows.firstIndex { $0.latent == last } ?? 0) }
    return nil
  }

  /// Puts latents on the list as they were typed; one that is there takes the strength, mode and conditions that were
  /// typed with it.
  /// - Returns: why it is not done; nil when it is.
  mutating func put(_ typed: [LatentStrength], limit: Double?) -> String? {
    var rows = rows
    var selected = list.selected
    for item in typed {
      let index = rows.firstIndex { $0.latent == item.id } ?? rows.count
      if index == rows.count {
        let mode = item.mode ?? .add
        rows.append(Row(latent: Int32(item.id), mode: mode, strength: strengthToBegin(mode, limit: limit)))
      }
      if let mode = item.mode { rows[index].mode = mode }
      if let strength = item.ownStrength { rows[index].strength = strength }
      if !item.conditions.isEmpty { rows[index].conditions = item.conditions }
      selected = index
    }
    if let reason = refusal(of: rows.count) { return reason }
    self.rows = rows
    select(selected)
    return nil
  }

  private func refusal(of count: Int) -> String? {
    count > SteeringPlan.mostInterventions
      ? "\(SteeringPlan.mostInterventions) latents can steer at once; that would be \(grouped(count))" : nil
  }

  /// Takes so many latents off the list, from the selected one on.
  mutating func remove(_ count: Int) {
    let index = list.selected
    guard rows.indices.contains(index) else { return }
    rows.removeSubrange(index..<min(rows.count, index + max(1, count)))
    select(index)
  }

  /// Takes all latents off the list, with the conditions that all of them had.
  mutating func clear() {
    (rows, plan.conditions) = ([], [])
    select(0)
  }

  /// The list as it is.
  var listed: SteerListHistory.Entry { SteerListHistory.Entry(rows: rows, conditions: plan.conditions) }

  /// Notes a list that was, if other latents are on it now.
  mutating func noteChange(from former: SteerListHistory.Entry) {
    defer { history.isGoing = false }
    guard !history.isGoing, former.rows.map(\.latent) != rows.map(\.latent) else { return }
    history.past.append(former)
    if history.past.count > SteerListHistory.longest { history.past.removeFirst() }
    history.future = []
  }

  /// Brings the latents of the list before the last change back, or of the one after it.
  /// - Returns: what is to be said.
  mutating func bringBack(forth: Bool) -> String {
    guard let list = forth ? history.future.popLast() : history.past.popLast() else {
      return forth
        ? "there is no later list of latents"
        : "there is no former list of latents; tags and notes are undone on other screens"
    }
    if forth { history.past.append(listed) } else { history.future.append(listed) }
    // What stayed on the list keeps how it was turned since.
    let present = Dictionary(rows.map { ($0.latent, $0) }, uniquingKeysWith: { first, _ in first })
    let areUnique = present.count == rows.count && Set(list.rows.map(\.latent)).count == list.rows.count
    rows = areUnique ? list.rows.map { present[$0.latent] ?? $0 } : list.rows
    if plan.conditions.isEmpty { plan.conditions = list.conditions }
    history.isGoing = true
    select(self.list.selected)
    return rows.isEmpty ? "no latent is on the list, as before" : "on the list again: \(Self.names(rows))"
  }

  /// What is to be said of latents that left the list; nil if none did.
  static func left(_ former: [Row], _ rows: [Row]) -> String? {
    let present = Set(rows.map(\.latent))
    let gone = former.filter { !present.contains($0.latent) }
    return gone.isEmpty ? nil : "off the list: \(names(gone)); u brings back"
  }

  /// `5, 42 and 7 more`.
  private static func names(_ rows: [Row]) -> String {
    let shown = rows.prefix(6).map { String($0.latent) }.joined(separator: ", ")
    return rows.count > 6 ? "\(shown) and \(rows.count - 6) more" : shown
  }

  /// Steers with the latents that are marked or on view.
  /// - Parameter alone: whether what is on the list leaves it.
  static func steerTargets(alone: Bool, _ state: inout ExplorerState) -> [Effect] {
    let former = state.steer.rows
    if let reason = state.steer.put(state.targets, alone: alone, limit: state.store.coherenceLimit) {
      state.tell(reason, .error)
      return []
    }
    if let text = left(former, state.steer.rows) { state.tell(text) }
    // Digits and `:` are keys where there is nothing to be typed.
    state.steer.focus = state.steer.prompt.isEmpty ? .prompt : .interventions
    state.latents.marked = []
    return state.show(.steer)
  }
}

extension ExplorerState {
  /// Loads what is not known of the steer screen's latents.
  mutating func loadListed() -> [Effect] {
    let missing = steer.rows.map(\.latent).filter { latents.rows[$0] == nil }
    return missing.isEmpty ? [] : [.loadRows(missing)]
  }
}
