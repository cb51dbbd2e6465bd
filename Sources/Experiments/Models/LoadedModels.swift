// What a job computes with: the models of a store, and results that are kept from job to job so that no prompt is computed
// twice.

import Diffing
import Inference
import Storage

/// The loaded models of a store. They belong to one owner, which does one step of one job at a time.
package struct LoadedModels {
  package let context: SteeringContext
  package let store: Store
  /// Prompts that were computed up to the steered block, so that another strength only runs the blocks above.
  package let prefixes: PromptPrefixes
  /// The unsteered reading of the last previewed chat.
  let unsteered: UnsteeredMemory

  package init(context: SteeringContext, store: Store, prefixes: PromptPrefixes = PromptPrefixes()) {
    (self.context, self.store, self.prefixes) = (context, store, prefixes)
    unsteered = UnsteeredMemory()
  }
}

/// Keeps the unsteered reading of one prompt.
final class UnsteeredMemory {
  private var last: UnsteeredPrompt?

  /// The unsteered reading of a prompt, which is computed only if the prompt has changed.
  func read(_ prompt: RenderedChat, _ models: LoadedModels) throws -> UnsteeredPrompt {
    if let last, last.prompt == prompt { return last }
    let read = try UnsteeredPrompt(
      engine: models.context.engine, layer: models.context.pair.layer, prompt: prompt, prefixes: models.prefixes)
    last = read
    return read
  }
}
