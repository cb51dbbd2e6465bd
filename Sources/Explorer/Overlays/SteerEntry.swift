// A typed line for the steer screen's list: latents to add, a strength, or conditions. Strength and conditions apply to the
// selected latent or to all. The forms are those of `crosscope steer`; a line that is not understood stays open with the
// reason.

import Diffing
import Experiments
import Inference
import Reports
import Storage
import TUI

/// A line being typed.
struct SteerEntry: Sendable, Equatable {
  enum Purpose: Sendable { case latents, strength, conditions }

  let purpose: Purpose
  /// Whether the line applies to all latents instead of the selected one.
  var isForAll = false
  var text: LineEditor
}

extension SteerEntry: OverlayContent {
  var hints: [KeyHint] {
    switch purpose {
    case .latents: [KeyHint("Enter", "add"), KeyHint("Esc", "close")]
    case .strength, .conditions:
      [KeyHint("Enter", "set"), KeyHint("Tab", isForAll ? "this one" : "all"), KeyHint("Esc", "close")]
    }
  }

  func type(_ input: Input, _ state: inout ExplorerState) -> [Effect] {
    var entry = self
    switch input {
    case .key("esc"):
      state.overlay = nil
      return []
    case .key("tab") where entry.purpose != .latents:
      entry.isForAll.toggle()
      if entry.purpose == .conditions { entry.text = entry.beginning(state) }
    case .key("enter"):
      do {
        try take(&state)
        state.overlay = nil
        return state.loadListed()
      } catch {
        state.tell(error.message, .error)
        return []
      }
    default: _ = entry.text.take(input)
    }
    state.overlay = entry
    return []
  }

  func draw(_ state: ExplorerState, _ canvas: inout Canvas) -> Point? {
    let latent = state.steer.selectedRow.map { String($0.latent) } ?? ""
    let (title, label, placeholder) =
      switch purpose {
      case .latents: ("Add latents", "", "id, id:strength, id:strength:mode, as many as you like")
      case .strength:
        (strengthTitle(state), "strength ", "")
      case .conditions:
        (
          isForAll ? "Steer with any latent only" : "Steer with \(latent) only", "where ",
          "an empty line means everywhere"
        )
      }
    let size = Size(columns: min(60, state.body.columns - 6), rows: purpose == .conditions ? 2 : 1)
    let inside = canvas.window(title, size: size, in: state.body)
    if purpose == .conditions {
      let line = inside.line(1)
      canvas.put(
        truncated(
          isForAll
            ? "12>0.5: activation of latent 12; several must all hold" : ">0.5: its own activation; 12<3: latent 12's",
          to: line.columns), row: line.row, column: line.column, style: .muted, clip: line)
    }
    return canvas.input(text, label: label, placeholder: placeholder, in: inside.line(0))
  }
}

extension SteerEntry {
  /// The line for `.addLatent`, `.strength` or `.condition`.
  init(for action: Action, _ state: ExplorerState) {
    purpose = action == .strength ? .strength : action == .condition ? .conditions : .latents
    text = LineEditor()
    text = beginning(state)
  }

  private func strengthTitle(_ state: ExplorerState) -> String {
    if isForAll { return "Strength of all \(state.steer.rows.count) latents" }
    if let index = state.steer.selectedAmplified {
      let part = state.steer.amplified[index].term.part
      return (part == .logits ? "α of " : "λ of ") + part.text
    }
    if let index = state.steer.selectedDirection {
      return "Strength of " + truncated(termSafe(state.steer.directions[index].name), to: 40)
    }
    return "Strength of \(state.steer.selectedRow.map { String($0.latent) } ?? "")"
  }

  /// The text with which the line begins.
  private func beginning(_ state: ExplorerState) -> LineEditor {
    if purpose == .strength, let index = state.steer.selectedDirection {
      return LineEditor(exact(state.steer.directions[index].strength), limit: 24)
    }
    if purpose == .strength, let index = state.steer.selectedAmplified {
      return LineEditor(exact(state.steer.amplified[index].term.value), limit: 24)
    }
    guard purpose != .latents, let row = state.steer.selectedRow else { return LineEditor(limit: 20_000) }
    if purpose == .strength { return LineEditor(exact(row.strength), limit: 24) }
    let conditions = isForAll ? state.steer.plan.conditions : row.conditions
    let own = isForAll ? nil : row.latent
    let texts = conditions.map { ($0.latent == own ? "" : String($0.latent)) + $0.written }
    return LineEditor(texts.isEmpty ? (isForAll ? "\(row.latent)>0" : ">0") : texts.joined(separator: " "), limit: 400)
  }

  /// Applies the typed line.
  private func take(_ state: inout ExplorerState) throws(SteerEntryRefusal) {
    let text = text.text.replacing(/([<>]) +/) { $0.output.1 }
    let words = text.split { $0 == " " || $0 == "," }.map(String.init).filter { $0 != "and" }
    switch purpose {
    case .latents:
      guard !words.isEmpty else {
        throw SteerEntryRefusal("a latent's id is missing: ids go from 0 to \(state.store.nLatents - 1)")
      }
      var (typed, terms): ([LatentStrength], [AmplificationTerm]) = ([], [])
      for word in words {
        if AmplificationTerm.isMeant(by: word) {
          terms.append(try reading { try AmplificationTerm(word) })
        } else {
          typed.append(try reading { try LatentStrength(word) })
        }
      }
      try check(typed.map(\.id) + typed.flatMap(\.conditions).map(\.latent), state.store)
      if let reason = state.steer.put(typed, limit: state.store.coherenceLimit) { throw SteerEntryRefusal(reason) }
      state.steer.put(terms)
      state.steer.focus = .interventions
    case .strength:
      guard let strength = Double(self.text.text.trimmed), strength.isFinite else {
        throw SteerEntryRefusal("a strength is a number, as in 0.02 or -1")
      }
      if let index = state.steer.selectedAmplified, !isForAll {
        guard abs(strength) <= Amplification.largest else {
          throw SteerEntryRefusal("an amplification is a number from -1000 to 1000")
        }
        state.steer.amplified[index].term.value = strength
      }
      if let index = state.steer.selectedDirection, !isForAll { state.steer.directions[index].strength = strength }
      for index in state.steer.rows.indices where isForAll || index == state.steer.list.selected {
        state.steer.rows[index].strength = strength
      }
    case .conditions:
      let index = state.steer.list.selected
      guard state.steer.rows.indices.contains(index) else { return }
      let own = Int(state.steer.rows[index].latent)
      var conditions: [SteeringCondition] = []
      for word in words.flatMap({ $0.split(separator: "@") }) {
        conditions.append(try reading { try LatentCondition(String(word), of: own).condition })
      }
      try check(conditions.map(\.latent), state.store)
      if isForAll { state.steer.plan.conditions = conditions } else { state.steer.rows[index].conditions = conditions }
    }
  }

  private func check(_ latents: [Int], _ store: StoreSummary) throws(SteerEntryRefusal) {
    if let unknown = latents.first(where: { $0 >= store.nLatents }) {
      throw SteerEntryRefusal("\(unknown): a latent's id is a number from 0 to \(store.nLatents - 1)")
    }
  }

  /// Reads a word as the command line does, with the same reasons for a refusal.
  private func reading<T>(_ body: () throws -> T) throws(SteerEntryRefusal) -> T {
    do { return try body() } catch {
      throw SteerEntryRefusal("\(error)")
    }
  }
}

/// The reason why a line is refused.
private struct SteerEntryRefusal: Error {
  let message: String
  init(_ message: String) { self.message = message }
}
