// The paths of a store's models, for every subcommand that runs them.

import ArgumentParser
import Experiments

/// Paths that replace those recorded in a store; the files must be the same.
struct ModelFileOptions: ParsableArguments {
  @Option(help: ArgumentHelp("The model, if it is not where the store says.", valueName: "gguf|dir"))
  var model: String?
  @Option(help: ArgumentHelp("The adapter that makes it chat, if it is not where the store says.", valueName: "dir"))
  var adapter: String?
  @Option(help: ArgumentHelp("The base model of a pair of two files, if it is elsewhere.", valueName: "gguf|dir"))
  var baseModel: String?

  var locations: ModelLocations { ModelLocations(model: model, adapter: adapter, baseModel: baseModel) }
}
