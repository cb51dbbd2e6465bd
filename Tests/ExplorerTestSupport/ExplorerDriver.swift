// Drives the explorer without a terminal: keys in, view state and canvas out, effects run to their end in between.

import Diffing
import Foundation
import Storage
import Synchronization
import TUI

@testable import Experiments
@testable import Explorer

/// The explorer on a sample store, with a scripted engine.
package struct ExplorerDriver {
  package private(set) var state: ExplorerState
  package let runner: EffectRunner
  /// Effects in the order in which update asked for them.
  package private(set) var asked: [Effect] = []

  package init(
    _ store: Store, laboratory: any Laboratory = ScriptedLaboratory(), size: Size = Size(columns: 80, rows: 24),
    ascii: Bool = false,
    spoken: Bool = false, filters: FilterFile? = nil,
    restoring view: SavedView? = nil, nLatents: Int? = nil
  ) async throws {
    let pair = try store.modelPair()
    let summary = StoreSummary(
      name: "sample.crosscope", base: pair.base, chat: pair.chat, layer: pair.layer,
      nLatents: nLatents ?? pair.nLatents,
      isWritable: store.isWritable, metrics: try store.metricNames(), coherenceLimit: try store.knownCoherenceLimit(),
      steersByDirections: try pair.crosscoder == nil && store.hasPublishedDirections(),
      lossRecovered: LossRecovered(try store.reconstructionLoss()))
    runner = EffectRunner(
      store: store, laboratory: laboratory, filters: filters,
      readPrompts: { _ in [SetPrompt(prompt: "a prompt")] }, restDelay: .zero)
    state = ExplorerState(store: summary, size: size, asciiOnly: ascii || spoken)
    state.isSpoken = spoken
    if let view { state.restore(view) }
    await settle(state.start())
  }

  /// Presses keys by name, each followed by everything that comes of it.
  package mutating func press(_ names: String...) async {
    for name in names {
      guard let key = Key(name: name) else { preconditionFailure("no key is named \(name)") }
      await send(.terminal(.input(.key(key))))
    }
  }

  /// Types text, one key a character.
  package mutating func type(_ text: String) async {
    for character in text { await send(.terminal(.input(.key(Key(.character(character)))))) }
  }

  package mutating func send(_ event: ExplorerEvent) async { await settle(state.update(event)) }

  /// Takes an event without running what it asks for.
  package mutating func sendOnly(_ event: ExplorerEvent) -> [Effect] { state.update(event) }

  /// Runs effects, and what follows from them, to their end.
  package mutating func settle(_ effects: [Effect]) async {
    var queue = effects
    while !queue.isEmpty {
      let effect = queue.removeFirst()
      asked.append(effect)
      let log = EventLog()
      await runner.run(effect) { log.add($0) }
      for event in log.events { queue += state.update(event) }
    }
  }

  /// The screen as characters.
  package var text: String { state.draw().canvas.text }
}

/// Events in the order in which they were emitted.
private final class EventLog: Sendable {
  private let stored = Mutex<[ExplorerEvent]>([])
  func add(_ event: ExplorerEvent) { stored.withLock { $0.append(event) } }
  var events: [ExplorerEvent] { stored.withLock { $0 } }
}
