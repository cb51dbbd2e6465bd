// Options that say where the explorer begins; by default it begins where it was left.

import ArgumentParser
import Explorer
import Foundation
import Storage

struct BeginningOptions: ParsableArguments {
  @Flag(help: "Begin at the table, not where this store was last left.") var fresh = false

  @Option(help: ArgumentHelp("Begin with this filter, as in `crosscope latents`.", valueName: "expr"))
  var filter: String?

  @Option(help: "Begin with this order, as in `crosscope latents`.") var sort: LatentSort?

  @Option(help: ArgumentHelp("Begin at this latent's page.", valueName: "id")) var latent: Int?

  /// The same place in a store.
  /// - Throws: `ValidationError` for something that the store does not have, or the errors of reading it.
  func beginning(in store: Store) throws -> ExplorerProgram.Beginning {
    var beginning = ExplorerProgram.Beginning()
    beginning.isFresh = fresh
    if let filter { _ = try Filter(argument: filter, of: store) }
    beginning.filter = filter
    beginning.sort = try sort?.known(among: store.metricNames())
    if let latent { _ = try store.latent(latent) }
    beginning.latent = latent
    return beginning
  }
}
