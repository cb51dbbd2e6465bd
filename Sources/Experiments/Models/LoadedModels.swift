// What a job is computed with: the models of a store, and what is kept from one job to the next so that a prompt is not
// computed twice.

import Diffing
import Inference
import Storage

/// The models that belong to a store, loaded. They are one owner's, who does one step of one job at a time.
package struct LoadedModels {
  package let context: SteeringContext
  package let store: Store
  /// Prompts that were computed up to the steered block: another strength runs again only what is above.
  package let prefixes: PromptPrefixes
  /// The chat of the last preview as chat reads it without steering.
  let unsteered: UnsteeredMemory

  package init(context: SteeringContext, store: Store, prefixes: PromptPrefixes = PromptPrefixes()) {
    (self.context, self.store, self.prefixes) = (context, store, prefixes)
    unsteered = UnsteeredMemory()
  }
}

/// Keeps the unsteered reading of one prompt.
final class UnsteeredMemory {
  private var last: UnsteeredPrompt?

  /// The unsteered reading of a prompt, computed only if it is another prompt than the last one.
  func read(_ prompt: RenderedChat, _ models: LoadedModels) throws -> UnsteeredPrompt {
    if let last, last.prompt == prompt { return last }
    let read = try UnsteeredPrompt(
      engine: models.context.engine, layer: models.context.pair.layer, prompt: prompt, prefixes: models.prefixes)
    last = read
    return read
  }
}
