// Bindings are data: help, the key bar and the reasons why a key does nothing are all made from them.

import Inference
import Storage
import TUI

/// Keys that do something on a screen.
struct Binding: Sendable {
  let keys: [Key]
  let action: Action
  /// A word or two for the key bar; a binding without them is not in the bar.
  let short: String?
  /// What the action does; help shows it.
  let help: String
  /// Why the action cannot be performed now; nil when it can.
  let unavailable: @Sendable (ExplorerState) -> String?

  init(
    _ keys: [Key], _ action: Action, _ short: String? = nil, _ help: String,
    unavailable: @escaping @Sendable (ExplorerState) -> String? = { _ in nil }
  ) {
    self.keys = keys
    self.action = action
    self.short = short
    self.help = help
    self.unavailable = unavailable
  }

  /// The keys as people write them, such as `j ↓`; if there are none, the command to type.
  var label: String { keys.isEmpty ? ": \(action.title)" : keys.map(\.label).joined(separator: " ") }
}

/// Reasons that several bindings share.
enum Unavailable {
  @Sendable static func readOnly(_ state: ExplorerState) -> String? {
    state.store.isWritable ? nil : "this store is open read-only: nothing can be saved in it"
  }

  /// A screen may have something to undo that is not in the store.
  @Sendable static func undo(_ state: ExplorerState) -> String? {
    state.screen.definition.undo == nil ? readOnly(state) : nil
  }

  @Sendable static func noLatent(_ state: ExplorerState) -> String? {
    state.currentLatent == nil ? "no latent is selected" : nil
  }

  @Sendable static func noLatentOrReadOnly(_ state: ExplorerState) -> String? { readOnly(state) ?? noLatent(state) }
}
