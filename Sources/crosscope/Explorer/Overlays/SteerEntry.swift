// What is typed for the steer screen's list: latents to add, a strength, conditions. Strength and conditions are of the
// selected latent, or of all.
// Owns: the forms, which are those of `crosscope steer`. Refuses: anything half understood; it says why and stays open.

import ArgumentParser
import Diffing
import Experiments
import Reports
import TUI

/// A line being typed.
struct SteerEntry: Sendable, Equatable {
  enum Purpose: Sendable { case latents, strength, conditions }

  let purpose: Purpose
  /// Whether it is for all latents instead of the selected one.
  var isForAll = false
  var text: LineEditor

  var hints: [KeyHint] {
    switch purpose {
    case .latents: [KeyHint("Enter", "add"), KeyHint("Esc", "close")]
    case .strength, .conditions:
      [KeyHint("Enter", "set"), KeyHint("Tab", isForAll ? "this one" : "all"), KeyHint("Esc", "close")]
    }
  }
}

extension ExplorerState {
  /// Opens the line for `.addLatent`, `.strength` or `.condition`.
  mutating func openSteerEntry(_ action: Action) {
    let purpose: SteerEntry.Purpose =
      action == .strength ? .strength : action == .condition ? .conditions : .latents
    overlay = .steerEntry(SteerEntry(purpose: purpose, text: steerEntryText(purpose, isForAll: false)))
  }

  /// What such a line begins with.
  private func steerEntryText(_ purpose: SteerEntry.Purpose, isForAll: Bool) -> LineEditor {
    guard purpose != .latents, let row = steer.selectedRow else { return LineEditor(limit: 20_000) }
    if purpose == .strength { return LineEditor(exact(row.strength), limit: 24) }
    let conditions = isForAll ? steer.plan.conditions : row.conditions
    let own = isForAll ? nil : Int(row.latent)
    let texts = conditions.map { ($0.latent == own ? "" : String($0.latent)) + $0.written }
    return LineEditor(texts.isEmpty ? (isForAll ? "\(row.latent)>0" : ">0") : texts.joined(separator: " "), limit: 400)
  }

  mutating func typeIntoSteerEntry(_ input: Input, _ before: SteerEntry) -> [Effect] {
    var entry = before
    switch input {
    case .key("esc"):
      overlay = nil
      return []
    case .key("tab") where entry.purpose != .latents:
      entry.isForAll.toggle()
      if entry.purpose == .conditions { entry.text = steerEntryText(.conditions, isForAll: entry.isForAll) }
    case .key("enter"):
      do {
        try take(entry)
        overlay = nil
        return loadListed()
      } catch {
        tell(error.message, .error)
        return []
      }
    case .key(let key): _ = entry.text.handle(key)
    case .paste(let text): entry.text.insert(String(text.map { $0.isNewline ? " " : $0 }))
    case .mouse: break
    }
    overlay = .steerEntry(entry)
    return []
  }

  /// Sets what was typed.
  private mutating func take(_ entry: SteerEntry) throws(SteerEntryRefusal) {
    let text = entry.text.text.replacing(/([<>]) +/) { $0.output.1 }
    let words = text.split { $0 == " " || $0 == "," }.map(String.init).filter { $0 != "and" }
    switch entry.purpose {
    case .latents:
      guard !words.isEmpty else { throw SteerEntryRefusal("a latent's id is missing: 0 to \(store.nLatents - 1)") }
      var typed: [LatentStrength] = []
      for word in words { typed.append(try reading { try LatentStrength(word) }) }
      try check(typed.map(\.id) + typed.flatMap(\.conditions).map(\.latent))
      if let reason = steer.put(typed, limit: store.coherenceLimit) { throw SteerEntryRefusal(reason) }
      steer.focus = .interventions
    case .strength:
      guard let strength = Double(entry.text.text.trimmed), strength.isFinite else {
        throw SteerEntryRefusal("a strength is a number, as in 0.02 or -1")
      }
      for index in steer.rows.indices where entry.isForAll || index == steer.list.selected {
        steer.rows[index].strength = strength
      }
    case .conditions:
      let index = steer.list.selected
      guard steer.rows.indices.contains(index) else { return }
      let own = Int(steer.rows[index].latent)
      var conditions: [SteeringCondition] = []
      for word in words.flatMap({ $0.split(separator: "@") }) {
        conditions.append(try reading { try LatentCondition(String(word), of: own).condition })
      }
      try check(conditions.map(\.latent))
      if entry.isForAll { steer.plan.conditions = conditions } else { steer.rows[index].conditions = conditions }
    }
  }

  private func check(_ latents: [Int]) throws(SteerEntryRefusal) {
    if let unknown = latents.first(where: { $0 >= store.nLatents }) {
      throw SteerEntryRefusal("\(unknown): a latent's id is a number from 0 to \(store.nLatents - 1)")
    }
  }

  /// What the command line would say of it.
  private func reading<T>(_ body: () throws -> T) throws(SteerEntryRefusal) -> T {
    do { return try body() } catch {
      throw SteerEntryRefusal((error as? ValidationError)?.message ?? "\(error)")
    }
  }

  func draw(_ entry: SteerEntry, _ canvas: inout Canvas) -> Point? {
    let latent = steer.selectedRow.map { String($0.latent) } ?? ""
    let (title, label, placeholder) =
      switch entry.purpose {
      case .latents: ("Add latents", "", "id, id:strength, id:strength:mode, as many as you like")
      case .strength:
        (entry.isForAll ? "Strength of all \(steer.rows.count) latents" : "Strength of \(latent)", "strength ", "")
      case .conditions:
        (
          entry.isForAll ? "Steer with any latent only" : "Steer with \(latent) only", "where ",
          "nothing said: everywhere"
        )
      }
    let size = Size(columns: min(60, body.columns - 6), rows: entry.purpose == .conditions ? 2 : 1)
    let inside = canvas.window(title, size: size, in: body)
    if entry.purpose == .conditions {
      let line = inside.line(1)
      canvas.put(
        truncated(
          entry.isForAll
            ? "12>0.5: activation of latent 12; several must all hold" : ">0.5: its own activation; 12<3: latent 12's",
          to: line.columns), row: line.row, column: line.column, style: .muted, clip: line)
    }
    return canvas.input(entry.text, label: label, placeholder: placeholder, in: inside.line(0))
  }
}

/// Why a line is not taken.
private struct SteerEntryRefusal: Error {
  let message: String
  init(_ message: String) { self.message = message }
}
