// What the user says about a dictionary whose own files do not say it.

import ArgumentParser
import Diffing

extension DictionaryChoice.Reads: ExpressibleByArgument {}

/// The options that say what a dictionary's files leave open.
struct DictionaryOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "What a dictionary of one vector a token reads, if its files do not say it: base, chat, chat-base or base-chat.",
      valueName: "what"))
  var reads: DictionaryChoice.Reads?
  @Option(
    help: ArgumentHelp(
      "The head of a pair that is base's, by its name in the files or its number from 0.", valueName: "head"))
  var baseHead: String?

  /// - Parameter layer: the block that is browsed of a dictionary of several.
  func choice(layer: Int? = nil) -> DictionaryChoice {
    DictionaryChoice(reads: reads, layer: layer, baseHead: baseHead)
  }
}
