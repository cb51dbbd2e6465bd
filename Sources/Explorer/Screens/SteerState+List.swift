// The steer screen's list of latents and its former states. The list holds no more latents than one run can have.

import Diffing
import Experiments
import Inference
import Reports
import Storage
import TUI

/// The former lists for undo and redo.
struct SteerListHistory: Sendable, Equatable {
  /// The latents of the screen, the conditions of all of them, the directions, and the amplifications.
  struct Entry: Sendable, Equatable {
    var rows: [SteerState.Row]
    var conditions: [SteeringCondition]
    var directions: [SteerState.DirectionRow]
    var amplified: [SteerState.AmplifiedRow]
  }

  fileprivate var past: [Entry] = []
  fileprivate var future: [Entry] = []
  /// Whether the present change is an undo or a redo.
  fileprivate var isGoing = false
  fileprivate static let longest = 100
}

extension SteerState {
  /// Puts latents on the list, or goes to them if they are there.
  /// - Parameters:
  ///   - alone: whether all other latents leave the list.
  ///   - limit: the pair's limit of coherence, if it is known.
  /// - Returns: the reason if it is not done; nil when it is.
  mutating func put(_ latents: [Int], alone: Bool, limit: Double?) -> String? {
    let kept = alone ? rows.filter { latents.contains($0.latent) } : rows
    let known = Set(kept.map(\.latent))
    let new = latents.filter { !known.contains($0) }
    if let reason = refusal(of: kept.count + new.count) { return reason }
    // Conditions on all latents were not meant for the new ones.
    if kept.count < rows.count { plan.conditions = [] }
    if alone { (directions, amplified) = ([], []) }
    rows = kept + new.map { Row(latent: $0, strength: strengthToBegin(.add, limit: limit)) }
    if let last = latents.last { select(rows.firstIndex { $0.latent == last } ?? 0) }
    return nil
  }

  /// Puts typed latents on the list. A latent that is there already takes the typed strength, mode and conditions.
  /// - Returns: the reason if it is not done; nil when it is.
  mutating func put(_ typed: [LatentStrength], limit: Double?) -> String? {
    var rows = rows
    var selected = list.selected
    for item in typed {
      let index = rows.firstIndex { $0.latent == item.id } ?? rows.count
      if index == rows.count {
        let mode = item.mode ?? .add
        rows.append(Row(latent: item.id, mode: mode, strength: strengthToBegin(mode, limit: limit)))
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

  /// Takes this many rows off the list, beginning with the selected one; latents, directions and amplifications do not
  /// mix.
  mutating func remove(_ count: Int) {
    let index = list.selected
    if let selectedAmplified {
      amplified.removeSubrange(selectedAmplified..<min(amplified.count, selectedAmplified + max(1, count)))
    } else if let selectedDirection {
      directions.removeSubrange(selectedDirection..<min(directions.count, selectedDirection + max(1, count)))
    } else if rows.indices.contains(index) {
      rows.removeSubrange(index..<min(rows.count, index + max(1, count)))
    }
    select(index)
  }

  /// Takes everything off the list, and removes the conditions on all latents.
  mutating func clear() {
    (rows, plan.conditions, directions, amplified) = ([], [], [], [])
    select(0)
  }

  /// The present list.
  var listed: SteerListHistory.Entry {
    SteerListHistory.Entry(rows: rows, conditions: plan.conditions, directions: directions, amplified: amplified)
  }

  /// Records a former list if the present one has other latents or directions, or more or fewer amplifications.
  mutating func noteChange(from former: SteerListHistory.Entry) {
    defer { history.isGoing = false }
    guard !history.isGoing,
      former.rows.map(\.latent) != rows.map(\.latent) || former.amplified.count != amplified.count
        || former.directions.map(\.name) != directions.map(\.name)
    else { return }
    history.past.append(former)
    if history.past.count > SteerListHistory.longest { history.past.removeFirst() }
    history.future = []
  }

  /// Restores the list before the last change, or the one after it.
  /// - Returns: the message for the user.
  mutating func bringBack(forth: Bool) -> String {
    guard let list = forth ? history.future.popLast() : history.past.popLast() else {
      return forth
        ? "there is no later list of latents"
        : "there is no former list of latents; other screens undo tags and notes"
    }
    if forth { history.past.append(listed) } else { history.future.append(listed) }
    // Latents that are on both lists keep their present strengths.
    let present = Dictionary(rows.map { ($0.latent, $0) }, uniquingKeysWith: { first, _ in first })
    let areUnique = present.count == rows.count && Set(list.rows.map(\.latent)).count == list.rows.count
    rows = areUnique ? list.rows.map { present[$0.latent] ?? $0 } : list.rows
    let amplifications = Dictionary(amplified.map { ($0.term.part, $0) }, uniquingKeysWith: { first, _ in first })
    amplified = list.amplified.map { amplifications[$0.term.part] ?? $0 }
    let vectors = Dictionary(directions.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    directions = list.directions.map { vectors[$0.name] ?? $0 }
    if plan.conditions.isEmpty { plan.conditions = list.conditions }
    history.isGoing = true
    select(self.list.selected)
    return listCount == 0
      ? "no latent is on the list, as before" : "on the list again: \(Self.names(rows, directions, amplified))"
  }

  /// A message about what left the list; nil if nothing did.
  func left(of former: SteerListHistory.Entry) -> String? {
    let (present, parts) = (Set(rows.map(\.latent)), Set(amplified.map(\.term.part)))
    let latents = former.rows.filter { !present.contains($0.latent) }
    let amplifications = former.amplified.filter { !parts.contains($0.term.part) }
    let names = Set(directions.map(\.name))
    let vectors = former.directions.filter { !names.contains($0.name) }
    return latents.isEmpty && amplifications.isEmpty && vectors.isEmpty
      ? nil : "off the list: \(Self.names(latents, vectors, amplifications)); u brings them back"
  }

  /// The rows as `5, 42 and 7 more`.
  private static func names(_ rows: [Row], _ directions: [DirectionRow], _ amplified: [AmplifiedRow]) -> String {
    let all = rows.map { String($0.latent) } + directions.map(\.name) + amplified.map(\.term.part.text)
    let shown = all.prefix(6).joined(separator: ", ")
    return all.count > 6 ? "\(shown) and \(all.count - 6) more" : shown
  }

  /// Steers with the latents that are marked or on view.
  /// - Parameter alone: whether the latents on the list leave it.
  static func steerTargets(alone: Bool, _ state: inout ExplorerState) -> [Effect] {
    let former = state.steer.listed
    if state.store.steersByDirections {
      if alone { state.steer.clear() }
      state.steer.put(directions: state.targets.map(DirectionRecord.name(ofLatent:)))
    } else if let reason = state.steer.put(state.targets, alone: alone, limit: state.store.coherenceLimit) {
      state.tell(reason, .error)
      return []
    }
    if let text = state.steer.left(of: former) { state.tell(text) }
    // If there is a prompt the list gets the keys, so that digits and `:` are not typed as text.
    state.steer.focus = state.steer.prompt.isEmpty ? .prompt : .interventions
    state.latents.marked = []
    return state.show(.steer)
  }
}

extension ExplorerState {
  /// Loads the missing data of the steer screen's latents.
  mutating func loadListed() -> [Effect] {
    let missing = steer.rows.map(\.latent).filter { latents.rows[$0] == nil }
    return missing.isEmpty ? [] : [.loadRows(missing)]
  }
}
