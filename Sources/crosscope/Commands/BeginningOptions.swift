// Where the explorer begins: as it was left, or at what the command line names.

import ArgumentParser
import Foundation
import Storage

struct BeginningOptions: ParsableArguments {
  @Flag(help: "Begin at the table, not where this store was last left.") var fresh = false

  @Option(help: ArgumentHelp("Begin with this filter, as in `crosscope latents`.", valueName: "expr"))
  var filter: String?

  @Option(help: "Begin with this order, as in `crosscope latents`.") var sort: LatentSort?

  @Option(help: ArgumentHelp("Begin at this latent's page.", valueName: "id")) var latent: Int32?

  /// Whether the command line says where to begin.
  var isGiven: Bool { filter != nil || sort != nil || latent != nil }

  /// How to show a store first; nil for the usual way.
  /// - Throws: `ValidationError` for what the store does not have, or what reading it throws.
  func view(of store: Store) throws -> SavedView? {
    let saved = fresh ? nil : SavedState(path: SavedState.usualPath()).stores[store.path]
    guard isGiven else { return saved }
    var view = saved ?? SavedView()
    // Who names something wants to see that.
    (view.filter, view.sort, view.reversed) = ("", LatentSort.chatSpecificity.name, false)
    view.place = Place(screen: .latents)
    view.selected = latent
    if let filter {
      _ = try Filter(argument: filter, of: store)
      view.filter = filter
    }
    if let sort { view.sort = try sort.known(among: store.metricNames()).name }
    if let latent {
      _ = try store.latent(latent)
      view.place = Place(screen: .latent, latent: latent)
    }
    return view
  }
}
